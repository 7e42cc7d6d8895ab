"""The table of the stack: its keys may have other names, and it may be one that was there before."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from emulator.client import seeding
from emulator.client.deploy import DeployFailed, deploy
from emulator.client.process import Emulator
from iam import Policy, Request, decide, parse_policy
from portal.template import read_template
from tests.emulator.world import TEMPLATE as FILE

PARAMETERS = read_template()["Parameters"]
ORG = "11111111-2222-4333-8444-555555555555"


def outputs_of(emulator: Emulator, name: str, **parameters: str) -> dict[str, str]:
    given = {"DeletionProtection": "false", "DomainPrefix": name, "PublicReads": "true", **parameters}
    found: dict[str, str] = deploy(
        emulator.endpoint_url, emulator.root, template=FILE, stack_name=name, parameters=given
    )
    return found


def root(emulator: Emulator, service: str) -> Any:
    return seeding.clients(emulator.endpoint_url, emulator.root)(service)


def schema(emulator: Emulator, table: str) -> list[tuple[str, str]]:
    described = root(emulator, "dynamodb").describe_table(TableName=table)["Table"]
    return [(key["KeyType"], key["AttributeName"]) for key in described["KeySchema"]]


@pytest.fixture(scope="module")
def existing(emulator: Emulator) -> str:
    """The ARN of a table of an application."""
    made = root(emulator, "dynamodb").create_table(
        TableName="orders-of.everybody",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("Tenant.Key", "Name")],
        KeySchema=[
            {"AttributeName": "Tenant.Key", "KeyType": "HASH"},
            {"AttributeName": "Name", "KeyType": "RANGE"},
        ],
    )
    return str(made["TableDescription"]["TableArn"])


def test_the_keys_have_the_usual_names_by_default(emulator: Emulator) -> None:
    outputs = outputs_of(emulator, "usual-keys")
    assert outputs["RecordKeys"] == "pk,sk"
    assert schema(emulator, outputs["TableName"]) == [("HASH", "pk"), ("RANGE", "sk")]


def test_the_keys_can_have_other_names(emulator: Emulator) -> None:
    outputs = outputs_of(emulator, "other-keys", PartitionKey="Tenant.Key", SortKey="sort-of name")
    assert outputs["RecordKeys"] == "Tenant.Key,sort-of name"
    assert schema(emulator, outputs["TableName"]) == [("HASH", "Tenant.Key"), ("RANGE", "sort-of name")]


def test_two_keys_with_one_name_are_refused(emulator: Emulator) -> None:
    with pytest.raises(DeployFailed, match="two different attributes"):
        outputs_of(emulator, "one-key", PartitionKey="Name", SortKey="Name")


@pytest.mark.parametrize("name", ["_pk", "a,b", " a", "a ", "", "x" * 256])
def test_names_that_the_setting_could_not_hold_are_refused(name: str) -> None:
    for parameter in ("PartitionKey", "SortKey"):
        assert not re.fullmatch(PARAMETERS[parameter]["AllowedPattern"], name)


@pytest.mark.parametrize("name", ["pk", "P", "Name", "Tenant.Key", "sort-of name", "\u00fc#1", "x" * 255])
def test_other_names_are_accepted(name: str) -> None:
    assert re.fullmatch(PARAMETERS["PartitionKey"]["AllowedPattern"], name)


def test_a_stack_on_an_existing_table_makes_none(emulator: Emulator, existing: str) -> None:
    before = root(emulator, "dynamodb").list_tables()["TableNames"]
    outputs = outputs_of(emulator, "on-existing", ExistingTable=existing, PartitionKey="Tenant.Key", SortKey="Name")
    assert root(emulator, "dynamodb").list_tables()["TableNames"] == before
    assert (outputs["TableName"], outputs["TableArn"]) == ("orders-of.everybody", existing)
    assert outputs["RecordKeys"] == "Tenant.Key,Name"


def test_every_policy_about_rows_names_the_existing_table(emulator: Emulator, existing: str) -> None:
    outputs_of(emulator, "on-existing", ExistingTable=existing, PartitionKey="Tenant.Key", SortKey="Name")
    keys: dict[str, Any] = {"dynamodb:LeadingKeys": [f"{ORG}#orders"]}
    tags = {"aws:PrincipalTag/org": ORG, "aws:PrincipalTag/role": "viewer"}
    reads = Request("dynamodb:Query", existing, {**keys, **tags})
    elsewhere = Request("dynamodb:Query", f"{existing}-2", {**keys, **tags})
    for role in ("TenantRole", "ClosingRole"):
        identity, boundary = policies(emulator, "on-existing", role)
        assert decide(reads, identity=identity, boundary=boundary).allowed, role
        assert not decide(elsewhere, identity=identity, boundary=boundary).allowed, role
    public = Request("dynamodb:Query", existing, {"dynamodb:LeadingKeys": ["PUBLIC#news"]})
    assert decide(public, identity=policies(emulator, "on-existing", "GuestRole")[0]).allowed


def policies(emulator: Emulator, stack: str, role: str) -> tuple[list[Policy], list[Policy]]:
    """A role's inline policies and its boundary, as they are deployed."""
    iam = root(emulator, "iam")
    found = root(emulator, "cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=role)
    name = found["StackResourceDetail"]["PhysicalResourceId"]
    inline = [
        parse_policy(as_document(iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]), name=policy)
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    arn = iam.get_role(RoleName=name)["Role"].get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    if arn is None:
        return inline, []
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return inline, [parse_policy(as_document(document), name="boundary")]


def as_document(document: Any) -> Any:
    return json.loads(document) if isinstance(document, str) else document
