"""Reports every write of a row to the saved state and to the order of wide partitions."""

from typing import Any

from emulator import engine
from emulator.expressions.values import order_sets
from emulator.rows import wide_partitions
from emulator.state.changes import tracker

Table = dict[str, Any]


def apply() -> None:
    """Wraps the engine's three functions that change rows. All operations use them."""
    set_item, remove_item = engine.dynamodb._set_item, engine.dynamodb._remove_item
    items_replaced = engine.dynamodb._items_replaced

    def set_and_report(table: Table, pk_val: str, sk_val: str, item: dict[str, Any]) -> Any:
        for value in item.values():
            order_sets(value)
        tracker.row_changed(table, pk_val, sk_val)
        before = set_item(table, pk_val, sk_val, item)
        if before is None:
            wide_partitions.row_added(table, pk_val, sk_val, item)
        return before

    def remove_and_report(table: Table, pk_val: str, sk_val: str) -> Any:
        tracker.row_changed(table, pk_val, sk_val)
        before = remove_item(table, pk_val, sk_val)
        if before is not None:
            wide_partitions.row_removed(table, pk_val, sk_val, before)
        return before

    def replace_and_report(table: Table) -> None:
        tracker.table_replaced(table)
        wide_partitions.rows_replaced(table)
        items_replaced(table)

    engine.dynamodb._set_item, engine.dynamodb._remove_item = set_and_report, remove_and_report
    engine.dynamodb._items_replaced = replace_and_report
