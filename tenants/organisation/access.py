"""The page that says what a person's AWS credentials carry, and what AWS answers when they try a partition key."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tenants.aws.records_table import RawAnswer
from tenants.domain.errors import InvalidInput
from tenants.domain.keys import PUBLIC_SPACE, owner_of
from tenants.pages.refusals import record_refusal
from tenants.records.wiring import records
from tenants.sign_in.access import (
    signed_in,
    signed_in_only,
)
from tenants.sign_in.wiring import federation


@signed_in_only
@require_safe
def access(request: HttpRequest) -> HttpResponse:
    who, key = signed_in(request), request.GET.get("pk", "")
    problem: InvalidInput | None = None
    answer: RawAnswer | None = None
    try:
        answer = records().try_key(who, key) if "pk" in request.GET else None
    except InvalidInput as error:
        problem = error
    if answer is not None and answer.code == "AccessDeniedException":
        record_refusal(request, "DeniedByAws", why=answer.code, asked_for=owner_of(key))
    credentials = federation().credentials_for(who)
    context = {
        "credentials_end": datetime.fromtimestamp(credentials.expires_at, tz=UTC),
        "role_arn": settings.TENANT_ROLE_ARN,
        "table": settings.RECORDS_TABLE,
        "key": key,
        "own_key": who.space.catalogue if who.claims.org else PUBLIC_SPACE.catalogue,
        "answer": answer,
        "problem": problem,
    }
    return render(request, "organisation/access.html", context, status=400 if problem else 200)
