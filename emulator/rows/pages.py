"""The rows that a Query or Scan reads for one page, as its table or index stores them.

The engine filters with attributes that an index does not hold, and never fetches any from the table for a local index.
"""

from dataclasses import dataclass, field
from typing import Any

from emulator import engine
from emulator.expressions.capacity import Index
from emulator.expressions.sizes import item_size
from emulator.rows.preparation import schema_of

Table = dict[str, Any]
Items = list[dict[str, Any]]


@dataclass
class Page:
    """`entries` are what the index holds of the rows. With `fetches`, a local index gets the rest from the table."""

    fetches: bool = False
    entries: Items = field(default_factory=list)
    items: Items = field(default_factory=list)


# The engine runs one request at a time.
last = Page()


def apply() -> None:
    engine.dynamodb._paginate_evaluated_items = _paginate
    engine.dynamodb._apply_index_projection = _whole_item


def _paginate(items: Items, limit: int | None, table: Table, index_name: str | None = None) -> tuple[Items, bool]:
    """One page and whether it ends before the rows do. A page has 1 MB of what the table or index stores."""
    index, size = index_of(table, index_name), 0
    schema = schema_of(table, index_name) if index is not None else None
    last.items, last.entries = [], []
    for item in items:
        if schema is not None and not schema.fits(item):
            continue
        entry = item if index is None else dict(index.entry(item) or {})
        size += item_size(entry)
        if last.items and size > engine.dynamodb._DDB_PAGE_SIZE_BYTES:
            return _page(), True
        last.items.append(item)
        last.entries.append(entry)
        if len(last.items) == limit or size >= engine.dynamodb._DDB_PAGE_SIZE_BYTES:
            return _page(), True
    return _page(), False


def _page() -> Items:
    return last.items if last.fetches else last.entries


def indexes_of(table: Table) -> list[Index]:
    return [
        _index(table, index, is_global=is_global)
        for member, is_global in (("GlobalSecondaryIndexes", True), ("LocalSecondaryIndexes", False))
        for index in table.get(member) or ()
    ]


def index_of(table: Table, name: str | None) -> Index | None:
    return next((index for index in indexes_of(table) if index.name == name), None) if name else None


def _index(table: Table, index: dict[str, Any], *, is_global: bool) -> Index:
    keys = tuple(key["AttributeName"] for key in index["KeySchema"])
    projection = index.get("Projection") or {}
    if projection.get("ProjectionType", "ALL") == "ALL":
        return Index(index["IndexName"], is_global, keys, None)
    stored = {*keys, table["pk_name"], table["sk_name"], *(projection.get("NonKeyAttributes") or ())}
    return Index(index["IndexName"], is_global, keys, frozenset(name for name in stored if name))


def _whole_item(item: dict[str, Any], _table: Table, _index_name: str | None) -> dict[str, Any]:
    """The page already holds what the index does."""
    return item
