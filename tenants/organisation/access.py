"""The page that says what a person's AWS credentials carry and may do, and what AWS answers when they try a call.

What they may do is read from the policies, not decided here, and AWS's answer to a call stands beside it.
Trying one is a POST with a CSRF token: what AWS refuses is recorded as the person's own wish, so no link on another
site may do it. A link to this page can only fill in a field. A redirect shows the answer, so that Back and Reload ask
AWS nothing.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from tenants.audit.actions import Action
from tenants.domain.errors import InvalidInput
from tenants.domain.keys import PUBLIC_SPACE, owner_of, owner_of_path
from tenants.isolation.permissions import lines_for
from tenants.isolation.wiring import policies_now, tags_of
from tenants.organisation.meaning import meaning_of
from tenants.organisation.tried import Tried, find, keep, tried_call, tried_path
from tenants.pages.refusals import record_refusal
from tenants.records.trying import OPERATIONS, USUAL, Operation
from tenants.records.wiring import api, trials
from tenants.sign_in.access import signed_in, signed_in_only
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.wiring import federation

_log = logging.getLogger(__name__)
# An org id that no organisation has, for portals that name no example.
_NOBODYS_ORG = "00000000-0000-4000-8000-000000000000"


@signed_in_only
@require_http_methods(["GET", "HEAD", "POST"])
def access(request: HttpRequest) -> HttpResponse:
    who = signed_in(request)
    if request.method != "POST":
        return _page(request, who, request.GET, tried=find(who, request.GET.get("answer", "")))
    try:
        tried = _try_call(request, who) or _try_path(request, who)
    except InvalidInput as problem:
        return _page(request, who, request.POST, problem=problem)
    kept = keep(who, tried) if tried else ""
    if kept is None:
        return _page(request, who, request.POST, tried=tried)
    return redirect(f"{reverse('access')}?{urlencode({'answer': kept})}#answer" if kept else "access")


def _try_call(request: HttpRequest, who: SignedIn) -> Tried | None:
    """Raises InvalidInput."""
    if "pk" not in request.POST:
        return None
    operation = _operation(request.POST)
    key, sort_key = request.POST["pk"], request.POST.get("sk", "")
    answer = trials().make(who, operation, key, sort_key)
    keys = [key] if operation.of_a_partition else None
    verdict = policies_now(who.claims.org).on_rows(tags_of(who), operation.action, keys=keys)
    tried = tried_call(operation, key if operation.of_a_partition else "", sort_key, answer, verdict)
    if tried.is_refused:
        owner = owner_of(key) if operation.of_a_partition else ""
        record_refusal(request, "DeniedByAws", action=Action.KEY_REFUSED, why=tried.code, asked_for=owner)
    return _agreeing(tried)


def _operation(form: QueryDict) -> Operation:
    """Raises InvalidInput."""
    name = form.get("operation", USUAL.name)
    if name not in OPERATIONS:
        raise InvalidInput("Choose an operation of the list.", field="operation")
    return OPERATIONS[name]


def _agreeing(tried: Tried) -> Tried:
    """Logs where AWS and the policies differ: a deployed policy that is not this version's, or a mistake in `iam`."""
    if tried.differs:
        _log.error(
            "AWS and the policies differ", extra={"operation": tried.operation, "statement": tried.verdict.statement}
        )
    return tried


def _try_path(request: HttpRequest, who: SignedIn) -> Tried | None:
    """Raises InvalidInput."""
    if "path" not in request.POST or not settings.RECORDS_API_URL:
        return None
    path = request.POST["path"]
    answer = api().get(federation().credentials_for(who), path)
    tried = tried_path(path, answer, policies_now(who.claims.org).on_path(tags_of(who), "GET", path))
    if tried.is_refused:
        record_refusal(
            request, "DeniedByAws", action=Action.PATH_REFUSED, why="Forbidden", asked_for=owner_of_path(path)
        )
    return _agreeing(tried)


def _page(
    request: HttpRequest,
    who: SignedIn,
    typed: QueryDict,
    *,
    tried: Tried | None = None,
    problem: InvalidInput | None = None,
) -> HttpResponse:
    own_org = who.claims.org
    typed_now = {tried.field: tried.text, "sk": tried.sort_key, "operation": tried.operation} if tried else typed
    context = {
        "credentials_end": datetime.fromtimestamp(federation().credentials_for(who).expires_at, tz=UTC),
        "role_arn": settings.TENANT_ROLE_ARN,
        "client": settings.OIDC_RP_CLIENT_ID,
        "table": settings.RECORDS_TABLE,
        "lines": lines_for(policies_now(own_org), tags_of(who)),
        "operations": OPERATIONS.values(),
        "operation": typed_now.get("operation", USUAL.name),
        "key": typed_now.get("pk", ""),
        "sort_key": typed_now.get("sk", ""),
        "own_key": who.space.catalogue if own_org else PUBLIC_SPACE.catalogue,
        "example_org": _example_for(own_org),
        "nobodys_org": _NOBODYS_ORG,
        "api_url": settings.RECORDS_API_URL,
        "path": typed_now.get("path", ""),
        "own_path": f"/{own_org}/profile" if own_org else "",
        "tried": tried,
        "meaning": meaning_of(tried, org=own_org) if tried else None,
        "is_forgotten": "answer" in request.GET and not tried and not problem,
        "problem": problem,
    }
    return render(request, "organisation/access.html", context, status=400 if problem else 200)


def _example_for(own_org: str) -> str:
    """Another organisation's id that the settings let everybody try, "" for none."""
    return next((org for org in settings.ACCESS_EXAMPLE_ORGS if org != own_org), "")
