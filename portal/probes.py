"""Lets a load balancer call the health pages by the process's own address. It does not know the portal's host name."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

PATHS = frozenset({"/livez", "/readyz"})


class Probes:
    """Replaces Host on the health pages, so that ALLOWED_HOSTS lets them through. Their answers do not depend on it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path in PATHS:
            request.META["HTTP_HOST"] = urlsplit(settings.PORTAL_URL).netloc
        return self.get_response(request)
