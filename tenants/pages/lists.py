"""Long lists, a page at a time, and the filters above them.

An address holds the key of the row at the page's edge, so it means the same page while rows are added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest

from tenants.domain.errors import InvalidInput
from tenants.domain.texts import check_visible, trimmed
from tenants.models.keyset import Branch, Key, rows_beyond

PAGE_SIZE = 50
MOST_SEARCHED_CHARACTERS = 254
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EDGES = ("after", "before", "last")
_NO_PAGE = "This address does not belong to a page of this list. Go back to the first page."


@dataclass(frozen=True, slots=True)
class Filter:
    """A choice above a list. `apply` gets the rows and a value out of `choices`, which are (value, label)."""

    name: str
    label: str
    choices: tuple[tuple[str, str], ...]
    apply: Callable[[QuerySet[Any], str], QuerySet[Any]]


@dataclass(frozen=True, slots=True)
class FilterChoice:
    """A filter and its value in the address, "" for none, as the form above the list shows it."""

    name: str
    label: str
    choices: tuple[tuple[str, str], ...]
    value: str


@dataclass(frozen=True, slots=True)
class Page:
    """`first`, `previous`, `next` and `last` are addresses, "" where that page does not exist or is this one."""

    rows: Sequence[Any]
    first: str
    previous: str
    next: str
    last: str


def query_param(request: HttpRequest, name: str) -> str:
    """A parameter of the address, without spaces around it. Raises InvalidInput if too long or partly invisible."""
    text = trimmed(request.GET.get(name, ""))
    if len(text) > MOST_SEARCHED_CHARACTERS:
        raise InvalidInput(f"Search for at most {MOST_SEARCHED_CHARACTERS} characters.")
    check_visible(text, name)
    return text


def read_choices(request: HttpRequest, filters: Sequence[Filter]) -> tuple[FilterChoice, ...]:
    """Raises InvalidInput for a value that is not among the choices."""
    choices = []
    for filter_ in filters:
        value = query_param(request, filter_.name)
        if value and value not in dict(filter_.choices):
            raise InvalidInput(f"Unknown {filter_.label.lower()} “{value}”. Choose one from the list.")
        choices.append(FilterChoice(filter_.name, filter_.label, filter_.choices, value))
    return tuple(choices)


def apply_filters(rows: QuerySet[Any], filters: Sequence[Filter], choices: Sequence[FilterChoice]) -> QuerySet[Any]:
    for filter_, choice in zip(filters, choices, strict=True):
        if choice.value:
            rows = filter_.apply(rows, choice.value)
    return rows


def read_page(branches: Sequence[Branch], request: HttpRequest, *, size: int = PAGE_SIZE) -> Page:
    """The page that the address asks for: `?after=KEY`, `?before=KEY`, `?last=1`, or the first.

    One query a branch. Raises InvalidInput for a key that no page of ours has given out.
    """
    after, before = query_param(request, "after"), query_param(request, "before")
    backwards = bool(before or request.GET.get("last"))
    edge = _parsed(after or before, len(branches[0].key))
    found = rows_beyond(edge, branches, most=size + 1, backwards=backwards)
    more, kept = len(found) > size, found[:size]
    if backwards:
        kept.reverse()
    rows, keys = [row for _, row in kept], [key for key, _ in kept]
    older, newer = (bool(before), more) if backwards else (more, bool(after))
    return Page(
        rows=rows,
        first=_address(request) if newer else "",
        previous=_address(request, before=_written(keys[0])) if newer and keys else "",
        next=_address(request, after=_written(keys[-1])) if older and keys else "",
        last=_address(request, last="1") if older else "",
    )


def _written(key: Key) -> str:
    return ".".join(str((part - _EPOCH) // _MICROSECOND if isinstance(part, datetime) else part) for part in key)


def _parsed(text: str, length: int) -> Key:
    if not text:
        return ()
    parts = text.split(".")
    if len(parts) != length or not all(part.isascii() and part.isdecimal() and len(part) <= 18 for part in parts):
        raise InvalidInput(_NO_PAGE)
    numbers = [int(part) for part in parts]
    if length == 1:
        return tuple(numbers)
    try:
        return _EPOCH + numbers[0] * _MICROSECOND, numbers[1]
    except OverflowError as error:
        raise InvalidInput(_NO_PAGE) from error


def _address(request: HttpRequest, **edge: str) -> str:
    """Of another page of the same list: the search and the filters stay."""
    stays = {name: value for name, value in request.GET.items() if name not in _EDGES and value}
    return f"{request.path}?{urlencode({**stays, **edge})}" if stays or edge else request.path


def without_page(given: Mapping[str, str]) -> dict[str, str]:
    """The parameters that search and filter the list, without those that name its page."""
    return {name: value for name, value in given.items() if name not in _EDGES and value}
