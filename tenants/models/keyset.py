"""A part of a long list: the rows beyond the key of a row, found by an index, never by skipping rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

# A row's values in the columns of `Branch.key`.
Key = tuple[Any, ...]
_LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Branch:
    """Rows of a list and the one or two columns that order them, newest first unless `ascending`.

    A list may have several branches. Their keys mean the same and may be compared. With `by_keys` an index alone first
    finds the keys of the page. Otherwise PostgreSQL may follow the primary key, which takes long where all rows of the
    list are old. With `begins` only rows whose first column begins with it: a text in the order of its bytes.
    """

    rows: QuerySet[Any]
    key: tuple[str, ...]
    ascending: bool = False
    by_keys: bool = False
    begins: str = ""


def rows_beyond(edge: Key, branches: Sequence[Branch], *, most: int, backwards: bool = False) -> list[tuple[Key, Any]]:
    """At most `most` rows that follow `edge`, each with its key. () begins with the first row.

    With `backwards`, rows before `edge`, the nearest first; () begins with the last row. One query a branch. A row
    of two branches comes once.
    """
    read = (_read(branch, edge, most, backwards=backwards) for branch in branches)
    found = list({row.pk: (key, row) for rows in read for key, row in rows}.values())
    found.sort(key=lambda keyed: keyed[0], reverse=backwards == branches[0].ascending)
    return found[:most]


def rows_in_turn(edge: Key, branches: Sequence[Branch], *, most: int, backwards: bool = False) -> list[tuple[Key, Any]]:
    """The same for branches of which each begins where the one before it ends.

    A row's key begins with the number of its branch. At most one query a branch.
    """
    found: list[tuple[Key, Any]] = []
    for number in reversed(range(len(branches))) if backwards else range(len(branches)):
        if edge and (number > edge[0] if backwards else number < edge[0]):
            continue
        own = edge[1:] if edge and number == edge[0] else ()
        rows = rows_beyond(own, [branches[number]], most=most - len(found), backwards=backwards)
        found += [((number, *key), row) for key, row in rows]
        if len(found) == most:
            break
    return found


def count_rows(branches: Sequence[Branch], *, most: int) -> int:
    """How many rows the branches have together, `most` if more. They must not overlap. Reads no more than `most`."""
    counted = 0
    for branch in branches:
        rows = branch.rows.filter(_between(branch, (), goes_up=True)).order_by()
        counted += rows[: most - counted].count() if counted < most else 0
    return counted


def _read(branch: Branch, edge: Key, most: int, *, backwards: bool) -> Iterable[tuple[Key, Any]]:
    goes_up = backwards != branch.ascending
    rows = branch.rows.filter(_between(branch, edge, goes_up=goes_up))
    order = [f"{'' if goes_up else '-'}{name}" for name in branch.key]
    found = rows.order_by(*order)[:most]
    if branch.by_keys:
        found = branch.rows.filter(pk__in=found.values("pk")).order_by(*order)
    for row in found:
        yield tuple(getattr(row, name) for name in branch.key), row


def _between(branch: Branch, edge: Key, *, goes_up: bool) -> Q:
    """Beyond `edge`, and within what begins with `branch.begins`.

    The first column has one limit each way, the nearer one: of two, SQLite may begin to read at the farther one.
    """
    first, *second = branch.key
    limits = {}
    if branch.begins:
        limits = {"gte": branch.begins, "lte": f"{branch.begins}{_LAST_CHARACTER}"}
    if edge and second:
        # It adds nothing to the condition below, but without it SQLite does not use the index.
        side, nearer = ("gte", max) if goes_up else ("lte", min)
        limits[side] = nearer(edge[0], limits.get(side, edge[0]))
    within = Q(**{f"{first}__{side}": limit for side, limit in limits.items()})
    return within & _beyond(branch.key, edge, "gt" if goes_up else "lt") if edge else within


def _beyond(key: tuple[str, ...], edge: Key, than: str) -> Q:
    beyond = Q(**{f"{key[0]}__{than}": edge[0]})
    return beyond | Q(**{f"{key[1]}__{than}": edge[1]}) if len(key) > 1 else beyond
