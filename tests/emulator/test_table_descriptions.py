"""How tables are described and listed, before and after they are changed."""

from typing import Any

import pytest

from tests.emulator.conftest import Make
from tests.emulator.definitions import attributes, index, units
from tests.emulator.test_expressions import message

G, L = "GlobalSecondaryIndexes", "LocalSecondaryIndexes"


def test_a_table_on_demand_is_described(tables: Any, on_demand_table: dict[str, Any]) -> None:
    described = tables.describe_table(TableName="changed")["Table"]
    nothing = {"NumberOfDecreasesToday": 0, **units(0, 0)}
    warm = {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"}
    assert described["BillingModeSummary"] == {
        "BillingMode": "PAY_PER_REQUEST",
        "LastUpdateToPayPerRequestDateTime": described["CreationDateTime"],
    }
    assert described["AttributeDefinitions"] == attributes("c", "p", "x")
    assert (described["ProvisionedThroughput"], described["WarmThroughput"]) == (nothing, warm)
    assert (described[G][0]["ProvisionedThroughput"], described[G][0]["WarmThroughput"]) == (nothing, warm)
    assert described[G][0]["IndexStatus"] == "ACTIVE"
    assert set(described[L][0]) == {"IndexArn", "IndexName", "IndexSizeBytes", "ItemCount", "KeySchema", "Projection"}
    assert on_demand_table["TableId"] == described["TableId"]
    assert on_demand_table["CreationDateTime"] == described["CreationDateTime"]


def test_attributes_of_a_projection_are_described_in_order(tables: Any, make_table: Make) -> None:
    projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["z", "a", "m"]}
    make_table("p", **{G: [index("some", "p", Projection=projection)]})
    described = tables.describe_table(TableName="changed")["Table"]
    assert described[G][0]["Projection"]["NonKeyAttributes"] == ["a", "m", "z"]


@pytest.mark.usefixtures("provisioned_table")
def test_units_are_described_with_their_changes(tables: Any) -> None:
    described = tables.describe_table(TableName="changed")["Table"]
    assert "BillingModeSummary" not in described
    assert described["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **units(5, 5)}
    assert described["WarmThroughput"] == {"ReadUnitsPerSecond": 5, "WriteUnitsPerSecond": 5, "Status": "ACTIVE"}
    tables.update_table(TableName="changed", ProvisionedThroughput=units(7, 5))
    risen = tables.describe_table(TableName="changed")["Table"]["ProvisionedThroughput"]
    assert risen.keys() == {"NumberOfDecreasesToday", "LastIncreaseDateTime", *units(1, 1)}
    tables.update_table(TableName="changed", ProvisionedThroughput=units(7, 4))
    fallen = tables.describe_table(TableName="changed")["Table"]["ProvisionedThroughput"]
    assert fallen["NumberOfDecreasesToday"] == 1
    assert fallen["LastDecreaseDateTime"] >= risen["LastIncreaseDateTime"] == fallen["LastIncreaseDateTime"]


@pytest.mark.usefixtures("provisioned_table")
def test_the_billing_mode_changes_both_ways(tables: Any) -> None:
    tables.update_table(TableName="changed", BillingMode="PAY_PER_REQUEST")
    described = tables.describe_table(TableName="changed")["Table"]
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert described["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **units(0, 0)}
    assert described[G][0]["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 1
    tables.update_table(
        TableName="changed",
        BillingMode="PROVISIONED",
        ProvisionedThroughput=units(3, 3),
        GlobalSecondaryIndexUpdates=[{"Update": {"IndexName": "by-x", "ProvisionedThroughput": units(4, 4)}}],
    )
    described = tables.describe_table(TableName="changed")["Table"]
    assert described["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    assert described["ProvisionedThroughput"]["ReadCapacityUnits"] == 3
    assert described[G][0]["ProvisionedThroughput"]["ReadCapacityUnits"] == 4


def test_a_deleted_table_is_described_without_its_keys(tables: Any, on_demand_table: dict[str, Any]) -> None:
    described = tables.delete_table(TableName="changed")["TableDescription"]
    assert described["TableStatus"] == "DELETING"
    assert described["TableId"] == on_demand_table["TableId"]
    assert not described.keys() & {G, L, "KeySchema", "AttributeDefinitions", "CreationDateTime"}
    assert described["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 0


@pytest.mark.usefixtures("on_demand_table")
def test_a_protected_table_is_not_deleted(tables: Any) -> None:
    tables.update_table(TableName="changed", DeletionProtectionEnabled=True)
    assert message(tables.delete_table, TableName="changed") == (
        "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."
    )


@pytest.mark.usefixtures("on_demand_table")
def test_a_new_index_holds_only_the_rows_that_fit_it(tables: Any) -> None:
    values = [{"S": "fits"}, {"N": "1"}, {"S": ""}, {"S": "x" * 2049}, {"S": "x" * 2048}, None]
    for number, value in enumerate(values):
        more = {"y": value} if value is not None else {}
        tables.put_item(TableName="changed", Item={"p": {"S": "p"}, "c": {"S": str(number)}, **more})
    tables.update_table(
        TableName="changed",
        AttributeDefinitions=attributes("y"),
        GlobalSecondaryIndexUpdates=[{"Create": index("new", "y")}],
    )
    held = tables.scan(TableName="changed", IndexName="new")["Items"]
    assert sorted(item["c"]["S"] for item in held) == ["0", "4"]
    search = {"KeyConditionExpression": "y = :y", "ExpressionAttributeValues": {":y": {"S": "1"}}}
    assert tables.query(TableName="changed", IndexName="new", **search)["Items"] == []


# ── Lists ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("on_demand_table")
def test_tables_are_listed_in_pages(tables: Any) -> None:
    every = tables.list_tables()["TableNames"]
    found: list[str] = []
    more: dict[str, Any] = {}
    while page := tables.list_tables(Limit=1, **more):
        found += page["TableNames"]
        if "LastEvaluatedTableName" not in page:
            break
        more = {"ExclusiveStartTableName": page["LastEvaluatedTableName"]}
    assert found == every == sorted(every)
    assert tables.list_tables(ExclusiveStartTableName="zzz-none")["TableNames"] == []


@pytest.mark.parametrize(
    ("request_", "path", "constraint"),
    [
        ({"Limit": 0}, "limit", "value greater than or equal to 1"),
        ({"Limit": 101}, "limit", "value less than or equal to 100"),
        ({"ExclusiveStartTableName": "ab"}, "exclusiveStartTableName", "length greater than or equal to 3"),
    ],
)
def test_a_list_of_tables_has_limits(tables: Any, request_: dict[str, Any], path: str, constraint: str) -> None:
    value = next(iter(request_.values()))
    assert message(tables.list_tables, **request_) == (
        f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: "
        f"Member must have {constraint}"
    )
