"""Checks what UpdateTable is to change."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from emulator.expressions.errors import Invalid, invalid_parameter
from emulator.tables import indexes, key_schemas, settings
from emulator.wire import AwsError

Data = Mapping[str, Any]

_UPDATES: Final = "GlobalSecondaryIndexUpdates"
_SSE: Final = "SSESpecification"
_ACTIONS: Final = ("Update", "Create", "Delete")
_CHANGES: Final = (
    "ProvisionedThroughput", "BillingMode", "StreamSpecification", _UPDATES, _SSE, "ReplicaUpdates",
    "DeletionProtectionEnabled", "OnDemandThroughput", "WarmThroughput", "TableClass",
)  # fmt: skip
_NOTHING: Final = (
    "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, "
    "SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, "
    "DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is required"
)
_ALONE: Final = {
    _SSE: "Server-Side Encryption modification must be the only operation in the request",
    "TableClass": "TableClass modification must be the only operation in the request",
    "DeletionProtectionEnabled": "DeletionProtection modification must be the only operation in the request",
    "WarmThroughput": "WarmThroughput must be the only operation in the request",
}


def check_form(data: Data) -> None:
    """What AWS checks before it looks for the table. Raises `Invalid` or `AwsError`."""
    made = [name for name in _CHANGES if data.get(name) not in (None, [], {}) or (name == _SSE and name in data)]
    if not made:
        raise Invalid(_NOTHING)
    if data.get(_UPDATES) == []:
        raise invalid_parameter(f"List of {_UPDATES} is empty")
    for name, text in _ALONE.items():
        if name in made and len(made) > 1:
            raise invalid_parameter(text)
    if "OnDemandThroughput" in made and set(made) - {"OnDemandThroughput", "BillingMode"}:
        raise invalid_parameter("OnDemandThroughput can only be combined with BillingMode in an UpdateTable request")
    settings.check_class(data)
    settings.check_encryption(data)
    _check_actions(data.get(_UPDATES) or ())


def check_change(data: Data, table: Mapping[str, Any]) -> None:
    """What AWS checks against the table. Raises `Invalid` or `AwsError`."""
    summary = table.get("BillingModeSummary") or {}
    was_on_demand = summary.get("BillingMode") == settings.ON_DEMAND
    settings.check_changed_throughput(data, was_on_demand=was_on_demand)
    if (stream := data.get("StreamSpecification")) and not stream["StreamEnabled"]:
        raise Invalid(f"Table has no stream to disable: TableName: {table['TableName']}")
    if _SSE in data and not data[_SSE].get("Enabled"):
        _check_encrypted(table)
    mode = data.get("BillingMode")
    on_demand = was_on_demand if mode is None else mode == settings.ON_DEMAND
    if data.get("ProvisionedThroughput") and not was_on_demand:
        _check_differs(data["ProvisionedThroughput"], table["ProvisionedThroughput"], "the table", " for the table")
    updates = data.get(_UPDATES) or ()
    if data.get("ProvisionedThroughput") and mode is None and any("Update" not in update for update in updates):
        raise invalid_parameter("You cannot create or delete index while updating table IOPS")
    if sum("Update" not in update for update in updates) > 1:
        raise _limit("Only 1 online index can be created or deleted simultaneously per table")
    for update in updates:
        _check_update(update, data, table, on_demand=on_demand, was_on_demand=was_on_demand)
    if was_on_demand and not on_demand:
        _check_all_provisioned(updates, table)


def _check_actions(updates: Sequence[Data]) -> None:
    names: set[str] = set()
    for update in updates:
        actions = [name for name in _ACTIONS if update.get(name) is not None]
        if not actions:
            listed = ", ".join(f"GlobalSecondaryIndexUpdate.{name}" for name in _ACTIONS)
            raise invalid_parameter(f"One of {listed} must not be null")
        if len(actions) > 1:
            raise invalid_parameter(
                "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object"
            )
        name = update[actions[0]]["IndexName"]
        if name in names:
            raise invalid_parameter(
                f"Only one global secondary index update per index is allowed simultaneously. Index: {name}"
            )
        names.add(name)
        if "Create" in update:
            key_schemas.check_global(update["Create"]["KeySchema"])
            indexes.check_projection(update["Create"])


def _check_update(update: Data, data: Data, table: Data, *, on_demand: bool, was_on_demand: bool) -> None:
    action = next(name for name in _ACTIONS if update.get(name) is not None)
    change = update[action]
    name = change["IndexName"]
    local = {index["IndexName"] for index in table.get("LocalSecondaryIndexes") or ()}
    present = {index["IndexName"]: index for index in table.get("GlobalSecondaryIndexes") or ()}
    if action == "Create":
        _check_creation(change, data, {*local, *present}, on_demand=on_demand)
        _check_types(change, data, table)
        if len(present) >= indexes.MOST_GLOBAL:
            raise _limit(f"GlobalSecondaryIndex count exceeds the per-table limit of {indexes.MOST_GLOBAL}")
        indexes.check_projected_total([*(table.get("LocalSecondaryIndexes") or ()), *present.values(), change])
        return
    if name in local:
        raise Invalid(f"Cannot {action.lower()} an index that is not a GlobalSecondaryIndex: {name}")
    if action == "Update":
        _check_index_units(change, present.get(name), on_demand=on_demand, was_on_demand=was_on_demand)
    if name not in present:
        raise AwsError("ResourceNotFoundException", "Requested resource not found")


def _check_creation(change: Data, data: Data, present: set[str], *, on_demand: bool) -> None:
    name = change["IndexName"]
    if not data.get("AttributeDefinitions"):
        raise invalid_parameter(f"AttributeDefinitions is not specified for index: {name}")
    key_schemas.check_defined(change["KeySchema"], key_schemas.defined_names(data["AttributeDefinitions"]))
    if name in present:
        raise Invalid("Attempting to create an index which already exists")
    units = change.get("ProvisionedThroughput")
    if on_demand and units:
        raise invalid_parameter(
            f"Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: {name} when BillingMode is "
            f"{settings.ON_DEMAND}"
        )
    if not on_demand and not units:
        raise invalid_parameter(f"Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: {name}")
    settings.check_maxima(change, on_demand=on_demand, index=name)


def _check_types(change: Data, data: Data, table: Data) -> None:
    """An attribute that is a key already keeps its type."""
    known = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    given = {each["AttributeName"]: each["AttributeType"] for each in data["AttributeDefinitions"]}
    indexes_of_table = (*(table.get("GlobalSecondaryIndexes") or ()), *(table.get("LocalSecondaryIndexes") or ()))
    for name in key_schemas.names_of(change["KeySchema"]):
        if known.get(name, given[name]) == given[name]:
            continue
        schemas = (table["KeySchema"], *(index["KeySchema"] for index in indexes_of_table))
        existing = next(keys for keys in schemas if name in key_schemas.names_of(keys))
        raise invalid_parameter(
            "Attributes cannot be redefined. Please check that your attribute has the same type as previously "
            f"defined. Existing schema: {_shown(existing, known)} New schema: {_shown(change['KeySchema'], given)}"
        )


def _shown(keys: key_schemas.Keys, types: Data) -> str:
    parts = (f"{key['AttributeName']}:{types[key['AttributeName']]}:{key['KeyType']}" for key in keys)
    return f"Schema:[SchemaElement: key{{{', '.join(parts)}}}]"


def _check_index_units(change: Data, index: Data | None, *, on_demand: bool, was_on_demand: bool) -> None:
    name, units = change["IndexName"], change.get("ProvisionedThroughput")
    if on_demand and not (change.get("OnDemandThroughput") or change.get("WarmThroughput")):
        raise invalid_parameter(
            f"The only Updates for index: {name} when TableThroughputMode is {settings.ON_DEMAND} can be to "
            "OnDemandThroughput, WarmThroughput"
        )
    if not on_demand and not units and not change.get("WarmThroughput"):
        raise invalid_parameter(f"ProvisionedThroughput must be specified for index: {name}")
    settings.check_maxima(change, on_demand=on_demand, index=name, lowest=-1)
    if units and index is not None and not was_on_demand:
        _check_differs(units, index["ProvisionedThroughput"], f"the index {name}", f" for the index {name}")


def _check_all_provisioned(updates: Sequence[Data], table: Data) -> None:
    changed = {update["Update"]["IndexName"] for update in updates if "Update" in update}
    for index in table.get("GlobalSecondaryIndexes") or ():
        if index["IndexName"] not in changed:
            raise invalid_parameter(f"ProvisionedThroughput must be specified for index: {index['IndexName']}")


def _check_differs(wanted: Data, current: Data, what: str, where: str) -> None:
    names = ("ReadCapacityUnits", "WriteCapacityUnits")
    if any(int(wanted[name]) != int(current[name]) for name in names):
        return
    figures = " ".join(
        f"Current {name} provisioned{where}: {current[name]}. Requested {name}: {wanted[name]}." for name in names
    )
    raise Invalid(
        f"The provisioned throughput for {what} will not change. The requested value equals the current value. "
        f"{figures} Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
    )


def _check_encrypted(table: Data) -> None:
    if (table.get("SSEDescription") or {}).get("Status") != "ENABLED":
        raise invalid_parameter("Table is already encrypted by default")


def _limit(text: str) -> AwsError:
    return AwsError("LimitExceededException", f"Subscriber limit exceeded: {text}")
