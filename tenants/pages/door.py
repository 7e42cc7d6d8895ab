"""The door: a middleware that checks every request before its view and turns each PortalError into a page."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from tenants.domain.errors import InvalidInput, PortalError
from tenants.domain.texts import hidden_character
from tenants.domain.time_zones import time_zone_called
from tenants.pages.refusals import method_not_allowed, refuse
from tenants.pages.sent_forms import answer_of_first, finish
from tenants.sign_in.access import access_of, admit

_WITH_KEYS_OF_RECORDS = {"collection", "record", "public_collection", "public_record", "access"}


class Door:
    """Admits a request as its view declares, then sets `request.signed_in` to a `SignedIn` or None, and the time zone
    in which templates show times.

    Views that are open to all do not get the attribute, because the session was not read.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Each thread answers many people.
        with timezone.override(None):
            response = self.get_response(request)
            finish(request, response)
            # Django answers a wrong method with an empty page.
            return method_not_allowed(request, response) if response.status_code == 405 else response

    def process_view(self, request: HttpRequest, view: Callable[..., Any], *_arguments: object) -> HttpResponse | None:
        try:
            _refuse_hidden_characters(request)
            access = access_of(view)
            who = admit(request, access)
            if access.looks_at_session:
                request.signed_in = who  # type: ignore[attr-defined]
            if who is not None:
                timezone.activate(time_zone_called(who.standing.time_zone))
            return answer_of_first(request, who)
        except PortalError as error:
            return refuse(request, error)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, DataError | ValueError) and _holds_nul(request):
            # PostgreSQL stores no NUL, and a form need not name each of its hidden fields to the use case.
            exception = _invisible("U+0000")
        return refuse(request, exception) if isinstance(exception, PortalError) else None


def _refuse_hidden_characters(request: HttpRequest) -> None:
    """In the address. Keys of records are the organisation's own, so they may hold all that DynamoDB stores but NUL."""
    match = request.resolver_match
    of_records = match is not None and match.url_name in _WITH_KEYS_OF_RECORDS
    for text in (request.path_info, *chain.from_iterable((name, *given) for name, given in request.GET.lists())):
        hidden = "U+0000" if "\0" in text else "" if of_records else hidden_character(text)
        if hidden:
            raise _invisible(hidden)


def _holds_nul(request: HttpRequest) -> bool:
    return any("\0" in text for name, given in request.POST.lists() for text in (name, *given))


def _invisible(character: str) -> InvalidInput:
    return InvalidInput(f"There is a character that is invisible or cannot be stored, {character}. Remove it.")
