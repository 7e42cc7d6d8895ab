"""The door: a middleware that checks every request before its view and turns each PortalError into a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from tenants.domain.errors import PortalError
from tenants.pages.refusals import method_not_allowed, refuse
from tenants.sign_in.access import access_of, admit


class Door:
    """Admits a request as its view declares, then sets `request.signed_in` to a `SignedIn` or None.

    Views that are open to all do not get the attribute, because the session was not read.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        # Django answers a wrong method with an empty page.
        return method_not_allowed(request, response) if response.status_code == 405 else response

    def process_view(self, request: HttpRequest, view: Callable[..., Any], *_arguments: object) -> HttpResponse | None:
        try:
            access = access_of(view)
            who = admit(request, access)
            if access.looks_at_session:
                request.signed_in = who  # type: ignore[attr-defined]
        except PortalError as error:
            return refuse(request, error)
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return refuse(request, exception) if isinstance(exception, PortalError) else None
