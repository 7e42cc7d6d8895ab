"""Reads which IAM action, resource and condition keys a PartiQL statement needs. Uses the engine's own parser.

A statement that cannot be parsed never runs. Follows "IAM security policies with PartiQL for DynamoDB". The leading
keys are the values that a WHERE joined by AND compares with `=` or `IN`. A SELECT without them is a full table scan.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from emulator import engine
from emulator.access.checks import Check
from emulator.access.dynamodb_tables import Table, leading_key_context, resolve_table
from emulator.wire import AwsError

Statement = Mapping[str, Any]
Keys = dict[str, str | Sequence[str]]

_ACTIONS = {
    "SELECT": "PartiQLSelect",
    "EXISTS": "PartiQLSelect",
    "INSERT": "PartiQLInsert",
    "UPDATE": "PartiQLUpdate",
    "DELETE": "PartiQLDelete",
}
_RETURNING = {
    "ALL OLD *": "ALL_OLD",
    "ALL NEW *": "ALL_NEW",
    "MODIFIED OLD *": "UPDATED_OLD",
    "MODIFIED NEW *": "UPDATED_NEW",
}
_LONGEST = 8192
_TOO_LONG = (
    "1 validation error detected: Value at 'statement' failed to satisfy constraint: "
    f"Member must have length less than or equal to {_LONGEST}"
)


def statement_check(operation: str, data: Mapping[str, Any]) -> Iterator[Check]:
    enclosing = operation if operation == "ExecuteTransaction" else None
    yield _check(data, enclosing)


def check_length(statement: object) -> None:
    """Raises `AwsError`. The length is that of the service model; the words are inferred."""
    if isinstance(statement, str) and len(statement) > _LONGEST:
        raise AwsError("ValidationException", _TOO_LONG)


def statement_checks_in(member: str) -> Callable[[str, Mapping[str, Any]], Iterator[Check]]:
    """For operations that have a list of statements in `member`."""

    def each(operation: str, data: Mapping[str, Any]) -> Iterator[Check]:
        statements = data.get(member)
        if not isinstance(statements, list) or not all(isinstance(entry, dict) for entry in statements):
            raise AwsError("SerializationException", f"{member} is not a list of statements.")
        for entry in statements:
            yield from statement_check(operation, entry)

    return each


def _check(entry: Mapping[str, Any], enclosing: str | None) -> Check:
    statement = _parse(entry)
    action = f"dynamodb:{_ACTIONS[statement['op']]}"
    target = statement["select"] if statement["op"] == "EXISTS" else statement
    table = resolve_table(target["table"])
    keys = _leading_keys(target, table)
    context: Keys = {**leading_key_context(keys), **_attributes(target)}
    if action == "dynamodb:PartiQLSelect":
        context["dynamodb:FullTableScan"] = "false" if keys else "true"
        context["dynamodb:Select"] = _select(target)
    elif action != "dynamodb:PartiQLInsert":
        context["dynamodb:ReturnValues"] = _return_values(target)
    if enclosing:
        context["dynamodb:EnclosingOperation"] = enclosing
    return Check(action, table.index_arn(target.get("index")), context)


def _parse(entry: Mapping[str, Any]) -> dict[str, Any]:
    statement, parameters = entry.get("Statement"), entry.get("Parameters") or []
    if not isinstance(statement, str) or not isinstance(parameters, list):
        raise AwsError("SerializationException", "Statement must be text, and Parameters must be a list.")
    check_length(statement)
    try:
        parsed: dict[str, Any] = engine.dynamodb._parse_partiql(statement, parameters)
    except ValueError as failure:
        raise AwsError("ValidationException", str(failure)) from failure
    except RecursionError as failure:
        raise AwsError("ValidationException", "The statement is nested too deeply.") from failure
    if parsed["op"] not in _ACTIONS:
        raise AwsError("ValidationException", "Unsupported operation.")
    return parsed


def _leading_keys(statement: Statement, table: Table) -> list[str]:
    name = table.partition_key(statement.get("index"))
    if name is None:
        return []
    if statement["op"] == "INSERT":
        item = _inserted_item(statement)
        return [_text(item[name])] if name in item else []
    return [_text(value) for value in _partition_key_values(statement, name)]


def _inserted_item(statement: Statement) -> Mapping[str, Any]:
    item: Mapping[str, Any] = statement.get("item") or {}
    return item["M"] if set(item) == {"M"} else item


def _partition_key_values(statement: Statement, name: str) -> Iterator[object]:
    for attribute, operator, value in statement.get("conditions") or []:
        if attribute == name and operator == "=":
            yield value
        elif attribute == name and operator == "IN":
            yield from value


def _select(statement: Statement) -> str:
    if statement.get("count"):
        return "COUNT"
    if statement.get("projections"):
        return "SPECIFIC_ATTRIBUTES"
    return "ALL_PROJECTED_ATTRIBUTES" if statement.get("index") else "ALL_ATTRIBUTES"


def _return_values(statement: Statement) -> str:
    returning = " ".join(str(statement.get("returning") or "").upper().split())
    return _RETURNING.get(returning, returning) or "NONE"


def _attributes(statement: Statement) -> Keys:
    """The top-level attributes that the statement names."""
    named = dict.fromkeys(_inserted_item(statement))
    for path in statement.get("projections") or []:
        # The engine first tries the text as an attribute name, then as a path.
        named.update({path: None, path.partition(".")[0].partition("[")[0]: None})
    written = [parts for parts, _ in statement.get("assignments") or []] + list(statement.get("removes") or [])
    named.update(dict.fromkeys(parts[0] for parts in written))
    read = [statement.get("where"), *(value for _, value in statement.get("assignments") or [])]
    named.update(dict.fromkeys(_paths(read)))
    if order := statement.get("order"):
        named[order[0][0]] = None
    return {"dynamodb:Attributes": [str(name) for name in named]} if named else {}


def _paths(node: object) -> Iterator[str]:
    """The first step of every path in an expression. Literals contain no paths."""
    if isinstance(node, tuple) and node[:1] == ("path",):
        yield str(node[1][0])
    elif isinstance(node, tuple | list) and node[:1] != ("lit",):
        for part in node:
            yield from _paths(part)


def _text(value: object) -> str:
    return str(engine.dynamodb._extract_key_val(value))
