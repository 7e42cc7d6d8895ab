"""Refuses values that are too long for a key attribute of an index. The engine checks the keys of tables only."""

from collections.abc import Callable
from typing import Any

from emulator import engine
from emulator.expressions.sizes import value_size
from emulator.expressions.values import Item
from emulator.rows.pages import Table, indexes_of
from emulator.rows.preparation import schema_of

Reason = Callable[..., str | None]


def apply() -> None:
    check: Reason = engine.dynamodb._index_key_empty_reason

    def checked_keys(table: Table, item: dict[str, Any], update_expr: bool = False) -> str | None:
        return check(table, item, update_expr) or _too_long(table, item)

    engine.dynamodb._index_key_empty_reason = checked_keys


def _too_long(table: Table, item: Item) -> str | None:
    for index in indexes_of(table):
        schema = schema_of(table, index.name)
        if schema is None:
            continue
        for word, keys, limit in schema.limits:
            if sum(value_size(item[key]) for key in keys if key in item) > limit:
                return (
                    f"One or more parameter values were invalid: Aggregated size of all {word} keys has exceeded the "
                    f"size limit of {limit} bytes"
                )
    return None
