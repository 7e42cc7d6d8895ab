"""Long lists, a page at a time, and the filters above them.

An address holds the key of the row at the page's edge, so it means the same page while rows are added.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest

from tenants.domain.errors import InvalidInput
from tenants.domain.texts import check_visible, trimmed
from tenants.models.keyset import Branch, Key, count_rows, rows_beyond, rows_in_turn

PAGE_SIZE = 50
MOST_SEARCHED_CHARACTERS = 254
# More are not counted: a list of a million rows says "more than 1,000".
MOST_COUNTED = 1_000
# An address of 254 characters, of four bytes each, in base64, with the numbers beside it.
_LONGEST_EDGE = 1_400
_MOST_DIGITS = 18
_MOMENTS = frozenset({"at", "created_at"})
_TEXTS = frozenset({"address", "folded_name"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EDGES = ("after", "before", "last", "row")
_MOST_ROW_DIGITS = 9
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
class Narrowing:
    """Something that narrows a list, in words; `without` is the address of the list without it."""

    label: str
    text: str
    without: str


@dataclass(frozen=True, slots=True)
class Page:
    """`first`, `previous`, `next` and `last` are addresses, "" where that page does not exist or is this one.

    A page without rows that is not the whole list has `first`: it is past the list's end.
    `starts_at` is the number of the first row, counted while somebody goes from page to page; 0 where nobody counted,
    as after `last`: to count the rows before a key would read them all. `total` is such as "312" or "more than 1,000",
    "" where the list is not counted.
    """

    rows: Sequence[Any]
    first: str
    previous: str
    next: str
    last: str
    starts_at: int = 0
    total: str = ""

    @property
    def counted(self) -> str:
        """Such as "1–50 of 312"; "" for a list of one page, and where nothing was counted."""
        if not (self.first or self.next) or not self.rows or not (self.starts_at or self.total):
            return ""
        ends_at = self.starts_at + len(self.rows) - 1
        here = f"{self.starts_at:,}–{ends_at:,}" if self.starts_at else str(len(self.rows))
        return f"{here} of {self.total}" if self.total else here


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


def narrowed_by(
    request: HttpRequest, choices: Sequence[FilterChoice], typed: Sequence[tuple[str, str, str]] = ()
) -> tuple[Narrowing, ...]:
    """What narrows the list. `typed` are (parameter, label, text); one without a text narrows nothing."""
    chosen = [(choice.name, choice.label, dict(choice.choices).get(choice.value, "")) for choice in choices]
    return tuple(
        Narrowing(label, text, _address(request, without=name)) for name, label, text in [*typed, *chosen] if text
    )


def read_page(
    branches: Sequence[Branch],
    request: HttpRequest,
    *,
    size: int = PAGE_SIZE,
    in_turn: bool = False,
    counted: bool = False,
) -> Page:
    """The page that the address asks for: `?after=KEY`, `?before=KEY`, `?last=1`, or the first.

    One query a branch; with `in_turn` each branch begins where the one before it ends. With `counted` the rows are
    counted, up to MOST_COUNTED. Raises InvalidInput for a key that no page of ours has given out.
    """
    after, before = _edge_param(request, "after"), _edge_param(request, "before")
    backwards = bool(before or request.GET.get("last"))
    edge = _parsed(after or before, branches[0].key, in_turn=in_turn)
    found = (rows_in_turn if in_turn else rows_beyond)(edge, branches, most=size + 1, backwards=backwards)
    more, kept = len(found) > size, found[:size]
    if backwards:
        kept.reverse()
    rows, keys = [row for _, row in kept], [key for key, _ in kept]
    older, newer = (bool(before), more) if backwards else (more, bool(after))
    starts_at = _starts_at(request, newer=newer)
    # The first page is shorter where somebody came to it backwards.
    next_at = starts_at + len(kept) if starts_at else 0
    return Page(
        rows=rows,
        first=_address(request) if newer or (edge and not rows) else "",
        previous=_address(request, before=_written(keys[0]), **_row(starts_at - size)) if newer and keys else "",
        next=_address(request, after=_written(keys[-1]), **_row(next_at)) if older and keys else "",
        last=_address(request, last="1") if older else "",
        starts_at=starts_at,
        total=_total(branches) if counted and keys and (newer or older) else "",
    )


def _total(branches: Sequence[Branch]) -> str:
    total = count_rows(branches, most=MOST_COUNTED + 1)
    return f"{total:,}" if total <= MOST_COUNTED else f"more than {MOST_COUNTED:,}"


def _edge_param(request: HttpRequest, name: str) -> str:
    text = request.GET.get(name, "")
    if len(text) > _LONGEST_EDGE:
        raise InvalidInput(_NO_PAGE)
    return text


def _starts_at(request: HttpRequest, *, newer: bool) -> int:
    """The number in the address; it is only shown. The newest page starts at 1, whatever the address says."""
    given = request.GET.get("row", "")
    if not newer:
        return 1
    return int(given) if given.isascii() and given.isdecimal() and len(given) <= _MOST_ROW_DIGITS else 0


def _row(number: int) -> dict[str, str]:
    return {"row": str(number)} if number > 1 else {}


def _written(key: Key) -> str:
    return ".".join(map(_part_written, key))


def _part_written(part: object) -> str:
    if isinstance(part, datetime):
        return str((part - _EPOCH) // _MICROSECOND)
    return urlsafe_b64encode(part.encode()).decode() if isinstance(part, str) else str(part)


def _parsed(text: str, columns: Sequence[str], *, in_turn: bool) -> Key:
    if not text:
        return ()
    parts, columns = text.split("."), ("branch", *columns) if in_turn else columns
    if len(parts) != len(columns):
        raise InvalidInput(_NO_PAGE)
    try:
        return tuple(_part_parsed(part, column) for part, column in zip(parts, columns, strict=True))
    except (ValueError, OverflowError) as error:
        raise InvalidInput(_NO_PAGE) from error


def _part_parsed(part: str, column: str) -> object:
    """Raises ValueError, OverflowError."""
    if column in _TEXTS:
        text = urlsafe_b64decode(part).decode()
        if "\0" in text:
            raise ValueError("PostgreSQL takes no NUL")
        return text
    if not (part.isascii() and part.isdecimal() and len(part) <= _MOST_DIGITS):
        raise ValueError("not a number")
    return _EPOCH + int(part) * _MICROSECOND if column in _MOMENTS else int(part)


def _address(request: HttpRequest, *, without: str = "", **edge: str) -> str:
    """Of another page of the same list: the search, the filters and the order stay, except the one named."""
    stays = {name: value for name, value in without_page(request.GET.dict()).items() if name != without}
    return f"{request.path}?{urlencode({**stays, **edge})}" if stays or edge else request.path


def without_page(given: Mapping[str, str]) -> dict[str, str]:
    """The parameters that search, filter and order the list, without those that name its page."""
    return {name: value for name, value in given.items() if name not in _EDGES and value}
