"""Refuses updates of key attributes. AWS refuses every update that names one, whatever the new value is.

The engine allows three of them: AttributeUpdates of an item that does not exist yet, Update in a transaction, and
PartiQL's UPDATE. Each would store an item under a key that differs from the item's own.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from emulator import engine

Answer = tuple[int, dict[str, str], bytes]

_CLAUSES = frozenset({"SET", "REMOVE", "ADD", "DELETE"})


def refuse_in_update_item() -> None:
    update: Callable[[dict[str, Any]], Answer] = engine.dynamodb._update_item

    def checked_update(data: dict[str, Any]) -> Answer:
        named = set(data.get("AttributeUpdates") or {})
        table = engine.dynamodb._tables.get(engine.dynamodb._normalize_table_name(data.get("TableName")))
        return _key_update_error(table, named) or update(data)

    engine.dynamodb._update_item = checked_update


def refuse_in_transactions() -> None:
    check: Callable[[str, Mapping[str, Any]], Answer | None] = engine.dynamodb._transact_write_action_error

    def checked_update(op_type: str, op: Mapping[str, Any]) -> Answer | None:
        return check(op_type, op) or (_transaction_update_error(op) if op_type == "Update" else None)

    engine.dynamodb._transact_write_action_error = checked_update


def refuse_in_statements() -> None:
    update: Callable[..., Answer] = engine.dynamodb._partiql_update

    def checked_update(table: dict[str, Any], parsed: Mapping[str, Any], data: object = None) -> Answer:
        paths = [parts for parts, _ in parsed.get("assignments") or []] + list(parsed.get("removes") or [])
        return _key_update_error(table, {parts[0] for parts in paths}) or update(table, parsed, data)

    engine.dynamodb._partiql_update = checked_update


def _transaction_update_error(op: Mapping[str, Any]) -> Answer | None:
    table = engine.dynamodb._tables.get(op.get("TableName"))
    names = op.get("ExpressionAttributeNames") or {}
    return _key_update_error(
        table, {names.get(name, name) for name in _written_names(op.get("UpdateExpression") or "")}
    )


def _written_names(expression: str) -> Iterator[str]:
    """The first name of each path that the expression writes: it follows a clause's keyword or a comma outside
    brackets.
    """
    depth, at_target = 0, False
    for kind, text in engine.dynamodb._tokenize(expression):
        depth += (kind == "LPAREN") - (kind == "RPAREN")
        if kind == "IDENT" and text.upper() in _CLAUSES:
            at_target = True
        elif kind == "COMMA":
            at_target = depth == 0
        elif kind in ("IDENT", "NAME_REF") and at_target:
            yield text
            at_target = False


def _key_update_error(table: dict[str, Any] | None, written: set[Any]) -> Answer | None:
    error: Answer | None = engine.dynamodb._key_attribute_update_error(table, written) if table else None
    return error
