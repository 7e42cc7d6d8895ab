"""The columns that a person chose for a collection, kept in their session until they sign out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.http import HttpRequest, HttpResponse
from django.http.request import QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from tenants.domain.errors import InvalidInput
from tenants.domain.keys import PUBLIC_SPACE, Space
from tenants.domain.record_query import MOST_COLUMNS, checked_columns
from tenants.records.wiring import records
from tenants.sign_in.access import members_only, signed_in, signed_in_only

# A session is read with every request, so it stays small.
MOST_COLLECTIONS = 20
MOST_REMEMBERED_BYTES = 500
_IN_SESSION = "record_columns"
# Of a column without a number: behind all that have one.
_LAST_PLACE = 100_000


@members_only
@require_POST
def columns(request: HttpRequest, collection: str) -> HttpResponse:
    return _choose(request, signed_in(request).space, collection, "collection")


@signed_in_only
@require_POST
def public_columns(request: HttpRequest, collection: str) -> HttpResponse:
    return _choose(request, PUBLIC_SPACE, collection, "public_collection")


def remembered_columns(request: HttpRequest, space: Space, collection: str) -> Sequence[str]:
    kept: Mapping[str, Sequence[str]] = request.session.get(_IN_SESSION, {})
    return tuple(kept.get(_place(space, collection), ()))


def _choose(request: HttpRequest, space: Space, collection: str, collection_view: str) -> HttpResponse:
    """Leads back to the list as it was, with the columns in its address."""
    chosen = checked_columns(_in_order(request.POST))
    if set(chosen) & {*records().keys}:
        raise InvalidInput("The key is always the first column.", field="more")
    _remember(request, _place(space, collection), chosen)
    state = [(name, value) for name, values in QueryDict(request.POST.get("state", "")).lists() for value in values]
    asked = [(name, value) for name, value in state if name != "c"] + [("c", name) for name in chosen]
    here = reverse(collection_view, args=[collection])
    return redirect(f"{here}?{urlencode(asked)}" if asked else here)


def _in_order(form: QueryDict) -> Sequence[str]:
    """`name` and `at` are one of each for every column offered, `show` those that are ticked."""
    ticked = set(form.getlist("show"))
    offered = list(zip(form.getlist("at"), form.getlist("name"), strict=False))[: 10 * MOST_COLUMNS]
    shown = sorted(((_place_number(at), name) for at, name in offered if name in ticked), key=lambda pair: pair[0])
    return [*(name for _, name in shown), form.get("more", "").strip()]


def _place_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else _LAST_PLACE


def _remember(request: HttpRequest, place: str, columns: Sequence[str]) -> None:
    kept = {name: names for name, names in request.session.get(_IN_SESSION, {}).items() if name != place}
    if columns and sum(len(name.encode()) for name in (place, *columns)) <= MOST_REMEMBERED_BYTES:
        kept[place] = list(columns)
    request.session[_IN_SESSION] = dict(list(kept.items())[-MOST_COLLECTIONS:])


def _place(space: Space, collection: str) -> str:
    return space.collection(collection)
