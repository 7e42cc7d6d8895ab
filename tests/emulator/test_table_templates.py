"""Tables of templates are checked as CreateTable checks them, and leave nothing behind."""

import json
import secrets
from typing import Any

import pytest

from emulator.client.deploy import DeployFailed, deploy
from emulator.client.process import Emulator
from tests.emulator.definitions import index, table, units
from tests.emulator.test_table_definitions import REFUSED, G, projected
from tests.emulator.world import client


def deployed(emulator: Emulator, properties: dict[str, Any], stack_name: str) -> None:
    body = json.dumps({"Resources": {"Thing": {"Type": "AWS::DynamoDB::Table", "Properties": properties}}})
    deploy(emulator.endpoint_url, emulator.root, template=body, stack_name=stack_name)


def delete(emulator: Emulator, stack_name: str) -> None:
    stacks: Any = client(emulator, "cloudformation", emulator.root)
    stacks.delete_stack(StackName=stack_name)


@pytest.mark.parametrize(
    "case",
    ["a spare definition", "an index key without definition", "no type of projection", "five HASH attributes",
     "no units", "an index without units", "a reserved tag"],
)  # fmt: skip
def test_a_template_is_refused_in_the_same_words(emulator: Emulator, tables: Any, case: str) -> None:
    request, text = REFUSED[case]
    with pytest.raises(DeployFailed) as failure:
        deployed(emulator, request, f"refused-{list(REFUSED).index(case)}")
    assert text in str(failure.value)
    assert "defined" not in tables.list_tables()["TableNames"]


def test_a_template_may_write_numbers_as_text(emulator: Emulator, tables: Any) -> None:
    text = {"ReadCapacityUnits": "3", "WriteCapacityUnits": "2"}
    wanted = table(
        "p", BillingMode=None, ProvisionedThroughput=text, **{G: [index("all", "p", ProvisionedThroughput=text)]}
    )
    deployed(emulator, wanted, "text-numbers")
    described = tables.describe_table(TableName="defined")["Table"]
    delete(emulator, "text-numbers")
    assert described["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **units(3, 2)}
    assert described[G][0]["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **units(3, 2)}
    assert described[G][0]["IndexStatus"] == "ACTIVE"
    assert described[G][0]["IndexArn"].endswith(":table/defined/index/all")
    assert "BillingModeSummary" not in described


def test_a_template_does_not_replace_a_table_that_it_did_not_make(emulator: Emulator, tables: Any) -> None:
    tables.create_table(**table("p"))
    tables.put_item(TableName="defined", Item={"p": {"S": "kept"}})
    with pytest.raises(DeployFailed, match="already exists"):
        deployed(emulator, table("p"), "replacing")
    kept = tables.get_item(TableName="defined", Key={"p": {"S": "kept"}})
    tables.delete_table(TableName="defined")
    assert kept["Item"] == {"p": {"S": "kept"}}


@pytest.mark.parametrize(
    ("number", "indexes", "text"),
    [
        (1, [index("one", "p"), index("two", "p"), index("three", "p")], "more than one GSI creation or deletion"),
        (2, [index("one", "p", **projected("KEYS_ONLY"))], "Cannot update GSI's properties"),
    ],
)
def test_an_update_of_a_stack_makes_one_index_at_most(
    emulator: Emulator, tables: Any, number: int, indexes: list[dict[str, Any]], text: str
) -> None:
    name = f"indexes-{number}"
    deployed(emulator, table("p"), name)
    deployed(emulator, table("p", **{G: [index("one", "p")]}), name)
    with pytest.raises(DeployFailed, match=text):
        deployed(emulator, table("p", **{G: indexes}), name)
    assert tables.describe_table(TableName="defined")["Table"][G][0]["Projection"] == {"ProjectionType": "ALL"}
    delete(emulator, name)


def test_a_table_of_a_deleted_stack_leaves_no_settings_behind(emulator: Emulator, tables: Any) -> None:
    expiry = {"TimeToLiveSpecification": {"AttributeName": "e", "Enabled": True}}
    deployed(emulator, {**table("p", Tags=[{"Key": "a", "Value": "b"}]), **expiry}, "settings")
    delete(emulator, "settings")
    arn = tables.create_table(**table("p"))["TableDescription"]["TableArn"]
    status = tables.describe_time_to_live(TableName="defined")["TimeToLiveDescription"]
    found = tables.list_tags_of_resource(ResourceArn=arn)["Tags"]
    tables.delete_table(TableName="defined")
    assert (status, found) == ({"TimeToLiveStatus": "DISABLED"}, [])


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"TimeToLiveSpecification": {"Enabled": True}}, "timeToLiveSpecification.attributeName"),
        (
            {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 36}},
            "pointInTimeRecoverySpecification.recoveryPeriodInDays",
        ),
        (
            {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": False, "RecoveryPeriodInDays": 5}},
            "Cannot specify RecoveryPeriodInDays when disabling",
        ),
    ],
)
def test_a_table_whose_settings_are_refused_is_not_made(
    emulator: Emulator, tables: Any, settings: dict[str, Any], text: str
) -> None:
    with pytest.raises(DeployFailed, match=text):
        deployed(emulator, {**table("p"), **settings}, f"unset-{secrets.token_hex(4)}")
    assert "defined" not in tables.list_tables()["TableNames"]


def test_expiry_may_be_off_without_a_name(emulator: Emulator, tables: Any) -> None:
    deployed(emulator, {**table("p"), "TimeToLiveSpecification": {"Enabled": "false"}}, "no-expiry")
    status = tables.describe_time_to_live(TableName="defined")["TimeToLiveDescription"]
    delete(emulator, "no-expiry")
    assert status == {"TimeToLiveStatus": "DISABLED"}


def test_the_name_of_the_expiry_changes_only_while_it_is_off(emulator: Emulator, tables: Any) -> None:
    def change(name: str, *, on: bool = True) -> None:
        expiry = {"TimeToLiveSpecification": {"AttributeName": name, "Enabled": on}}
        deployed(emulator, {**table("p"), **expiry}, "renamed-expiry")

    change("old")
    with pytest.raises(DeployFailed, match="TimeToLive is active on a different AttributeName"):
        change("new")
    change("old", on=False)
    change("new")
    status = tables.describe_time_to_live(TableName="defined")["TimeToLiveDescription"]
    delete(emulator, "renamed-expiry")
    assert status == {"TimeToLiveStatus": "ENABLED", "AttributeName": "new"}


def test_a_protected_table_stays_when_its_stack_is_deleted(emulator: Emulator, tables: Any) -> None:
    deployed(emulator, table("p", DeletionProtectionEnabled=True), "protected")
    delete(emulator, "protected")
    stacks: Any = client(emulator, "cloudformation", emulator.root)
    assert stacks.describe_stacks(StackName="protected")["Stacks"][0]["StackStatus"] == "DELETE_FAILED"
    tables.update_table(TableName="defined", DeletionProtectionEnabled=False)
    delete(emulator, "protected")
    assert "defined" not in tables.list_tables()["TableNames"]
