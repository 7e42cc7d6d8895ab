"""The door: every request passes it, and every refusal is answered here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from tenants.access import access_of, admit
from tenants.domain.errors import PortalError
from tenants.refusals import refuse


class Door:
    """Sets `request.signed_in` to the person (a `SignedIn`) or None, after the view's own declaration was honoured."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Callable[..., Any], *_arguments: object) -> HttpResponse | None:
        try:
            request.signed_in = admit(request, access_of(view))  # type: ignore[attr-defined]
        except PortalError as error:
            return refuse(request, error)
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return refuse(request, exception) if isinstance(exception, PortalError) else None
