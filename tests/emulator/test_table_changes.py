"""What UpdateTable, UpdateTimeToLive and UpdateContinuousBackups refuse, and with which words."""

from typing import Any

import pytest

from tests.emulator.conftest import Make
from tests.emulator.definitions import attributes, index, units
from tests.emulator.test_expressions import message
from tests.emulator.world import refusal

INVALID = "One or more parameter values were invalid: "
NOTHING = (
    "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, "
    "SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, "
    "DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is required"
)
ONE_INDEX = "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"
G = "GlobalSecondaryIndexes"


def created(name: str = "new", *names: str, **more: Any) -> dict[str, Any]:
    return {"Create": index(name, *(names or ("y",)), **more)}


def deleted(name: str) -> dict[str, Any]:
    return {"Delete": {"IndexName": name}}


def changed(name: str, **more: Any) -> dict[str, Any]:
    return {"Update": {"IndexName": name, **more}}


def updates(*each: dict[str, Any], defined: tuple[str, ...] = ("y",), **more: Any) -> dict[str, Any]:
    return {"GlobalSecondaryIndexUpdates": list(each), "AttributeDefinitions": attributes(*defined), **more}


ON_DEMAND: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, NOTHING),
    "attributes alone": ({"AttributeDefinitions": attributes("p")}, NOTHING),
    "no updates of indexes alone": ({"GlobalSecondaryIndexUpdates": []}, NOTHING),
    "no updates of indexes beside another change": (
        {"GlobalSecondaryIndexUpdates": [], "DeletionProtectionEnabled": True},
        f"{INVALID}List of GlobalSecondaryIndexUpdates is empty",
    ),
    "encryption and protection": (
        {"SSESpecification": {"Enabled": True}, "DeletionProtectionEnabled": True},
        f"{INVALID}Server-Side Encryption modification must be the only operation in the request",
    ),
    "a class and protection": (
        {"TableClass": "STANDARD", "DeletionProtectionEnabled": True},
        f"{INVALID}TableClass modification must be the only operation in the request",
    ),
    "the encryption that every table has": (
        {"SSESpecification": {"Enabled": False}},
        f"{INVALID}Table is already encrypted by default",
    ),
    "an empty specification of encryption": (
        {"SSESpecification": {}},
        f"{INVALID}Table is already encrypted by default",
    ),
    "a stream that is off": (
        {"StreamSpecification": {"StreamEnabled": False}},
        "Table has no stream to disable: TableName: changed",
    ),
    "units on demand": (
        {"ProvisionedThroughput": units(1, 1)},
        (
            f"{INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
            "PAY_PER_REQUEST"
        ),
    ),
    "no units": (
        {"BillingMode": "PROVISIONED"},
        f"{INVALID}ProvisionedThroughput must be specified when BillingMode is PROVISIONED",
    ),
    "no units of an index": (
        {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units(1, 1)},
        f"{INVALID}ProvisionedThroughput must be specified for index: by-x",
    ),
    "a maximum of zero": (
        {"OnDemandThroughput": {"MaxReadRequestUnits": 0}},
        f"{INVALID}Requested MaxReadRequestUnits for OnDemandThroughput for table is outside of valid range",
    ),
    "an update without an action": (
        updates({}),
        (
            f"{INVALID}One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
            "GlobalSecondaryIndexUpdate.Delete must not be null"
        ),
    ),
    "two actions in one update": (
        updates({**created(), **deleted("by-x")}),
        f"{INVALID}Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object",
    ),
    "two updates of one index": (
        updates(deleted("by-x"), created("by-x")),
        f"{INVALID}Only one global secondary index update per index is allowed simultaneously. Index: by-x",
    ),
    "an index that exists": (updates(created("by-x")), "Attempting to create an index which already exists"),
    "an index named as a local one": (updates(created("local")), "Attempting to create an index which already exists"),
    "a local index deleted": (
        updates(deleted("local")),
        "Cannot delete an index that is not a GlobalSecondaryIndex: local",
    ),
    "a local index changed": (
        updates(changed("local", OnDemandThroughput={"MaxReadRequestUnits": 5})),
        "Cannot update an index that is not a GlobalSecondaryIndex: local",
    ),
    "an index without definitions": (
        {"GlobalSecondaryIndexUpdates": [created()]},
        f"{INVALID}AttributeDefinitions is not specified for index: new",
    ),
    "an index with another definition": (
        updates(created(), defined=("z",)),
        (
            f"{INVALID}Some index key attributes are not defined in AttributeDefinitions. "
            "Keys: [y], AttributeDefinitions: [z]"
        ),
    ),
    "another type of a key": (
        {"GlobalSecondaryIndexUpdates": [created("new", "x")], "AttributeDefinitions": attributes("x", kind="N")},
        (
            f"{INVALID}Attributes cannot be redefined. Please check that your attribute has the same type as "
            "previously defined. Existing schema: Schema:[SchemaElement: key{x:S:HASH}] New schema: "
            "Schema:[SchemaElement: key{x:N:HASH}]"
        ),
    ),
    "a sort key before a partition key": (
        updates(created("new", "y", "c", "X"), defined=("y", "c", "X")),
        f"{INVALID}All HASH key attributes must precede RANGE key attributes in the KeySchema",
    ),
    "attributes beside all": (
        updates(created(Projection={"ProjectionType": "ALL", "NonKeyAttributes": ["a"]})),
        f"{INVALID}ProjectionType is ALL, but NonKeyAttributes is specified",
    ),
    "units of an index on demand": (
        updates(changed("by-x", ProvisionedThroughput=units(1, 1))),
        (
            f"{INVALID}The only Updates for index: by-x when TableThroughputMode is PAY_PER_REQUEST can be to "
            "OnDemandThroughput, WarmThroughput"
        ),
    ),
    "units of a new index on demand": (
        updates(created(ProvisionedThroughput=units(1, 1))),
        (
            f"{INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: new when "
            "BillingMode is PAY_PER_REQUEST"
        ),
    ),
}
SAME = (
    " will not change. The requested value equals the current value. Current ReadCapacityUnits provisioned for the "
    "{0}: {1}. Requested ReadCapacityUnits: {1}. Current WriteCapacityUnits provisioned for the {0}: {1}. Requested "
    "WriteCapacityUnits: {1}. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request "
    "higher limits."
)
PROVISIONED: dict[str, tuple[dict[str, Any], str]] = {
    "the same units": (
        {"ProvisionedThroughput": units(5, 5)},
        "The provisioned throughput for the table" + SAME.format("table", 5),
    ),
    "the same units of an index": (
        updates(changed("by-x", ProvisionedThroughput=units(2, 2))),
        "The provisioned throughput for the index by-x" + SAME.format("index by-x", 2),
    ),
    "a new index without units": (
        updates(created()),
        f"{INVALID}Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: new",
    ),
    "units and a new index": (
        updates(created(ProvisionedThroughput=units(1, 1)), ProvisionedThroughput=units(6, 6)),
        f"{INVALID}You cannot create or delete index while updating table IOPS",
    ),
    "a maximum": (
        {"OnDemandThroughput": {"MaxReadRequestUnits": 5}},
        (
            f"{INVALID}MaxReadRequestUnits for OnDemandThroughput cannot be specified when the table BillingMode is "
            "PROVISIONED"
        ),
    ),
}


@pytest.mark.usefixtures("on_demand_table")
@pytest.mark.parametrize("case", ON_DEMAND)
def test_a_change_of_a_table_on_demand_is_refused(tables: Any, case: str) -> None:
    request, text = ON_DEMAND[case]
    before = tables.describe_table(TableName="changed")["Table"]
    assert message(tables.update_table, TableName="changed", **request) == text
    assert tables.describe_table(TableName="changed")["Table"] == before


@pytest.mark.usefixtures("provisioned_table")
@pytest.mark.parametrize("case", PROVISIONED)
def test_a_change_of_a_table_with_units_is_refused(tables: Any, case: str) -> None:
    request, text = PROVISIONED[case]
    before = tables.describe_table(TableName="changed")["Table"]
    assert message(tables.update_table, TableName="changed", **request) == text
    assert tables.describe_table(TableName="changed")["Table"] == before


@pytest.mark.usefixtures("on_demand_table")
@pytest.mark.parametrize(
    "each", [(created("one"), created("two")), (deleted("by-x"), created()), (deleted("none"), deleted("by-x"))]
)
def test_one_index_is_made_or_deleted_at_a_time(tables: Any, each: tuple[dict[str, Any], ...]) -> None:
    refused = refusal(tables.update_table, TableName="changed", **updates(*each))
    assert (refused["code"], refused["message"]) == ("LimitExceededException", ONE_INDEX)


@pytest.mark.usefixtures("on_demand_table")
def test_an_index_above_the_limit_is_refused(tables: Any, make_table: Make) -> None:
    tables.delete_table(TableName="changed")
    make_table("p", **{G: [index(f"by-{number}", "p") for number in range(20)]})
    refused = refusal(tables.update_table, TableName="changed", **updates(created()))
    assert refused["code"] == "LimitExceededException"


@pytest.mark.usefixtures("on_demand_table")
@pytest.mark.parametrize("each", [deleted("none"), changed("none", OnDemandThroughput={"MaxReadRequestUnits": 5})])
def test_an_unknown_index_is_not_found(tables: Any, each: dict[str, Any]) -> None:
    assert refusal(tables.update_table, TableName="changed", **updates(each))["code"] == "ResourceNotFoundException"


def test_an_unknown_table_is_reported_after_the_form(tables: Any) -> None:
    assert message(tables.update_table, TableName="none") == NOTHING
    found = refusal(tables.update_table, TableName="none", DeletionProtectionEnabled=True)
    assert (found["code"], found["message"]) == (
        "ResourceNotFoundException",
        "Requested resource not found: Table: none not found",
    )


# ── Expiry and recovery ─────────────────────────────────────────────────────────────────────────────────────────────


def expiry(name: str, enabled: bool) -> dict[str, Any]:
    return {"TimeToLiveSpecification": {"AttributeName": name, "Enabled": enabled}}


@pytest.mark.usefixtures("on_demand_table")
def test_expiry_changes_once(tables: Any) -> None:
    def status() -> dict[str, Any]:
        return dict(tables.describe_time_to_live(TableName="changed")["TimeToLiveDescription"])

    assert message(tables.update_time_to_live, TableName="changed", **expiry("e", False)) == (
        "TimeToLive is already disabled"
    )
    tables.update_time_to_live(TableName="changed", **expiry("e", True))
    assert status() == {"TimeToLiveStatus": "ENABLED", "AttributeName": "e"}
    assert message(tables.update_time_to_live, TableName="changed", **expiry("e", True)) == (
        "TimeToLive is already enabled"
    )
    for enabled in (True, False):
        assert message(tables.update_time_to_live, TableName="changed", **expiry("f", enabled)) == (
            "TimeToLive is active on a different AttributeName: current AttributeName is e"
        )
    tables.update_time_to_live(TableName="changed", **expiry("e", False))
    assert status() == {"TimeToLiveStatus": "DISABLED"}


@pytest.mark.parametrize(
    ("specification", "text"),
    [
        ({}, ("2 validation errors detected: Value null at 'timeToLiveSpecification.enabled' failed to satisfy "
         "constraint: Member must not be null; Value null at 'timeToLiveSpecification.attributeName' failed to satisfy "
         "constraint: Member must not be null")),
        ({"Enabled": True, "AttributeName": ""},
         ("1 validation error detected: Value '' at 'timeToLiveSpecification.attributeName' failed to satisfy "
         "constraint: Member must have length greater than or equal to 1")),
    ],
)  # fmt: skip
def test_an_incomplete_expiry_is_refused(tables: Any, specification: dict[str, Any], text: str) -> None:
    assert message(tables.update_time_to_live, TableName="none", TimeToLiveSpecification=specification) == text


def test_recovery_of_an_unknown_table_is_refused(tables: Any) -> None:
    on = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
    for call, more in ((tables.update_continuous_backups, on), (tables.describe_continuous_backups, {})):
        found = refusal(call, TableName="none", **more)
        assert (found["code"], found["message"]) == ("TableNotFoundException", "Table not found: none")
    days = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": False, "RecoveryPeriodInDays": 3}}
    assert message(tables.update_continuous_backups, TableName="none", **days) == (
        "Invalid Request: Cannot specify RecoveryPeriodInDays when disabling point-in-time recovery."
    )
