"""What a PartiQL statement touches, read with the engine's own parser. A statement it cannot parse is never run.

Follows "IAM security policies with PartiQL for DynamoDB". Leading keys are those a conjunctive WHERE pins by `=` or
`IN`; a SELECT that pins none is a full table scan.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from emulator import engine
from emulator.access.checks import Check
from emulator.access.dynamodb_tables import Table, table_called
from emulator.wire import AwsError

_ACTIONS = {
    "SELECT": "PartiQLSelect",
    "EXISTS": "PartiQLSelect",
    "INSERT": "PartiQLInsert",
    "UPDATE": "PartiQLUpdate",
    "DELETE": "PartiQLDelete",
}


def one_statement(operation: str, data: Mapping[str, Any]) -> Iterator[Check]:
    enclosing = operation if operation == "ExecuteTransaction" else None
    yield _check(data, enclosing)


def statements_of(member: str) -> Callable[[str, Mapping[str, Any]], Iterator[Check]]:
    """For operations whose statements are a list in `member`."""

    def each(operation: str, data: Mapping[str, Any]) -> Iterator[Check]:
        statements = data.get(member)
        if not isinstance(statements, list) or not all(isinstance(entry, dict) for entry in statements):
            raise AwsError("SerializationException", f"{member} is not a list of statements.")
        for entry in statements:
            yield from one_statement(operation, entry)

    return each


def _check(entry: Mapping[str, Any], enclosing: str | None) -> Check:
    statement = _parsed(entry)
    action = f"dynamodb:{_ACTIONS[statement['op']]}"
    target = statement["select"] if statement["op"] == "EXISTS" else statement
    table = table_called(target["table"])
    keys = _leading_keys(target, table)
    context: dict[str, str | list[str]] = {"dynamodb:LeadingKeys": keys} if keys else {}
    if action == "dynamodb:PartiQLSelect":
        context["dynamodb:FullTableScan"] = "false" if keys else "true"
    if enclosing:
        context["dynamodb:EnclosingOperation"] = enclosing
    return Check(action, table.index_arn(target.get("index")), context)


def _parsed(entry: Mapping[str, Any]) -> dict[str, Any]:
    statement, parameters = entry.get("Statement"), entry.get("Parameters") or []
    if not isinstance(statement, str) or not isinstance(parameters, list):
        raise AwsError("SerializationException", "A statement is text, its parameters are a list.")
    try:
        parsed: dict[str, Any] = engine.dynamodb._parse_partiql(statement, parameters)
    except ValueError as failure:
        raise AwsError("ValidationException", str(failure)) from failure
    if parsed["op"] not in _ACTIONS:
        raise AwsError("ValidationException", "Unsupported operation.")
    return parsed


def _leading_keys(statement: Mapping[str, Any], table: Table) -> list[str]:
    name = table.partition_key(statement.get("index"))
    if name is None:
        return []
    if statement["op"] == "INSERT":
        item = statement.get("item") or {}
        item = item["M"] if set(item) == {"M"} else item
        return [_text(item[name])] if name in item else []
    return [_text(value) for value in _pinned(statement, name)]


def _pinned(statement: Mapping[str, Any], name: str) -> Iterator[object]:
    for attribute, operator, value in statement.get("conditions") or []:
        if attribute == name and operator == "=":
            yield value
        elif attribute == name and operator == "IN":
            yield from value


def _text(value: object) -> str:
    return str(engine.dynamodb._extract_key_val(value))
