"""Every write of a row, told to whoever has to know: what keeps the state, and what keeps wide partitions in order."""

from typing import Any

from emulator import engine
from emulator.rows import wide_partitions
from emulator.state.changes import noted

Table = dict[str, Any]


def apply() -> None:
    """Wraps the three functions of the engine through which all of its operations change rows."""
    set_item, remove_item = engine.dynamodb._set_item, engine.dynamodb._remove_item
    items_replaced = engine.dynamodb._items_replaced

    def setting(table: Table, pk_val: str, sk_val: str, item: dict[str, Any]) -> Any:
        noted.row(table, pk_val, sk_val)
        before = set_item(table, pk_val, sk_val, item)
        if before is None:
            wide_partitions.row_added(table, pk_val, sk_val, item)
        return before

    def removing(table: Table, pk_val: str, sk_val: str) -> Any:
        noted.row(table, pk_val, sk_val)
        before = remove_item(table, pk_val, sk_val)
        if before is not None:
            wide_partitions.row_removed(table, pk_val, sk_val, before)
        return before

    def replacing(table: Table) -> None:
        noted.all_rows(table)
        wide_partitions.rows_replaced(table)
        items_replaced(table)

    engine.dynamodb._set_item, engine.dynamodb._remove_item = setting, removing
    engine.dynamodb._items_replaced = replacing
