"""Reads which IAM actions, resources and condition keys a DynamoDB call needs. It reads as the call does.

The engine then runs the same object that was checked here. Follows the Service Authorization Reference and "Using IAM
policy conditions for fine-grained access control" in the DynamoDB Developer Guide. If the engine would refuse a key,
`dynamodb:LeadingKeys` is absent, as it is on AWS for a request without a key.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from emulator import engine
from emulator.access import partiql
from emulator.access.checks import Check
from emulator.access.dynamodb_tables import Table, leading_key_context, resolve_table
from emulator.access.service_model import operations_of
from emulator.expressions.errors import Invalid
from emulator.expressions.key_conditions import partition_value
from emulator.expressions.lexer import tokens_of
from emulator.expressions.parsing import LONGEST
from emulator.expressions.value_checks import Unreadable
from emulator.wire import AwsError

Data = Mapping[str, Any]

_EXPRESSIONS = (
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
)
_ATTRIBUTE_MAPS = ("Key", "Item", "Expected", "AttributeUpdates", "KeyConditions", "QueryFilter", "ScanFilter")
_LARGEST_TRANSACTION = 100
_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
_TABLE_OPERATIONS = frozenset({
    "CreateTable", "DeleteTable", "DescribeTable", "UpdateTable", "DescribeTimeToLive", "UpdateTimeToLive",
    "DescribeContinuousBackups", "UpdateContinuousBackups", "CreateBackup", "DescribeContributorInsights",
    "UpdateContributorInsights", "DescribeKinesisStreamingDestination", "EnableKinesisStreamingDestination",
    "DisableKinesisStreamingDestination", "UpdateKinesisStreamingDestination", "DescribeTableReplicaAutoScaling",
    "UpdateTableReplicaAutoScaling",
})  # fmt: skip
_RESTORE_OPERATIONS = frozenset({"ImportTable", "RestoreTableFromBackup", "RestoreTableToPointInTime"})
_ARN_MEMBERS = {
    "TagResource": "ResourceArn", "UntagResource": "ResourceArn", "ListTagsOfResource": "ResourceArn",
    "PutResourcePolicy": "ResourceArn", "GetResourcePolicy": "ResourceArn", "DeleteResourcePolicy": "ResourceArn",
    "ExportTableToPointInTime": "TableArn", "DescribeExport": "ExportArn", "DescribeBackup": "BackupArn",
    "DeleteBackup": "BackupArn", "DescribeImport": "ImportArn",
    "GetShardIterator": "StreamArn", "DescribeStream": "StreamArn",
}  # fmt: skip
# Named by the Service Authorization Reference, and not in botocore's model.
_BULK_OPERATIONS = frozenset({"StartBulkPutItems"})
# The engine would still read such a key in a transaction, and would read it differently.
_NO_KEY = "The provided key element does not match the schema"
_TRANSACTION_ACTIONS = {
    "ConditionCheck": "ConditionCheckItem", "Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem",
}  # fmt: skip


def is_operation(name: str) -> bool:
    """Whether DynamoDB has such an operation, served here or not."""
    return name in operations_of("dynamodb") or name in _BULK_OPERATIONS


def checks_for(operation: str, data: Data) -> list[Check]:
    """Returns every check of this call.

    Raises `AwsError`: ValidationException if the engine could not run the call either.
    """
    if reader := _DATA_OPERATIONS.get(operation):
        checks = list(reader(operation, data))
        if not checks:
            raise AwsError("ValidationException", "The request names no item and no table.")
        return checks
    if operation == "SearchVectors":
        table = resolve_table(data.get("TableName"))
        return [Check("dynamodb:SearchVectors", table.index_arn(data.get("IndexName")))]
    if operation in _BULK_OPERATIONS:
        return [Check(f"dynamodb:{operation}", resolve_table(data.get("TableName") or data.get("TableArn")).arn)]
    if operation in _TABLE_OPERATIONS:
        return [Check(f"dynamodb:{operation}", resolve_table(data.get("TableName")).arn)]
    if operation in _RESTORE_OPERATIONS:
        return [Check(f"dynamodb:{operation}", resolve_table(_restored_table_name(data)).arn)]
    if operation in _ARN_MEMBERS:
        return [Check(f"dynamodb:{operation}", _request_arn(data.get(_ARN_MEMBERS[operation])))]
    return [Check(f"dynamodb:{operation}", "*")]


def _request_arn(value: object) -> str:
    """The ARN as the caller wrote it; `*` if it is not an ARN or contains a wildcard."""
    return value if isinstance(value, str) and re.fullmatch(r"arn:aws:dynamodb:[^*?\s]+", value) else "*"


def _restored_table_name(data: Data) -> object:
    """The name of the table that an import or a restore would create."""
    return data.get("TargetTableName") or (data.get("TableCreationParameters") or {}).get("TableName")


def _one_item(operation: str, data: Data) -> Iterator[Check]:
    yield _item_check(operation, data)


def _item_check(operation: str, data: Data, enclosing: str | None = None) -> Check:
    table = resolve_table(data.get("TableName"))
    whole = operation == "PutItem"
    keys = table.leading_keys([data.get("Item" if whole else "Key")], whole_items=whole)
    context = {**leading_key_context(keys), **_attributes(data, table), **_capacity_context(data)}
    if operation == "GetItem":
        context["dynamodb:Select"] = _select(data)
    elif operation in _WRITES and enclosing is None:
        context["dynamodb:ReturnValues"] = _text(data.get("ReturnValues"), "NONE")
    if enclosing is not None:
        context["dynamodb:EnclosingOperation"] = enclosing
    flaw = _NO_KEY if enclosing and table.record and not keys else ""
    return Check(f"dynamodb:{operation}", table.arn, context, flaw)


def _query(operation: str, data: Data) -> Iterator[Check]:
    _refuse_mixed_key_conditions(data)
    table = resolve_table(data.get("TableName"))
    index = data.get("IndexName")
    keys = _query_keys(data, table, index)
    context = {
        **leading_key_context(keys),
        **_attributes(data, table),
        **_capacity_context(data),
        "dynamodb:Select": _select(data),
    }
    yield Check(f"dynamodb:{operation}", table.index_arn(index), context)


def _query_keys(data: Data, table: Table, index: object) -> list[str]:
    """The partition key value that the engine looks up. On an index this is the index's own key.

    Only the first attribute of an index key counts.
    """
    name = table.partition_key(index)
    if name is None:
        return []
    legacy = data.get("KeyConditions")
    if legacy:
        found = engine.dynamodb._extract_pk_from_key_conditions(_mapping(legacy), name)
    else:
        found = _key_of_expression(data, name)
    return [] if found is None else [_string(found)]


def _key_of_expression(data: Data, name: str) -> str | None:
    """Reads the expression as the Query does. If the Query will refuse it, the engine's own reading is good enough."""
    expression = _string(data.get("KeyConditionExpression") or "")[:LONGEST]
    values = _mapping(data.get("ExpressionAttributeValues") or {})
    names = _mapping(data.get("ExpressionAttributeNames") or {})
    try:
        value = partition_value(expression, names, values, name)
    except (Invalid, Unreadable):
        found: str | None = engine.dynamodb._extract_pk_from_condition(expression, values, names, name)
        return found
    return None if value is None else str(engine.dynamodb._extract_key_val(value))


def _refuse_mixed_key_conditions(data: Data) -> None:
    if data.get("KeyConditions") and data.get("KeyConditionExpression"):
        raise AwsError(
            "ValidationException",
            "Can not use both expression and non-expression parameters in the same request: "
            "Non-expression parameters: {KeyConditions} Expression parameters: {KeyConditionExpression}",
        )


def _scan(operation: str, data: Data) -> Iterator[Check]:
    table = resolve_table(data.get("TableName"))
    context = {**_attributes(data, table), **_capacity_context(data), "dynamodb:Select": _select(data)}
    yield Check(f"dynamodb:{operation}", table.index_arn(data.get("IndexName")), context)


def _batch_get(operation: str, data: Data) -> Iterator[Check]:
    for name, wanted in _mapping(data.get("RequestItems") or {}).items():
        table, part = resolve_table(name), _mapping(wanted)
        keys = _list(part.get("Keys") or [])
        named = _attributes({**part, "Key": _merge_items(keys)}, table)
        context = {
            **leading_key_context(table.leading_keys(keys)),
            **named,
            **_capacity_context(data),
            "dynamodb:Select": _select(part),
        }
        yield Check(f"dynamodb:{operation}", table.arn, context)


def _batch_write(operation: str, data: Data) -> Iterator[Check]:
    for name, requests in _mapping(data.get("RequestItems") or {}).items():
        table = resolve_table(name)
        puts, deletes = _puts_and_deletes(_list(requests))
        keys = table.leading_keys(puts, whole_items=True) + table.leading_keys(deletes)
        context = {
            **leading_key_context(keys),
            **_attributes({"Item": _merge_items([*puts, *deletes])}, table),
            **_capacity_context(data),
        }
        yield Check(f"dynamodb:{operation}", table.arn, context)


def _puts_and_deletes(requests: Sequence[object]) -> tuple[list[object], list[object]]:
    """The items to put and the keys to delete.

    The engine would run a PutRequest and ignore a DeleteRequest in the same member, so a member with both is refused.
    """
    puts: list[object] = []
    deletes: list[object] = []
    for member in map(_mapping, requests):
        if len(member) != 1:
            raise AwsError("ValidationException", "Supplied WriteRequest must contain exactly one request.")
        if "PutRequest" in member:
            puts.append(_mapping(member["PutRequest"]).get("Item"))
        elif "DeleteRequest" in member:
            deletes.append(_mapping(member["DeleteRequest"]).get("Key"))
        else:
            raise AwsError("ValidationException", "Supplied WriteRequest is neither a put nor a delete.")
    return puts, deletes


def _transact_get(operation: str, data: Data) -> Iterator[Check]:
    for member in _transaction(data):
        yield _item_check("GetItem", {**_single_request(member, ("Get",)), **_capacity_member(data)}, operation)


def _transact_write(operation: str, data: Data) -> Iterator[Check]:
    for member in _transaction(data):
        request = _single_request(member, tuple(_TRANSACTION_ACTIONS))
        action = _TRANSACTION_ACTIONS[next(iter(member))]
        yield _item_check(action, {**request, **_capacity_member(data)}, operation)


def _transaction(data: Data) -> list[Data]:
    """The members. Too many are refused here, before each is asked about."""
    members = _list(data.get("TransactItems") or [])
    if len(members) > _LARGEST_TRANSACTION:
        raise AwsError(
            "ValidationException",
            "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "
            f"Member must have length less than or equal to {_LARGEST_TRANSACTION}",
        )
    return [_mapping(member) for member in members]


def _single_request(member: Data, kinds: tuple[str, ...]) -> Data:
    """A member of a transaction must hold one request of a known kind. Of several, the engine would pick one itself."""
    if len(member) != 1 or next(iter(member)) not in kinds:
        raise AwsError("ValidationException", "TransactItems can only contain one of " + ", ".join(kinds) + " each.")
    return _mapping(next(iter(member.values())))


def _capacity_context(data: Data) -> dict[str, str | Sequence[str]]:
    given = data.get("ReturnConsumedCapacity")
    return {} if given is None else {"dynamodb:ReturnConsumedCapacity": _text(given, "NONE")}


def _capacity_member(data: Data) -> dict[str, object]:
    return {"ReturnConsumedCapacity": data["ReturnConsumedCapacity"]} if "ReturnConsumedCapacity" in data else {}


def _select(data: Data) -> str:
    if data.get("Select") is not None:
        return _text(data["Select"], "")
    if data.get("ProjectionExpression") or data.get("AttributesToGet"):
        return "SPECIFIC_ATTRIBUTES"
    return "ALL_PROJECTED_ATTRIBUTES" if data.get("IndexName") else "ALL_ATTRIBUTES"


def _attributes(data: Data, table: Table) -> dict[str, str | Sequence[str]]:
    """The top-level attributes that the request names, keys included."""
    aliases = _mapping(data.get("ExpressionAttributeNames") or {})
    named: dict[str, None] = {}
    for part in _ATTRIBUTE_MAPS:
        named.update(dict.fromkeys(_mapping(data.get(part) or {})))
    for part in _EXPRESSIONS:
        if expression := data.get(part):
            named.update(dict.fromkeys(_top_level_names(_string(expression), aliases)))
    named.update(dict.fromkeys(map(_string, _list(data.get("AttributesToGet") or []))))
    if not named:
        named.update(dict.fromkeys(table.key_names()))
    return {"dynamodb:Attributes": list(named)} if named else {}


def _top_level_names(expression: str, aliases: Data) -> Iterator[str]:
    """Reads no further than any expression that runs can reach, so that a long one costs nothing."""
    previous = ""
    for token, following in pairwise(tokens_of(expression[:LONGEST])):
        nested, previous = previous == ".", token.kind
        if nested:
            continue
        if token.kind == "alias":
            yield _string(aliases.get(token.text, token.text))
        elif token.kind == "word" and following.kind != "(":
            yield token.text


def _merge_items(items: Sequence[object]) -> dict[str, object]:
    return {name: value for item in items for name, value in _mapping(item or {}).items()}


def _text(value: object, default: str) -> str:
    return default if value is None else _string(value)


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise AwsError("SerializationException", "Unexpected value type: text was expected.")
    return value


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise AwsError("SerializationException", "Unexpected value type: an object was expected.")
    return value


def _list(value: object) -> Sequence[Any]:
    if not isinstance(value, list):
        raise AwsError("SerializationException", "Unexpected value type: a list was expected.")
    return value


_DATA_OPERATIONS: dict[str, Callable[[str, Data], Iterator[Check]]] = {
    "GetItem": _one_item,
    "PutItem": _one_item,
    "UpdateItem": _one_item,
    "DeleteItem": _one_item,
    "Query": _query,
    "Scan": _scan,
    "BatchGetItem": _batch_get,
    "BatchWriteItem": _batch_write,
    "TransactGetItems": _transact_get,
    "TransactWriteItems": _transact_write,
    "ExecuteStatement": partiql.statement_check,
    "BatchExecuteStatement": partiql.statement_checks_in("Statements"),
    "ExecuteTransaction": partiql.statement_checks_in("TransactStatements"),
}
