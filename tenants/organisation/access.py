"""The page that says what a person's AWS credentials carry, and what AWS answers when they try a key or a path."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tenants.aws.records_api import ApiAnswer
from tenants.aws.records_table import RawAnswer
from tenants.domain.errors import InvalidInput
from tenants.domain.keys import PUBLIC_SPACE, owner_of, owner_of_path
from tenants.pages.refusals import record_refusal
from tenants.records.wiring import api, records
from tenants.sign_in.access import signed_in, signed_in_only
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.wiring import federation


@signed_in_only
@require_safe
def access(request: HttpRequest) -> HttpResponse:
    who, problem = signed_in(request), None
    answer, api_answer = None, None
    try:
        answer, api_answer = _try_key(request, who), _try_path(request, who)
    except InvalidInput as error:
        problem = error
    own_org = who.claims.org
    context = {
        "credentials_end": datetime.fromtimestamp(federation().credentials_for(who).expires_at, tz=UTC),
        "role_arn": settings.TENANT_ROLE_ARN,
        "client": settings.OIDC_RP_CLIENT_ID,
        "table": settings.RECORDS_TABLE,
        "key": request.GET.get("pk", ""),
        "own_key": who.space.catalogue if own_org else PUBLIC_SPACE.catalogue,
        "answer": answer,
        "api_url": settings.RECORDS_API_URL,
        "path": request.GET.get("path", ""),
        "own_path": f"/{own_org}/profile" if own_org else "",
        "api_answer": api_answer,
        "problem": problem,
    }
    return render(request, "organisation/access.html", context, status=400 if problem else 200)


def _try_key(request: HttpRequest, who: SignedIn) -> RawAnswer | None:
    """Raises InvalidInput."""
    if "pk" not in request.GET:
        return None
    key = request.GET["pk"]
    answer = records().try_key(who, key)
    if answer.code == "AccessDeniedException":
        record_refusal(request, "DeniedByAws", why=answer.code, asked_for=owner_of(key))
    return answer


def _try_path(request: HttpRequest, who: SignedIn) -> ApiAnswer | None:
    """Raises InvalidInput."""
    if "path" not in request.GET or not settings.RECORDS_API_URL:
        return None
    path = request.GET["path"]
    answer = api().get(federation().credentials_for(who), path)
    if answer.status == 403:
        record_refusal(request, "DeniedByAws", why="Forbidden", asked_for=owner_of_path(path))
    return answer
