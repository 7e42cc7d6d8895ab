"""Refuses UPDATE statements that name a key attribute, whatever its new value is. The engine would store an item
under a key that differs from the item's own.
"""

from collections.abc import Callable, Mapping
from typing import Any

from emulator import engine

Answer = tuple[int, dict[str, str], bytes]


def refuse_in_statements() -> None:
    update: Callable[..., Answer] = engine.dynamodb._partiql_update

    def checked_update(table: dict[str, Any], parsed: Mapping[str, Any], data: object = None) -> Answer:
        paths = [parts for parts, _ in parsed.get("assignments") or []] + list(parsed.get("removes") or [])
        return _key_update_error(table, {parts[0] for parts in paths}) or update(table, parsed, data)

    engine.dynamodb._partiql_update = checked_update


def _key_update_error(table: dict[str, Any] | None, written: set[Any]) -> Answer | None:
    error: Answer | None = engine.dynamodb._key_attribute_update_error(table, written) if table else None
    return error
