"""A part of a long list: the rows beyond the key of a row, found by an index, never by counting or skipping rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

# A row's values in the columns of `Branch.key`.
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """Rows of a list and the one or two columns that order them, newest first.

    A list may have several branches. Their keys mean the same and may be compared.
    """

    rows: QuerySet[Any]
    key: tuple[str, ...]


def rows_beyond(edge: Key, branches: Sequence[Branch], *, most: int, backwards: bool = False) -> list[tuple[Key, Any]]:
    """At most `most` rows older than `edge`, the newest first, each with its key. () begins with the newest row.

    With `backwards`, rows newer than `edge`, the oldest first; () begins with the oldest row. One query a branch. A row
    of two branches comes once.
    """
    read = (_read(branch, edge, most, backwards=backwards) for branch in branches)
    found = list({row.pk: (key, row) for rows in read for key, row in rows}.values())
    found.sort(key=lambda keyed: keyed[0], reverse=not backwards)
    return found[:most]


def _read(branch: Branch, edge: Key, most: int, *, backwards: bool) -> Iterable[tuple[Key, Any]]:
    rows, sign = branch.rows, "" if backwards else "-"
    if edge:
        rows = rows.filter(_beyond(branch.key, edge, "gt" if backwards else "lt"))
    for row in rows.order_by(*(f"{sign}{name}" for name in branch.key))[:most]:
        yield tuple(getattr(row, name) for name in branch.key), row


def _beyond(key: tuple[str, ...], edge: Key, than: str) -> Q:
    if len(key) == 1:
        return Q(**{f"{key[0]}__{than}": edge[0]})
    (first, second), (x, y) = key, edge
    # The condition on the first column alone adds nothing, but without it SQLite does not use the index.
    return Q(**{f"{first}__{than}e": x}) & (Q(**{f"{first}__{than}": x}) | Q(**{f"{second}__{than}": y}))
