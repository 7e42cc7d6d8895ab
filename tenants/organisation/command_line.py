"""The page that shows people their own temporary credentials, for a terminal. Only a POST shows them.

The response is stored nowhere: `portal.headers` says so to the browser, and no redirect carries it.
"""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from tenants.domain.credential_lines import PROCESS_FILE, PROFILE, lines_of, process_profile
from tenants.domain.errors import NotAllowed
from tenants.domain.keys import PUBLIC_SPACE
from tenants.isolation.wiring import policies_now, tags_of
from tenants.sign_in.access import signed_in, signed_in_only
from tenants.sign_in.handing_out import hand_out_credentials
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.wiring import federation


@signed_in_only
@require_http_methods(["GET", "HEAD", "POST"])
def command_line(request: HttpRequest) -> HttpResponse:
    who = signed_in(request)
    if request.method != "POST":
        return render(request, "organisation/command_line.html", _context(who))
    if not settings.COMMAND_LINE_ACCESS:
        raise NotAllowed("Command-line access is turned off on this portal.")
    credentials = hand_out_credentials(who, federation())
    shown = {
        "lines": lines_of(credentials, **_where()),
        "until": datetime.fromtimestamp(credentials.expires_at, tz=UTC),
    }
    response = render(request, "organisation/command_line.html", {**_context(who), **shown})
    response["Cache-Control"] = "no-store"
    return response


def _context(who: SignedIn) -> dict[str, object]:
    policies, tags = policies_now(who.claims.org), tags_of(who)
    space = who.space if who.claims.org else PUBLIC_SPACE
    return {
        "is_on": settings.COMMAND_LINE_ACCESS,
        "may_write": policies.on_rows(tags, "PutItem", keys=[space.catalogue]).allowed,
        "profile": PROFILE,
        "process_file": PROCESS_FILE,
        "process_profile": process_profile(**_where()),
        "try_it": _query(space.catalogue),
    }


def _where() -> dict[str, str]:
    return {"region": settings.AWS_REGION, "endpoint_url": settings.AWS_ENDPOINT_URL or ""}


def _query(partition_key: str) -> str:
    """A command that lists the collections: it reads with any role."""
    arguments = {
        "table-name": settings.RECORDS_TABLE,
        "key-condition-expression": "#pk = :pk",
        "expression-attribute-names": json.dumps({"#pk": settings.RECORDS_KEYS[0]}),
        "expression-attribute-values": json.dumps({":pk": {"S": partition_key}}),
    }
    return " ".join(["aws dynamodb query", *(f"--{name} {shlex.quote(value)}" for name, value in arguments.items())])
