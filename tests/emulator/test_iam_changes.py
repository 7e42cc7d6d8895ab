"""Changes in IAM count on the next request: versions, attachments, boundaries, revocation, suspension."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.emulator.test_principals import Key, assume
from tests.emulator.world import (
    ACME,
    ACME_OWNER,
    GLOBEX,
    GLOBEX_OWNER,
    REGION,
    Stack,
    build,
    claims,
    client,
    key,
    refusal,
)

NOBODY = "00000000-0000-0000-0000-000000000000"
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@pytest.fixture(scope="module")
def changing_stack(emulator: Any) -> Stack:
    """A separate stack, because these tests change its policies."""
    return build(emulator, name="changing", PortalPrincipal="arn:aws:iam::123456789012:root")


@pytest.fixture(scope="module")
def portal(changing_stack: Stack) -> Key:
    root = changing_stack.emulator.root
    return assume(changing_stack, Key(root.access_key_id, root.secret_access_key))


@pytest.fixture
def role(changing_stack: Stack) -> Iterator[str]:
    """A role without policies that root may assume."""
    iam, name = changing_stack.root("iam"), "somebody"
    trusted = {"AWS": "arn:aws:iam::123456789012:root"}
    trust = {"Effect": "Allow", "Principal": trusted, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
    yield name
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=name)


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def suspension(*orgs: str) -> str:
    condition = {"StringEquals": {"aws:PrincipalTag/org": list(orgs)}}
    return document({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition})


def assume_named_role(stack: Stack, name: str, **more: Any) -> Key:
    root = stack.emulator.root
    arn = f"arn:aws:iam::123456789012:role/{name}"
    return assume(stack, Key(root.access_key_id, root.secret_access_key), **{"RoleArn": arn, **more})


def is_allowed(call: Any, **parameters: Any) -> bool:
    """False if access is denied. Other errors are raised."""
    try:
        call(**parameters)
    except ClientError as failure:
        if not failure.response["Error"]["Code"].startswith("AccessDenied"):
            raise
        return False
    return True


def can_read(db: Any, table: str, org: str) -> bool:
    return is_allowed(db.get_item, TableName=table, Key=key(org))


# ── Suspension ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_suspension_denies_issued_credentials_at_once(changing_stack: Stack, portal: Key) -> None:
    acme, globex = changing_stack.dynamodb(ACME_OWNER), changing_stack.dynamodb(GLOBEX_OWNER)
    assert can_read(acme, changing_stack.table, ACME)
    assert can_read(globex, changing_stack.table, GLOBEX)
    iam, policy = client(changing_stack.emulator, "iam", portal), changing_stack.outputs["SuspensionPolicyArn"]
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=suspension(ACME), SetAsDefault=True)
    error = refusal(acme.get_item, TableName=changing_stack.table, Key=key(ACME))
    assert error["code"] == "AccessDeniedException"
    assert error["message"].endswith("with an explicit deny in an identity-based policy")
    assert refusal(acme.get_item, TableName=changing_stack.table, Key=key("PUBLIC"))["code"] == "AccessDeniedException"
    assert can_read(globex, changing_stack.table, GLOBEX)
    fresh = client(
        changing_stack.emulator, "dynamodb", changing_stack.exchange(changing_stack.tokens(ACME_OWNER).id_token)
    )
    assert not can_read(fresh, changing_stack.table, ACME)
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=suspension(NOBODY), SetAsDefault=True)
    assert can_read(acme, changing_stack.table, ACME)


def test_a_policy_has_at_most_five_versions_and_keeps_its_default(changing_stack: Stack) -> None:
    iam = changing_stack.root("iam")
    arn = iam.create_policy(PolicyName="versions", PolicyDocument=document(EVERYTHING))["Policy"]["Arn"]
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(EVERYTHING))
    error = refusal(iam.create_policy_version, PolicyArn=arn, PolicyDocument=document(EVERYTHING))
    assert (error["code"], error["status"]) == ("LimitExceeded", 409)
    assert refusal(iam.delete_policy_version, PolicyArn=arn, VersionId="v1")["code"] == "DeleteConflict"
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v5")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v5"
    assert refusal(iam.get_policy_version, PolicyArn=arn, VersionId="v1")["code"] == "NoSuchEntity"


def test_a_policy_longer_than_iams_quota_is_refused(changing_stack: Stack, role: str) -> None:
    iam = changing_stack.root("iam")
    managed, inline = suspension(*[ACME] * 170), suspension(*[ACME] * 240)
    assert refusal(iam.create_policy, PolicyName="long", PolicyDocument=managed)["code"] == "LimitExceeded"
    spaced = json.dumps(json.loads(suspension(*[ACME] * 140)), indent=60)
    assert len(spaced) > 6144
    iam.create_policy(PolicyName="spaced", PolicyDocument=spaced)
    iam.put_role_policy(RoleName=role, PolicyName="one", PolicyDocument=inline)
    error = refusal(iam.put_role_policy, RoleName=role, PolicyName="two", PolicyDocument=inline)
    assert (error["code"], error["status"]) == ("LimitExceeded", 409)
    iam.put_role_policy(RoleName=role, PolicyName="one", PolicyDocument=inline)


# ── Policies of a role ──────────────────────────────────────────────────────────────────────────────────────────────


def test_changed_policies_count_on_the_next_request(changing_stack: Stack, role: str) -> None:
    iam, stacks = (
        changing_stack.root("iam"),
        client(changing_stack.emulator, "iam", assume_named_role(changing_stack, role)),
    )
    allow = iam.create_policy(PolicyName="allow", PolicyDocument=document(EVERYTHING))["Policy"]["Arn"]
    only = document({"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"})
    narrow = iam.create_policy(PolicyName="narrow", PolicyDocument=only)["Policy"]["Arn"]
    assert "no identity-based policy allows" in refusal(stacks.list_users)["message"]
    iam.attach_role_policy(RoleName=role, PolicyArn=allow)
    assert stacks.list_users()["Users"] is not None
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=narrow)
    assert "no permissions boundary allows" in refusal(stacks.list_users)["message"]
    assert stacks.list_roles()["Roles"]
    iam.delete_role_permissions_boundary(RoleName=role)
    deny = {"Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*"}
    iam.put_role_policy(RoleName=role, PolicyName="deny", PolicyDocument=document(deny))
    assert "explicit deny" in refusal(stacks.list_users)["message"]
    iam.delete_role_policy(RoleName=role, PolicyName="deny")
    iam.detach_role_policy(RoleName=role, PolicyArn=allow)
    assert refusal(stacks.list_roles)["code"] == "AccessDenied"


def test_revoking_older_sessions_spares_later_ones_and_user_keys(changing_stack: Stack, role: str) -> None:
    iam = changing_stack.root("iam")
    iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=document(EVERYTHING))
    api = client(changing_stack.emulator, "iam", assume_named_role(changing_stack, role))
    for before, refused in (("2020-01-01T00:00:00Z", False), ("2100-01-01T00:00:00Z", True)):
        condition = {"DateLessThan": {"aws:TokenIssueTime": before}}
        revoked = document({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition})
        iam.put_role_policy(RoleName=role, PolicyName="AWSRevokeOlderSessions", PolicyDocument=revoked)
        assert (not is_allowed(api.list_roles)) is refused
    # A long-term key has no issue time, so the condition never matches it.
    iam.create_user(UserName="lasting")
    iam.put_user_policy(UserName="lasting", PolicyName="all", PolicyDocument=document(EVERYTHING))
    iam.put_user_policy(UserName="lasting", PolicyName="revoked", PolicyDocument=revoked)
    made = iam.create_access_key(UserName="lasting")["AccessKey"]
    lasting = client(changing_stack.emulator, "iam", Key(made["AccessKeyId"], made["SecretAccessKey"]))
    assert is_allowed(lasting.list_roles)


# ── Sessions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_transitive_tag_is_inherited_and_cannot_be_changed(changing_stack: Stack, role: str) -> None:
    iam = changing_stack.root("iam")
    own = f"arn:aws:iam::123456789012:role/{role}"
    trusted = {"AWS": ["arn:aws:iam::123456789012:root", own]}
    trust = {"Effect": "Allow", "Principal": trusted, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=document(trust))
    only = {**EVERYTHING, "Condition": {"StringEquals": {"aws:PrincipalTag/org": ACME}}}
    iam.put_role_policy(RoleName=role, PolicyName="acme", PolicyDocument=document(only))
    tags = [{"Key": "org", "Value": ACME}, {"Key": "role", "Value": "owner"}]
    first = assume_named_role(changing_stack, role, Tags=tags, TransitiveTagKeys=["org"])
    second = assume(changing_stack, first, RoleArn=own)
    assert client(changing_stack.emulator, "iam", second).list_roles()["Roles"]
    sts = client(changing_stack.emulator, "sts", first)
    again = [{"Key": "ORG", "Value": GLOBEX}]
    error = refusal(sts.assume_role, RoleArn=own, RoleSessionName="again", Tags=again)
    assert error["code"] == "InvalidParameterValue"
    lasting = assume_named_role(changing_stack, role, Tags=tags)
    plain = assume(changing_stack, lasting, RoleArn=own)
    assert refusal(client(changing_stack.emulator, "iam", plain).list_roles)["code"] == "AccessDenied"


def test_a_session_policy_has_its_limits(changing_stack: Stack, role: str) -> None:
    sts = changing_stack.root("sts")
    one = {"RoleArn": f"arn:aws:iam::123456789012:role/{role}", "RoleSessionName": "x1"}
    assert refusal(sts.assume_role, **one, Policy=suspension(*[ACME] * 60))["code"] == "ValidationError"
    arns = [{"arn": changing_stack.outputs["SuspensionPolicyArn"]}] * 11
    assert refusal(sts.assume_role, **one, PolicyArns=arns)["code"] == "ValidationError"


def test_get_caller_identity_needs_no_permission(changing_stack: Stack, role: str) -> None:
    everything_denied = document({**EVERYTHING, "Effect": "Deny"})
    changing_stack.root("iam").put_role_policy(RoleName=role, PolicyName="deny", PolicyDocument=everything_denied)
    who = client(changing_stack.emulator, "sts", assume_named_role(changing_stack, role)).get_caller_identity()
    assert who["Arn"] == f"arn:aws:sts::123456789012:assumed-role/{role}/portal"


# ── Delayed changes ─────────────────────────────────────────────────────────────────────────────────────────────────


def switch(stack: Stack, what: str, **data: Any) -> requests.Response:
    secret = stack.emulator.root.secret_access_key
    address = f"{stack.emulator.endpoint_url}/_emulator/{what}"
    return requests.post(address, json=data, headers={"X-Emulator-Root-Secret": secret}, timeout=5)


def test_iam_changes_can_be_delayed(changing_stack: Stack, role: str) -> None:
    iam, api = (
        changing_stack.root("iam"),
        client(changing_stack.emulator, "iam", assume_named_role(changing_stack, role)),
    )
    assert switch(changing_stack, "propagation", seconds=30).status_code == 204
    try:
        iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=document(EVERYTHING))
        assert refusal(api.list_roles)["code"] == "AccessDenied"
        assert iam.get_role_policy(RoleName=role, PolicyName="all")["PolicyDocument"]
        switch(changing_stack, "clock", offset_seconds=31)
        assert api.list_roles()["Roles"]
        iam.delete_role_policy(RoleName=role, PolicyName="all")
        assert api.list_roles()["Roles"]
    finally:
        switch(changing_stack, "propagation", seconds=0)
        switch(changing_stack, "clock", offset_seconds=0)
    assert refusal(api.list_roles)["code"] == "AccessDenied"


@pytest.mark.parametrize("seconds", [-1, 4000, "10", None, True])
def test_an_invalid_delay_is_refused(changing_stack: Stack, seconds: Any) -> None:
    assert switch(changing_stack, "propagation", seconds=seconds).status_code == 400


def test_without_an_org_claim_the_roles_own_tag_applies(changing_stack: Stack) -> None:
    """AWS falls back to the role's tag, so the role must have none."""
    iam, name = changing_stack.root("iam"), changing_stack.outputs["TenantRoleArn"].rpartition("/")[2]
    person = changing_stack.newcomer(org="", role="owner")
    token = changing_stack.tokens(person).id_token
    assert "custom:org" not in claims(token)
    db = client(changing_stack.emulator, "dynamodb", changing_stack.exchange(token))
    assert not can_read(db, changing_stack.table, ACME)
    iam.tag_role(RoleName=name, Tags=[{"Key": "org", "Value": ACME}])
    try:
        assert can_read(db, changing_stack.table, ACME)
        assert not can_read(changing_stack.dynamodb(GLOBEX_OWNER), changing_stack.table, ACME)
    finally:
        iam.untag_role(RoleName=name, TagKeys=["org"])
    assert changing_stack.provider.startswith(f"cognito-idp.{REGION}")
