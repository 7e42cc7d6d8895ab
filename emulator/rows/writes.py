"""PutItem, UpdateItem, DeleteItem and TransactWriteItems: everything is checked before anything is written."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from emulator import engine
from emulator.expressions.capacity import size_or_zero
from emulator.expressions.errors import Invalid
from emulator.expressions.placeholders import attribute_name_error, check_attribute_names
from emulator.expressions.requests import UPDATE, WRITE, Prepared
from emulator.expressions.sizes import LARGEST_ITEM, surely_exceeds
from emulator.expressions.updates import creates_item
from emulator.expressions.value_checks import SEVERAL, normal_item
from emulator.rows.preparation import (
    Answer,
    Data,
    Run,
    Table,
    earlier_error,
    prepared_request,
    refusal,
    require,
    table_of,
    wrap,
)
from emulator.rows.programs import ConditionProgram, UpdateProgram

_LARGEST_BATCH = 25
_LARGEST_TRANSACTION = 4 * 1024 * 1024
_TRANSACTION_TOO_LARGE = "Transaction request size cannot exceed 4 MB"
_TOO_LARGE = "Item size has exceeded the maximum allowed size"
_OLD_ONLY = frozenset({"NONE", "ALL_OLD"})
_ALL_VALUES = frozenset({"NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"})


def apply() -> None:
    delete: Run = engine.dynamodb._delete_item
    engine.dynamodb._DDB_TXN_MAX_BYTES = sys.maxsize  # it counts the bytes of the JSON
    engine.dynamodb._nesting_level = _level_of
    wrap("_put_item", _put_item)
    wrap("_delete_item", _delete_item)
    wrap("_update_item", lambda data, run: _update_item(data, run, delete))
    wrap("_batch_write_item", _batch_write_item)
    wrap("_transact_write_items", _transact_write_items)
    engine.dynamodb._transact_write_action_error = _no_action_error
    cancel: Callable[[int, Mapping[int, str]], Answer] = engine.dynamodb._transact_validation_cancel_response

    def cancel_for_first(total: int, val_reasons: Mapping[int, str]) -> Answer:
        place = min(val_reasons)
        return cancel(total, {place: val_reasons[place]})

    engine.dynamodb._transact_validation_cancel_response = cancel_for_first
    _word_return_values()


def _level_of(value: Any, depth: int = 1) -> int:
    """The level of the deepest leaf. The engine's own function calls itself for each leaf."""
    inner = [value]
    while inner := [part for outer in inner for part in _parts(outer)]:
        depth += 1
    return depth


def _parts(value: Any) -> Iterable[Any]:
    if not isinstance(value, dict) or len(value) != 1:
        return ()
    ((kind, content),) = value.items()
    if kind == "L" and isinstance(content, list):
        return content
    return content.values() if kind == "M" and isinstance(content, dict) else ()


def _word_return_values() -> None:
    """Single writes do not name an unknown ReturnValues. UpdateItem reports it alone. UPDATE_NEW is AWS's spelling."""
    check_enums: Callable[..., Answer | None] = engine.dynamodb._check_per_op_param_enums

    def check(data: Data, allowed: frozenset[str] | None, **more: bool) -> Answer | None:
        given = data.get("ReturnValues")
        if allowed is None or given is None or given in allowed:
            return check_enums(data, allowed, **more)
        if given in _ALL_VALUES:
            return refusal(Invalid("ReturnValues can only be ALL_OLD or NONE"), is_write=True)
        constraint = "Member must satisfy enum value set: [ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]"
        text = f"Failed to satisfy constraint: {constraint}"
        others = None if allowed == _ALL_VALUES else check_enums({**data, "ReturnValues": None}, allowed, **more)
        if others is None:
            return refusal(Invalid(text), is_write=True)
        count, _, rest = json.loads(others[2])["message"].partition(" ")
        listed = rest.partition(" detected: ")[2]
        return refusal(Invalid(f"{int(count) + 1} validation errors detected: {listed}; {text}"))

    engine.dynamodb._check_per_op_param_enums = check


def _put_item(data: Data, run: Run) -> Answer:
    try:
        require(data, "Item", "item")
        if surely_exceeds(data["Item"].values(), LARGEST_ITEM):
            return earlier_error(data, _OLD_ONLY) or refusal(Invalid(_TOO_LARGE))
        check_attribute_names(data["Item"])
        check_failure_values(data, "returnValuesOnConditionCheckFailure")
        request, _ = prepared_request(data, WRITE, table_of(data))
    except Invalid as failure:
        return earlier_error(data, _OLD_ONLY, is_write=True) or refusal(failure, is_write=True)
    return run(request)


def _delete_item(data: Data, run: Run) -> Answer:
    try:
        check_failure_values(data, "returnValuesOnConditionCheckFailure")
        request, _ = prepared_request(data, WRITE, table_of(data))
    except Invalid as failure:
        return earlier_error(data, _OLD_ONLY, is_write=True) or refusal(failure, is_write=True)
    return run(request)


def _update_item(data: Data, run: Run, delete: Run) -> Answer:
    table = table_of(data)
    try:
        check_failure_values(data, "returnValuesOnConditionCheckFailure")
        request, prepared = prepared_request(data, UPDATE, table)
    except Invalid as failure:
        return earlier_error(data, _ALL_VALUES, is_write=True) or refusal(failure, is_write=True)
    if table is not None and _leaves_no_item(prepared, table, data):
        return delete(_as_deletion(request))
    return _without_empty_attributes(run(request))


def _without_empty_attributes(answer: Answer) -> Answer:
    """The engine answers with empty Attributes where nothing was replaced."""
    status, headers, body = answer
    if b'"Attributes": {}' not in body:
        return answer
    content = json.loads(body)
    if content.get("Attributes") == {}:
        del content["Attributes"]
    reply: Answer = engine.dynamodb.json_response(content)
    return reply if status == 200 else (status, headers, body)


def _leaves_no_item(prepared: Prepared, table: Table, data: Data) -> bool:
    """Whether there is no item, and the update only removes what no item has."""
    update = prepared.update
    if update is None or creates_item(update) or _names_key(prepared, table):
        return False
    _, _, error = engine.dynamodb._resolve_table_key_values(table, data.get("Key"), allow_extra=False)
    return not error and not engine.dynamodb._get_item_by_key(table, data["Key"])


def _as_deletion(request: Data) -> Data:
    """An update that makes no item tests its condition, and costs what deleting no item costs."""
    return {name: value for name, value in request.items() if name not in ("UpdateExpression", "ReturnValues")}


def _names_key(prepared: Prepared, table: Table) -> bool:
    heads = {action.path.parts[0] for action in prepared.update.actions} if prepared.update else set()
    return not heads.isdisjoint((table["pk_name"], table["sk_name"]))


def check_failure_values(data: Data, member: str) -> None:
    given = data.get("ReturnValuesOnConditionCheckFailure")
    if given is not None and given not in ("ALL_OLD", "NONE"):
        raise Invalid(
            f"1 validation error detected: Value '{given}' at '{member}' failed to satisfy constraint: "
            "Member must satisfy enum value set: [ALL_OLD, NONE]"
        )


# ── Batches and transactions ────────────────────────────────────────────────────────────────────────────────────────


def _batch_write_item(data: Data, run: Run) -> Answer:
    tables = data.get("RequestItems")
    if not isinstance(tables, dict):
        return run(data)
    puts = [member.get("PutRequest") or {} for members in tables.values() for member in members]
    if len(puts) <= _LARGEST_BATCH and any(
        surely_exceeds((put.get("Item") or {}).values(), LARGEST_ITEM) for put in puts
    ):
        return refusal(Invalid(_TOO_LARGE))
    try:
        for name, members in tables.items():
            for place, member in enumerate(members, 1):
                _check_member(member, f"requestItems.{name}.member.{place}.member")
    except Invalid as failure:
        return engine.dynamodb._batch_members_error(data, tables, write=True) or refusal(failure)
    return run(data)


def _check_member(member: Mapping[str, Any], path: str) -> None:
    if len(member) != 1:
        raise Invalid(SEVERAL)
    if "PutRequest" in member:
        require(member["PutRequest"], "Item", f"{path}.putRequest.item")
        check_attribute_names(member["PutRequest"]["Item"])
    else:
        require(member["DeleteRequest"], "Key", f"{path}.deleteRequest.key")


def _transact_write_items(data: Data, run: Run) -> Answer:
    members = data.get("TransactItems")
    if not isinstance(members, list) or len(members) > engine.dynamodb._DDB_TXN_WRITE_MAX_ITEMS:
        return run(data)
    if surely_exceeds(_values_to_put(members), _LARGEST_TRANSACTION):
        return refusal(Invalid(_TRANSACTION_TOO_LARGE))
    prepared, failure = [], None
    for place, member in enumerate(members, 1):
        op_type, op = engine.dynamodb._extract_transact_op(member)
        if not isinstance(op, dict):
            prepared.append(member)
            continue
        try:
            path = f"transactItems.{place}.member.{op_type[0].lower()}{op_type[1:]}"
            prepared.append({op_type: _prepared_action(op_type, op, path)})
        except Invalid as found:
            failure = refusal(found)
            break
    if failure is not None:
        return _earlier_error(data, members) or failure
    if sum(size_or_zero(member.get("Put", {}).get("Item")) for member in members) > _LARGEST_TRANSACTION:
        return refusal(Invalid(_TRANSACTION_TOO_LARGE))
    return run({**data, "TransactItems": prepared})


def _values_to_put(members: Iterable[Any]) -> Iterator[Any]:
    for member in members:
        item = (member.get("Put") or {}).get("Item") if isinstance(member, dict) else None
        yield from item.values() if isinstance(item, dict) else ()


def _earlier_error(data: Data, members: list[Any]) -> Answer | None:
    error: Answer | None = engine.dynamodb._transact_write_members_error(data, members)
    return error


def _prepared_action(op_type: str, op: Data, path: str) -> Data:
    """Keeps the texts, names and values, by which the engine recognises a repeated request."""
    _check_complete(op_type, op, path)
    check_failure_values(op, f"{path}.returnValuesOnConditionCheckFailure")
    table = table_of(op)
    _, prepared = prepared_request(op, UPDATE if op_type == "Update" else WRITE, table)
    _check_action_values(op)
    action = {**op, "Key": normal_item(op["Key"])} if "Key" in op else dict(op)
    if prepared.condition is not None:
        action["ConditionExpression"] = ConditionProgram.of(prepared.condition, op["ConditionExpression"])
    if prepared.update is not None:
        if table is not None and _names_key(prepared, table):
            raise _key_update(prepared, table)
        action["UpdateExpression"] = UpdateProgram.of(prepared.update, op["UpdateExpression"])
    return action


def _key_update(prepared: Prepared, table: Table) -> Invalid:
    assert prepared.update is not None  # noqa: S101 - the caller has looked
    keys = (table["pk_name"], table["sk_name"])
    name = next(action.path.parts[0] for action in prepared.update.actions if action.path.parts[0] in keys)
    return Invalid(
        f"One or more parameter values were invalid: Cannot update attribute {name}. This attribute is part of the key"
    )


def _check_complete(op_type: str, op: Data, path: str) -> None:
    required = ["Item"] if op_type == "Put" else ["Key"]
    required += {"Update": ["UpdateExpression"], "ConditionCheck": ["ConditionExpression"]}.get(op_type, [])
    for member in required:
        require(op, member, f"{path}.{member[0].lower()}{member[1:]}")


def _check_action_values(op: Data) -> None:
    for container in (op.get("Item"), op.get("Key")):
        if not isinstance(container, Mapping):
            continue
        for name, value in container.items():
            error = attribute_name_error(name) or engine.dynamodb._attribute_value_error(value)
            if error:
                raise Invalid(error)
            if engine.dynamodb._nesting_exceeded(value):
                raise Invalid(engine.dynamodb._NESTING_MSG)


def _no_action_error(op_type: str | None, op: object) -> None:
    """The actions were checked before."""
