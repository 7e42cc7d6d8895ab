"""The operations on whole tables, around what the engine does: what is checked before, and what the answer lacks."""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from emulator import engine
from emulator.expressions.errors import Invalid
from emulator.functions import lambdas
from emulator.tables import changes, descriptions, expiry, recovery, tags
from emulator.tables.constraints import check_constraints
from emulator.tables.definitions import PROTECTED, check_definition
from emulator.wire import AwsError

Data = Mapping[str, Any]
Answer = dict[str, Any]
Reply = tuple[int, dict[str, str], bytes]
Run = Callable[[dict[str, Any]], Reply]

_WITHOUT_ANSWER = frozenset({"TagResource", "UntagResource"})
_ARN = re.compile(r"arn:[^:]+:dynamodb:(?P<region>[^:]*):[^:]*:(?P<is_table>table/[^/]+$)?")


@dataclass(frozen=True, slots=True)
class Before:
    """The named table before the operation. `units` is its throughput, and that of its indexes by name."""

    table: dict[str, Any] | None = None
    units: Mapping[str, Data] = field(default_factory=dict)
    was_on_demand: bool = False


def run(operation: str, data: dict[str, Any], run_in_engine: Run) -> Reply:
    """Raises `AwsError` for what AWS refuses. Puts the name of a table in the place of its ARN in `data`."""
    check, complete = _CHECKS.get(operation), _COMPLETIONS.get(operation)
    if check is None and complete is None:
        return run_in_engine(data)
    try:
        if check is not None:
            check(data)
    except Invalid as failure:
        raise AwsError("ValidationException", str(failure)) from failure
    table = engine.dynamodb._tables.get(data.get("TableName"))
    before = Before(table, descriptions.units_of(table), descriptions.is_on_demand(table)) if table else Before()
    status, headers, body = run_in_engine(data)
    if status < 400 and operation in _WITHOUT_ANSWER:
        return status, headers, b""
    if status >= 400 or complete is None:
        return status, headers, body
    answer = json.loads(body)
    complete(data, answer, before)
    return status, headers, json.dumps(answer).encode()


# ── Checks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _check_creation(data: dict[str, Any]) -> None:
    check_definition(data)
    _use_name(data)


def _check_change(data: dict[str, Any]) -> None:
    check_constraints("UpdateTable", data)
    changes.check_form(data)
    changes.check_change(data, _find(data))


def _check_deletion(data: dict[str, Any]) -> None:
    check_constraints("DeleteTable", data)
    if _find(data).get("DeletionProtectionEnabled"):
        raise Invalid(PROTECTED)


def _check_description(data: dict[str, Any]) -> None:
    check_constraints("DescribeTable", data)
    _find(data)


def _check_list(data: dict[str, Any]) -> None:
    check_constraints("ListTables", data)


def _check_expiry(data: dict[str, Any]) -> None:
    check_constraints("UpdateTimeToLive", data)
    expiry.check_change(data, _find(data))


def _check_expiry_description(data: dict[str, Any]) -> None:
    check_constraints("DescribeTimeToLive", data)
    _find(data)


def _check_backups(data: dict[str, Any]) -> None:
    recovery.check_change(data)
    _find(data, code="TableNotFoundException")


def _check_backups_description(data: dict[str, Any]) -> None:
    check_constraints("DescribeContinuousBackups", data)
    _find(data, code="TableNotFoundException")


def _find(data: dict[str, Any], *, code: str = "ResourceNotFoundException") -> dict[str, Any]:
    name = _use_name(data)
    table: dict[str, Any] | None = engine.dynamodb._tables.get(name)
    if table is None:
        long = f"Requested resource not found: Table: {name} not found"
        raise AwsError(code, f"Table not found: {name}" if code == "TableNotFoundException" else long)
    return table


def _use_name(data: dict[str, Any]) -> str:
    given = str(data["TableName"])
    arn = _ARN.match(given)
    if arn and arn["region"] != engine.region():
        raise Invalid(f"1 validation error detected: Invalid AWS region in '{given}'")
    if arn and not arn["is_table"]:
        raise Invalid(f"1 validation error detected: Invalid resource type in '{given}'")
    data["TableName"] = str(engine.dynamodb._normalize_table_name(given))
    return str(data["TableName"])


# ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _describe_endpoints(_data: Data, answer: Answer, _before: Before) -> None:
    address = urlsplit(lambdas.runtime_context.endpoint_url).netloc
    answer["Endpoints"] = [{"Address": address, "CachePeriodInMinutes": 1440}]


def _complete_creation(data: Data, answer: Answer, _before: Before) -> None:
    table = engine.dynamodb._tables[data["TableName"]]
    # The engine knows only whole seconds.
    table["CreationDateTime"] = round(time.time(), 3)
    answer["TableDescription"]["CreationDateTime"] = table["CreationDateTime"]
    if warm := data.get("WarmThroughput"):
        table["WarmThroughput"] = dict(warm)
    descriptions.complete(answer["TableDescription"], table)


def _complete_change(data: Data, answer: Answer, before: Before) -> None:
    table = engine.dynamodb._tables[data["TableName"]]
    descriptions.note_changed_units(table, before.units, was_on_demand=before.was_on_demand)
    if warm := data.get("WarmThroughput"):
        table["WarmThroughput"] = dict(warm)
    answer["TableDescription"] = engine.dynamodb._table_description(data["TableName"])
    descriptions.complete(answer["TableDescription"], table)


def _complete_description(data: Data, answer: Answer, _before: Before) -> None:
    descriptions.complete(answer["Table"], engine.dynamodb._tables[data["TableName"]])


def _complete_deletion(_data: Data, answer: Answer, before: Before) -> None:
    if before.table is not None:
        descriptions.complete(answer["TableDescription"], before.table)
    descriptions.complete_deleted(answer["TableDescription"])


def _complete_list(_data: Data, answer: Answer, _before: Before) -> None:
    """The engine names a last table even if none follows."""
    names = answer["TableNames"]
    if names and names[-1] == max(engine.dynamodb._tables.keys()):
        answer.pop("LastEvaluatedTableName", None)


def _complete_expiry(_data: Data, answer: Answer, _before: Before) -> None:
    expiry.complete_description(answer["TimeToLiveDescription"])


def _complete_backups(data: Data, answer: Answer, _before: Before) -> None:
    """The engine does not store how many days a table can be restored to."""
    table = engine.dynamodb._tables[data["TableName"]]
    description = answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    if recovery.SETTING in data:
        table[recovery.DAYS] = int(data[recovery.SETTING].get(recovery.DAYS) or recovery.MOST_DAYS)
    if description["PointInTimeRecoveryStatus"] == "ENABLED":
        description[recovery.DAYS] = table.get(recovery.DAYS, recovery.MOST_DAYS)


_CHECKS: Mapping[str, Callable[[dict[str, Any]], None]] = {
    "CreateTable": _check_creation,
    "UpdateTable": _check_change,
    "DeleteTable": _check_deletion,
    "DescribeTable": _check_description,
    "ListTables": _check_list,
    "UpdateTimeToLive": _check_expiry,
    "DescribeTimeToLive": _check_expiry_description,
    "UpdateContinuousBackups": _check_backups,
    "DescribeContinuousBackups": _check_backups_description,
    "TagResource": tags.check_tagging,
    "UntagResource": tags.check_untagging,
    "ListTagsOfResource": tags.check_listing,
}

_COMPLETIONS: Mapping[str, Callable[[Data, Answer, Before], None]] = {
    "CreateTable": _complete_creation,
    "UpdateTable": _complete_change,
    "DeleteTable": _complete_deletion,
    "DescribeTable": _complete_description,
    "ListTables": _complete_list,
    "DescribeEndpoints": _describe_endpoints,
    "DescribeTimeToLive": _complete_expiry,
    "DescribeContinuousBackups": _complete_backups,
    "UpdateContinuousBackups": _complete_backups,
}
