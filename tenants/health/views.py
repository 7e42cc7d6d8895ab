"""What machines ask: whether this process lives, whether to send requests to it, and numbers for a collector."""

from __future__ import annotations

import hmac
import time

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from tenants.health.metrics import metrics_text
from tenants.health.readiness import readiness
from tenants.sign_in.access import open_to_all


@open_to_all
@require_safe
def livez(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django passes it
    """This process serves. Whether AWS does is not asked: restarting the portal would not mend it."""
    return HttpResponse("ok\n", content_type="text/plain")


@open_to_all
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django passes it
    """Whether to send people to this process; to strangers too, so it says how things are and never why."""
    found = readiness()
    checks = {name: {"state": check.state, "age_seconds": check.age_seconds} for name, check in found.checks.items()}
    answer = {"status": found.status, "checked_seconds_ago": round(time.monotonic() - found.at, 1), "checks": checks}
    return JsonResponse(answer, status=200 if found.ready else 503)


@open_to_all
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For a collector that has the token; where none is set, there is no such page."""
    if not settings.METRICS_TOKEN:
        return HttpResponse("There is nothing here.\n", status=404, content_type="text/plain")
    given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode()):
        challenge = {"WWW-Authenticate": "Bearer"}
        return HttpResponse("A bearer token is needed.\n", status=401, content_type="text/plain", headers=challenge)
    return HttpResponse(metrics_text(), content_type="text/plain; version=0.0.4; charset=utf-8")
