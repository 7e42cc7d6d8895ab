"""Speeds up a Query of a partition with many rows: the engine sees only the rows that its page can hold.

The engine sorts and tests every row of a partition for each page. Here the sort keys of a wide partition are kept in
order. The engine gets the rows between the request's bounds, a few more than one page, and still filters and limits
them itself. If a condition is not understood here, the engine gets all rows.
"""

import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from emulator import engine

Table = dict[str, Any]
# (sort value as the engine orders it, sort key as the engine stores it)
Ordered = list[tuple[Any, str]]

_WIDE = 100
_MAX_ORDERED = 256
# Rows that do not count towards a page: the start key, and rows equal to an exclusive bound.
_UNCOUNTED = 4
_LARGEST_ROW = 400 * 1024
_SMALL_PAGE = 1000


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Inclusive bounds of the sort value; None means no bound. With `prefix`, sort values must begin with it."""

    low: Any = None
    high: Any = None
    prefix: str | None = None


class _Tables(engine.responses.AccountRegionScopedDict):  # type: ignore[misc]
    """The engine's tables. During a Query, one of them may be replaced by a view with fewer rows."""

    __slots__ = ("view",)

    def get(self, key: object, default: Any = None) -> Any:
        view: Table | None = self.view
        return view if view is not None and view["TableName"] == key else super().get(key, default)


_ordered: dict[tuple[str, str], Ordered] = {}
_lock = threading.Lock()  # the engine deletes expired rows in another thread


def apply() -> None:
    tables, query = _Tables(), engine.dynamodb._query
    tables._data, tables.view = engine.dynamodb._tables._data, None

    def query_with_view(data: dict[str, Any]) -> Any:
        tables.view = _view(data)
        try:
            return query(data)
        finally:
            tables.view = None

    engine.dynamodb._tables, engine.dynamodb._query = tables, query_with_view


def row_added(table: Table, partition: str, sort: str, item: Mapping[str, Any]) -> None:
    """Call this only for a row that did not exist before."""
    with _lock:
        if (ordered := _ordered.get((table["TableId"], partition))) is not None:
            insort(ordered, (_value(table, item), sort))


def row_removed(table: Table, partition: str, sort: str, item: Mapping[str, Any]) -> None:
    with _lock:
        if (ordered := _ordered.get((table["TableId"], partition))) is not None:
            entry = _value(table, item), sort
            place = bisect_left(ordered, entry)
            if ordered[place : place + 1] == [entry]:
                del ordered[place]


def rows_replaced(table: Table) -> None:
    with _lock:
        for key in [key for key in _ordered if key[0] == table["TableId"]]:
            del _ordered[key]


def _view(data: Mapping[str, Any]) -> Table | None:
    """Returns the table with the rows that this page can hold, or None if the engine must see all rows."""
    try:
        table: Table | None = engine.dynamodb._tables.get(engine.dynamodb._normalize_table_name(data.get("TableName")))
        if table is None or not table["sk_name"] or data.get("IndexName"):
            return None
        partition = engine.dynamodb._extract_pk_from_key_conditions(data["KeyConditions"], table["pk_name"])
        rows = table["items"].get(partition) or {}
        bounds = _bounds(table, data) if len(rows) > _WIDE else None
        if bounds is None:
            return None
        return {**table, "items": {partition: _page(table, partition, rows, bounds, data)}}
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):  # the engine reports malformed requests
        return None


def _bounds(table: Table, data: Mapping[str, Any]) -> _Bounds | None:
    """Returns None if the engine must see all rows."""
    wanted = data["KeyConditions"].get(table["sk_name"])
    if wanted is None:
        return _Bounds()
    ends = [engine.dynamodb._sort_key_value(value, _type(table)) for value in wanted["AttributeValueList"]]
    match wanted["ComparisonOperator"]:
        case "BEGINS_WITH":
            return _Bounds(prefix=ends[0]) if isinstance(ends[0], str) else None
        case "BETWEEN":
            return _Bounds(ends[0], ends[1])
        case "EQ":
            return _Bounds(ends[0], ends[0])
        case "GT" | "GE":
            return _Bounds(low=ends[0])
        case _:
            return _Bounds(high=ends[0])


def _page(
    table: Table, partition: str, rows: Mapping[str, Any], bounds: _Bounds, data: Mapping[str, Any]
) -> dict[str, Any]:
    forward = data.get("ScanIndexForward", True) is not False
    with _lock:
        ordered = _ordered_keys(table, partition, rows)
        first, end = _range_of(ordered, bounds)
        if after := data.get("ExclusiveStartKey"):
            start = engine.dynamodb._sort_key_value(after[table["sk_name"]], _type(table))
            first = max(first, bisect_left(ordered, (start,))) if forward else first
            end = end if forward else min(end, bisect_right(ordered, start, key=_first))
        places = range(first, end) if forward else range(end - 1, first - 1, -1)
        limit = data.get("Limit")
        if limit is not None and 0 < limit <= _SMALL_PAGE:
            return {ordered[place][1]: rows[ordered[place][1]] for place in islice(places, limit + _UNCOUNTED)}
        return _page_by_size(ordered, places, rows)


def _page_by_size(ordered: Ordered, places: range, rows: Mapping[str, Any]) -> dict[str, Any]:
    limit, size, page = engine.dynamodb._DDB_PAGE_SIZE_BYTES + _UNCOUNTED * _LARGEST_ROW, 0, {}
    for place in places:
        sort = ordered[place][1]
        page[sort] = rows[sort]
        size += engine.dynamodb._item_size_bytes(rows[sort])
        if size > limit:
            break
    return page


def _ordered_keys(table: Table, partition: str, rows: Mapping[str, Any]) -> Ordered:
    key = table["TableId"], partition
    ordered = _ordered.get(key)
    if ordered is None:
        while len(_ordered) >= _MAX_ORDERED:
            del _ordered[next(iter(_ordered))]
        ordered = _ordered[key] = sorted((_value(table, item), sort) for sort, item in rows.items())
    return ordered


def _range_of(ordered: Ordered, bounds: _Bounds) -> tuple[int, int]:
    if bounds.prefix is not None:
        length = len(bounds.prefix)
        first = bisect_left(ordered, (bounds.prefix,))
        return first, bisect_right(ordered, bounds.prefix, first, key=lambda entry: entry[0][:length])
    first = 0 if bounds.low is None else bisect_left(ordered, (bounds.low,))
    return first, len(ordered) if bounds.high is None else bisect_right(ordered, bounds.high, key=_first)


def _first(entry: tuple[Any, str]) -> Any:
    return entry[0]


def _value(table: Table, item: Mapping[str, Any]) -> Any:
    return engine.dynamodb._sort_key_value(item.get(table["sk_name"]), _type(table))


def _type(table: Table) -> str:
    return str(engine.dynamodb._get_attr_type(table, table["sk_name"]))
