"""Prepares a request for the engine: reads and checks its expressions, and puts programs in their place."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from emulator import engine
from emulator.expressions.errors import Fault, Invalid, older_words
from emulator.expressions.key_conditions import KeySchema
from emulator.expressions.requests import NOTHING, Parameters, Prepared, prepare
from emulator.expressions.value_checks import Unreadable
from emulator.rows.programs import ConditionProgram, KeyConditions, ProjectionProgram, UpdateProgram
from emulator.wire import AwsError

Data = dict[str, Any]
Table = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
Run = Callable[[Data], Answer]

_REPLACED = frozenset({
    "AttributeUpdates", "AttributesToGet", "ConditionExpression", "ConditionalOperator", "Expected",
    "ExpressionAttributeNames", "ExpressionAttributeValues", "FilterExpression", "KeyConditionExpression",
    "KeyConditions", "ProjectionExpression", "QueryFilter", "ScanFilter", "UpdateExpression",
})  # fmt: skip
_WITH_OLDER_WORDS = frozenset({"_batch_write_item", "_scan", "_transact_get_items", "_transact_write_items"})


def table_of(data: Mapping[str, Any]) -> Table | None:
    name = data.get("TableName")
    table: Table | None = engine.dynamodb._tables.get(engine.dynamodb._normalize_table_name(name)) if name else None
    return table


def schema_of(table: Table, index_name: str | None = None) -> KeySchema | None:
    """None if the table has no such index."""
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    own = [table["pk_name"], *([table["sk_name"]] if table["sk_name"] else [])]
    if not index_name:
        return KeySchema((own[0],), tuple(own[1:]), types, frozenset(own))
    index = engine.dynamodb._index_def(table, index_name)
    if index is None:
        return None
    partition, sort = engine.dynamodb._index_key_lists(index)
    return KeySchema(tuple(partition), tuple(sort), types, frozenset(own))


def with_programs(data: Data, prepared: Prepared) -> Data:
    """The request as the engine gets it, without names, values and legacy parameters."""
    if prepared is NOTHING:
        return data
    request = {name: value for name, value in data.items() if name not in _REPLACED}
    if prepared.condition is not None:
        request["ConditionExpression"] = ConditionProgram.of(prepared.condition)
    if prepared.filter is not None:
        request["FilterExpression"] = ConditionProgram.of(prepared.filter)
    if prepared.projection is not None:
        request["ProjectionExpression"] = ProjectionProgram.of(prepared.projection)
    if prepared.update is not None:
        is_legacy = "UpdateExpression" not in data
        request["UpdateExpression"] = UpdateProgram.of(prepared.update, is_legacy=is_legacy)
    if prepared.key_terms:
        request["KeyConditions"] = KeyConditions.of(prepared.key_terms)
    return request


def prepared_request(data: Data, parameters: Parameters, table: Table | None) -> tuple[Data, Prepared]:
    """Without a table, only what needs none is checked."""
    prepared = prepare(data, parameters, schema_of(table) if table is not None else None)
    return with_programs(data, prepared), prepared


def refusal(failure: Invalid, *, is_write: bool = False) -> Answer:
    """PutItem, UpdateItem and DeleteItem count what shows without a table as validation errors of the request."""
    text = str(failure)
    if is_write and failure.fault is not Fault.KEY and not text.startswith("1 validation"):
        text = f"1 validation error detected: {text}"
    answer: Answer = engine.dynamodb.error_response_json("ValidationException", text, 400)
    return answer


def require(data: Mapping[str, Any], member: str, path: str) -> None:
    if data.get(member) is None:
        constraint = "failed to satisfy constraint: Member must not be null"
        raise Invalid(f"1 validation error detected: Value null at '{path}' {constraint}")


def earlier_error(data: Data, return_values: frozenset[str] | None, *, is_write: bool = False) -> Answer | None:
    """The engine's refusal of a member that it checks before it reads expressions."""
    name = engine.dynamodb._normalize_table_name(data.get("TableName"))
    error: Answer | None = engine.dynamodb._validate_data_plane_table_name(
        name
    ) or engine.dynamodb._check_per_op_param_enums(data, return_values)
    if is_write and not error:
        error = engine.dynamodb._values_error_response(engine.dynamodb._request_values(data), envelope=True)
    return error


def wrap(name: str, wrapper: Callable[[Data, Run], Answer]) -> None:
    """Has the engine's function called through `wrapper`, which gets the request and the function."""
    run: Run = getattr(engine.dynamodb, name)

    def wrapped(data: Data) -> Answer:
        try:
            with older_words() if name in _WITH_OLDER_WORDS else nullcontext():
                return wrapper(data, run)
        except Unreadable as failure:
            raise AwsError("SerializationException", str(failure), coral=True) from failure

    setattr(engine.dynamodb, name, wrapped)
