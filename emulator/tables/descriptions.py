"""Completes the engine's descriptions of tables. The engine stores a table of a template as the template spells it."""

import time
from collections.abc import Mapping
from typing import Any, Final

from emulator.tables.settings import ON_DEMAND

Table = dict[str, Any]
Data = Mapping[str, Any]

_UNITS: Final = ("ReadCapacityUnits", "WriteCapacityUnits")
_OF_EVERY_TABLE: Final = {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4000}
_NOT_OF_A_DELETED: Final = (
    "AttributeDefinitions", "CreationDateTime", "GlobalSecondaryIndexes", "KeySchema", "LocalSecondaryIndexes",
)  # fmt: skip


def complete(description: dict[str, Any], table: Data) -> None:
    """Changes the description of a table that exists."""
    on_demand = is_on_demand(table)
    description["AttributeDefinitions"] = sorted(table["AttributeDefinitions"], key=lambda each: each["AttributeName"])
    if on_demand:
        since = (table.get("BillingModeSummary") or {}).get("LastUpdateToPayPerRequestDateTime")
        summary = {"BillingMode": ON_DEMAND, "LastUpdateToPayPerRequestDateTime": since or table["CreationDateTime"]}
        description["BillingModeSummary"] = summary
    elif "LastUpdateToPayPerRequestDateTime" not in (description.get("BillingModeSummary") or {}):
        description.pop("BillingModeSummary", None)
    _complete_units(description, on_demand=on_demand)
    for member in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        if member in description:
            description[member] = [
                _described(index, table, on_demand=on_demand, is_global=member.startswith("Global"))
                for index in description[member]
            ]


def complete_deleted(description: dict[str, Any]) -> None:
    for member in _NOT_OF_A_DELETED:
        description.pop(member, None)


def units_of(table: Data) -> dict[str, Data]:
    """The throughput of the table, under an empty name, and of its global indexes."""
    parts = (table, *(table.get("GlobalSecondaryIndexes") or ()))
    return {part.get("IndexName", ""): dict(part.get("ProvisionedThroughput") or {}) for part in parts}


def note_changed_units(table: Table, before: Mapping[str, Data], *, was_on_demand: bool) -> None:
    """Records when throughput rose or fell, and how often it fell. UpdateTable has been done.

    A switch to capacity on demand counts as a decrease of the indexes only.
    """
    indexes = table.get("GlobalSecondaryIndexes") or ()
    is_switched = not was_on_demand and is_on_demand(table)
    for index in indexes if is_switched else ():
        index["ProvisionedThroughput"] = dict.fromkeys(_UNITS, 0)
    for part in indexes if is_switched else (table, *indexes):
        earlier, now = before.get(part.get("IndexName", "")), part.get("ProvisionedThroughput")
        if earlier and now and earlier != now:
            part["ProvisionedThroughput"] = _with_history(earlier, now)


def is_on_demand(table: Data) -> bool:
    return bool((table.get("BillingModeSummary") or {}).get("BillingMode") == ON_DEMAND)


def _with_history(earlier: Data, now: Data) -> dict[str, Any]:
    found = {**earlier, **now}
    differences = [int(found[name]) - int(earlier[name]) for name in _UNITS]
    if max(differences) > 0:
        found["LastIncreaseDateTime"] = time.time()
    if min(differences) < 0:
        found["LastDecreaseDateTime"] = time.time()
        found["NumberOfDecreasesToday"] = found.get("NumberOfDecreasesToday", 0) + 1
    return found


def _described(index: Data, table: Data, *, on_demand: bool, is_global: bool) -> dict[str, Any]:
    found = {"IndexSizeBytes": 0, "ItemCount": 0, **index}
    found["IndexArn"] = f"{table['TableArn']}/index/{index['IndexName']}"
    projection = dict(index.get("Projection") or {})
    if projection.get("NonKeyAttributes"):
        projection["NonKeyAttributes"] = sorted(projection["NonKeyAttributes"])
    found["Projection"] = projection
    if is_global:
        found.setdefault("IndexStatus", "ACTIVE")
        _complete_units(found, on_demand=on_demand)
    return found


def _complete_units(described: dict[str, Any], *, on_demand: bool) -> None:
    given = {} if on_demand else described.get("ProvisionedThroughput") or {}
    history = {
        name: value for name, value in (described.get("ProvisionedThroughput") or {}).items() if name not in _UNITS
    }
    units = {name: int(given.get(name, 0)) for name in _UNITS}
    described["ProvisionedThroughput"] = {"NumberOfDecreasesToday": 0, **history, **units}
    warm = _OF_EVERY_TABLE if on_demand else dict(zip(_OF_EVERY_TABLE, units.values(), strict=True))
    described["WarmThroughput"] = {**warm, **_own_warm(described), "Status": "ACTIVE"}


def _own_warm(described: Data) -> dict[str, Any]:
    """What the request asked for. The engine shows zeros where it did not."""
    given = described.get("WarmThroughput") or {}
    return {name: int(given[name]) for name in _OF_EVERY_TABLE if given.get(name)}
