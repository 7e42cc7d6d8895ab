"""Refuses a request whose body is longer than any form of the portal. The server has not read such a body."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from tenants.pages.refusals import too_large


class BodySize:
    """Asked before anything else reads the body. Django's own limit does not count files, and logs a traceback."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return too_large(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        return self.get_response(request)
