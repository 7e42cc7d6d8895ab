"""The role that closes a tenant: who may assume it, with which tag, and which rows it reaches."""

import json
from typing import Any

import pytest

from tests.emulator.test_principals import Key, assume
from tests.emulator.world import ACME, ACME_OWNER, GLOBEX, Stack, build, client, key, refusal, row

ROOT = "arn:aws:iam::123456789012:root"


@pytest.fixture(scope="module")
def closing_stack(emulator: Any) -> Stack:
    return build(emulator, name="closing", PortalPrincipal=ROOT, ClosingPrincipal=ROOT)


@pytest.fixture(scope="module")
def root(closing_stack: Stack) -> Key:
    return Key(closing_stack.emulator.root.access_key_id, closing_stack.emulator.root.secret_access_key)


@pytest.fixture(scope="module")
def job(closing_stack: Stack, root: Key) -> Key:
    return assume(closing_stack, root, RoleArn=closing_stack.outputs["ClosingJobRoleArn"])


def assume_parameters(closing_stack: Stack, who: Key, /, **tags: str) -> dict[str, Any]:
    """The parameters of AssumeRole for `who`."""
    asked = {"RoleArn": closing_stack.outputs["ClosingRoleArn"], "RoleSessionName": "closing-test"}
    return {**asked, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]} if tags else asked


def client_for_org(closing_stack: Stack, job: Key, org: str) -> Any:
    return client(
        closing_stack.emulator, "dynamodb", assume(closing_stack, job, **assume_parameters(closing_stack, job, org=org))
    )


def query(closing_stack: Stack, partition: str) -> dict[str, Any]:
    return {
        "TableName": closing_stack.table,
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": partition}},
        "ConsistentRead": True,
    }


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"role": "owner"},
        {"Org": ACME},
        {"org": ACME, "role": "owner"},
        {"org": "PUBLIC"},
        {"org": "x" * 36},
        {"org": ""},
    ],
    ids=str,
)
def test_the_closing_role_needs_one_org_tag_and_no_other(closing_stack: Stack, job: Key, tags: dict[str, str]) -> None:
    sts = client(closing_stack.emulator, "sts", job)
    error = refusal(sts.assume_role, **assume_parameters(closing_stack, job, **tags))
    assert (error["code"], error["status"]) == ("AccessDenied", 403)
    assert "is not authorized to perform: sts:" in error["message"]


def test_only_the_job_assumes_the_closing_role(closing_stack: Stack, root: Key, job: Key) -> None:
    portal = assume(closing_stack, root)
    member = closing_stack.credentials(ACME_OWNER)
    for who in (portal, member, root):
        sts = client(closing_stack.emulator, "sts", who)
        assert refusal(sts.assume_role, **assume_parameters(closing_stack, who, org=ACME))["code"] == "AccessDenied"
    for who in (portal, member):
        sts = client(closing_stack.emulator, "sts", who)
        asked = {"RoleArn": closing_stack.outputs["ClosingJobRoleArn"], "RoleSessionName": "closing-test"}
        assert refusal(sts.assume_role, **asked)["code"] == "AccessDenied"


def test_the_job_role_reaches_no_row_and_no_other_role(closing_stack: Stack, job: Key) -> None:
    db = client(closing_stack.emulator, "dynamodb", job)
    assert refusal(db.query, **query(closing_stack, f"{ACME}#orders"))["code"] == "AccessDeniedException"
    assert refusal(db.scan, TableName=closing_stack.table)["code"] == "AccessDeniedException"
    sts = client(closing_stack.emulator, "sts", job)
    for role in ("TenantRoleArn", "PortalRoleArn"):
        asked = {**assume_parameters(closing_stack, job, org=ACME), "RoleArn": closing_stack.outputs[role]}
        assert refusal(sts.assume_role, **asked)["code"] == "AccessDenied"


def test_a_chained_session_lasts_at_most_an_hour(closing_stack: Stack, job: Key) -> None:
    sts = client(closing_stack.emulator, "sts", job)
    error = refusal(sts.assume_role, **assume_parameters(closing_stack, job, org=ACME), DurationSeconds=3601)
    assert error["code"] == "ValidationError"


def test_the_closing_role_reaches_only_rows_of_its_tag(closing_stack: Stack, job: Key) -> None:
    db, own = client_for_org(closing_stack, job, ACME), key(ACME, "closing")
    closing_stack.root("dynamodb").put_item(TableName=closing_stack.table, Item=own)
    assert len(db.query(**query(closing_stack, f"{ACME}#orders"))["Items"]) == 4
    db.delete_item(TableName=closing_stack.table, Key=own)
    assert len(db.query(**query(closing_stack, f"{ACME}#orders"))["Items"]) == 3
    for org in (GLOBEX, "PUBLIC"):
        assert refusal(db.query, **query(closing_stack, f"{org}#orders"))["code"] == "AccessDeniedException"
        error = refusal(db.delete_item, TableName=closing_stack.table, Key=key(org))
        assert error["code"] == "AccessDeniedException"
        assert refusal(db.query, **query(closing_stack, f"{org}#"))["code"] == "AccessDeniedException"


def test_the_closing_role_can_only_query_and_delete_rows(closing_stack: Stack, job: Key) -> None:
    db, table = client_for_org(closing_stack, job, ACME), closing_stack.table
    select = f"SELECT * FROM \"{table}\" WHERE pk = '{ACME}#orders'"
    delete = {"DeleteRequest": {"Key": key(ACME)}}
    for operation, more in {
        "scan": {"TableName": table},
        "get_item": {"TableName": table, "Key": key(ACME)},
        "put_item": {"TableName": table, "Item": row(ACME, "new")},
        "update_item": {"TableName": table, "Key": key(ACME)},
        "batch_get_item": {"RequestItems": {table: {"Keys": [key(ACME)]}}},
        "batch_write_item": {"RequestItems": {table: [delete]}},
        "execute_statement": {"Statement": select},
        "transact_write_items": {"TransactItems": [{"Put": {"TableName": table, "Item": row(ACME, "new")}}]},
        "describe_table": {"TableName": table},
    }.items():
        assert refusal(getattr(db, operation), **more)["code"] == "AccessDeniedException", operation


def test_a_closing_session_cannot_change_its_tag(closing_stack: Stack, job: Key) -> None:
    mine = assume(closing_stack, job, **assume_parameters(closing_stack, job, org=ACME))
    sts = client(closing_stack.emulator, "sts", mine)
    assert refusal(sts.assume_role, **assume_parameters(closing_stack, mine, org=GLOBEX))["code"] == "AccessDenied"


def test_tag_conditions_apply_in_the_callers_own_policies(closing_stack: Stack) -> None:
    """If a role trusts the caller's account, the caller's own policies decide too."""
    iam = closing_stack.root("iam")
    iam.create_user(UserName="tagger")
    made = iam.create_access_key(UserName="tagger")["AccessKey"]
    who = Key(made["AccessKeyId"], made["SecretAccessKey"])
    trust = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    role = iam.create_role(RoleName="trusting", AssumeRolePolicyDocument=_document(trust))["Role"]["Arn"]
    only = {"ForAllValues:StringEquals": {"aws:TagKeys": ["org"]}, "Null": {"aws:RequestTag/org": "false"}}
    allowed = {"Effect": "Allow", "Action": trust["Action"], "Resource": role, "Condition": only}
    iam.put_user_policy(UserName="tagger", PolicyName="tagging", PolicyDocument=_document(allowed))
    sts = client(closing_stack.emulator, "sts", who)
    assert sts.assume_role(**{**assume_parameters(closing_stack, who, org=ACME), "RoleArn": role})["Credentials"]
    for wrong in ({}, {"role": "x"}, {"org": ACME, "role": "x"}, {"Org": ACME}):
        asked = {**assume_parameters(closing_stack, who, **wrong), "RoleArn": role}
        assert refusal(sts.assume_role, **asked)["code"] == "AccessDenied", wrong


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
