"""Addresses for machines: whether this process lives, whether it can serve requests, and metrics."""

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
    """This process lives. Does not ask AWS or the database: restarting the portal would not repair those."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@open_to_all
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django passes it
    """Whether to send requests to this process. Open to strangers, so it never says why a check failed."""
    now = readiness()
    checks = {name: {"state": check.state, "age_seconds": check.age_seconds} for name, check in now.checks.items()}
    answer = {"status": now.status, "checked_seconds_ago": round(time.monotonic() - now.at, 1), "checks": checks}
    return JsonResponse(answer, status=200 if now.ready else 503)


@open_to_all
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For a collector that has the token, or one of two. If METRICS_TOKEN is not set, there is no such page."""
    if not settings.METRICS_TOKENS:
        return HttpResponse("There is nothing here.\n", status=404, content_type="text/plain; charset=utf-8")
    given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
    # All are compared, so that the time says nothing about which one was nearly given.
    matches = [hmac.compare_digest(given, f"Bearer {token}".encode()) for token in settings.METRICS_TOKENS]
    if not any(matches):
        challenge = {"WWW-Authenticate": "Bearer"}
        return HttpResponse(
            "A bearer token is needed.\n", status=401, content_type="text/plain; charset=utf-8", headers=challenge
        )
    return HttpResponse(metrics_text(), content_type="text/plain; version=0.0.4; charset=utf-8")
