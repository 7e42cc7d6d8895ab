"""Load balancers ask a process how it is by its address, not by the portal's name, and over plain HTTP."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

PATHS = frozenset({"/livez", "/readyz"})


class Probes:
    """Takes their requests as if they had asked for the portal; nothing that these pages answer depends on the name."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path in PATHS:
            request.META["HTTP_HOST"] = urlsplit(settings.PORTAL_URL).netloc
        return self.get_response(request)
