"""Refuses a transaction that lacks the item or key of an action. The engine applies the actions before it finds out."""

from collections.abc import Callable, Mapping

from emulator import engine

Answer = tuple[int, dict[str, str], bytes]
ActionCheck = Callable[[str | None, Mapping[str, object]], Answer | None]


def refuse_incomplete_actions() -> None:
    check: ActionCheck = engine.dynamodb._transact_write_action_error

    def checked_action(op_type: str | None, op: Mapping[str, object]) -> Answer | None:
        return _missing_member_error(op_type, op) or check(op_type, op)

    engine.dynamodb._transact_write_action_error = checked_action


def _missing_member_error(op_type: str | None, op: Mapping[str, object]) -> Answer | None:
    member = "Item" if op_type == "Put" else "Key"
    if op_type is None or member in op:
        return None
    constraint = "failed to satisfy constraint: Member must not be null"
    text = f"1 validation error detected: Value null at '{op_type}.{member}' {constraint}"
    answer: Answer = engine.dynamodb.error_response_json("ValidationException", text, 400)
    return answer
