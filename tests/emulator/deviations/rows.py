"""Deviations of DynamoDB's rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.emulator.definitions import attributes, index, table, units
from tests.emulator.deviations import deviation
from tests.emulator.world import ACME, Stack, key


@deviation("statements")
def a_statement_reads_by_its_own_rules_and_counts_the_least(stack: Stack) -> None:
    rows = stack.root("dynamodb")
    name = key(ACME, "large")
    rows.put_item(TableName=stack.table, Item={**name, "text": {"S": "x" * 20_000}})
    statement = f"SELECT * FROM \"{stack.table}\" WHERE pk = '{name['pk']['S']}' AND sk = '{name['sk']['S']}'"
    counted = rows.execute_statement(Statement=statement, ReturnConsumedCapacity="TOTAL")
    read = rows.get_item(TableName=stack.table, Key=name, ReturnConsumedCapacity="TOTAL")
    assert read["ConsumedCapacity"]["CapacityUnits"] == 2.5
    assert counted["ConsumedCapacity"]["CapacityUnits"] < 2.5


@contextmanager
def _small_table(stack: Stack, **more: Any) -> Iterator[Any]:
    tables = stack.root("dynamodb")
    tables.create_table(**table("p", TableName="deviates", **more))
    try:
        yield tables
    finally:
        tables.delete_table(TableName="deviates")


@deviation("tables-at-once")
def a_table_changes_at_once(stack: Stack) -> None:
    with _small_table(stack) as tables:
        made = tables.describe_table(TableName="deviates")["Table"]
        assert made["TableStatus"] == "ACTIVE"
        new = [{"Create": index("new", "p")}]
        tables.update_table(TableName="deviates", AttributeDefinitions=attributes("p"), GlobalSecondaryIndexUpdates=new)
        made = tables.describe_table(TableName="deviates")["Table"]
        assert made["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE"
        tables.tag_resource(ResourceArn=made["TableArn"], Tags=[{"Key": "a", "Value": "b"}])
        tables.tag_resource(ResourceArn=made["TableArn"], Tags=[{"Key": "c", "Value": "d"}])
    assert "deviates" not in stack.root("dynamodb").list_tables()["TableNames"]


@deviation("changes-of-expiry")
def expiry_changes_twice(stack: Stack) -> None:
    with _small_table(stack) as tables:
        for enabled in (True, False, True):
            specification = {"AttributeName": "e", "Enabled": enabled}
            tables.update_time_to_live(TableName="deviates", TimeToLiveSpecification=specification)


@deviation("warm-throughput")
def warm_throughput_falls(stack: Stack) -> None:
    with _small_table(stack, BillingMode=None, ProvisionedThroughput=units(5, 5)) as tables:
        tables.update_table(TableName="deviates", ProvisionedThroughput=units(3, 3))
        warm = tables.describe_table(TableName="deviates")["Table"]["WarmThroughput"]
        assert warm["ReadUnitsPerSecond"] == 3
        tables.update_table(TableName="deviates", WarmThroughput={"ReadUnitsPerSecond": 1, "WriteUnitsPerSecond": 1})
        assert tables.describe_table(TableName="deviates")["Table"]["WarmThroughput"]["ReadUnitsPerSecond"] == 1
