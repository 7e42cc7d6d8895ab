"""Which claims of a token become session tags."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.test_identity_pool import anonymous
from tests.emulator.world import ACME, GLOBEX, Stack, build, claims, client, key, refusal

MISCONFIGURED = "Invalid identity pool configuration. Check assigned IAM roles for this pool."


@pytest.fixture(scope="module")
def mapped_stack(emulator: Any) -> Stack:
    return build(emulator, name="mapped")


@pytest.fixture
def set_map(mapped_stack: Stack) -> Iterator[Any]:
    """Sets the tag map of the stack's provider, and restores the template's map afterwards."""
    pools = mapped_stack.root("cognito-identity")
    where = {"IdentityPoolId": mapped_stack.outputs["IdentityPoolId"], "IdentityProviderName": mapped_stack.provider}

    def set_tag_map(**more: Any) -> Any:
        return pools.set_principal_tag_attribute_map(**where, **{"UseDefaults": False, "PrincipalTags": {}, **more})

    yield set_tag_map
    set_tag_map(PrincipalTags={"org": "custom:org", "role": "custom:role"})


def can_read(stack: Stack, credentials: Any, org: str = ACME) -> bool:
    db = client(stack.emulator, "dynamodb", credentials)
    try:
        return "Item" in db.get_item(TableName=stack.table, Key=key(org))
    except ClientError:
        return False


def test_a_tag_has_the_value_of_its_mapped_claim(mapped_stack: Stack, set_map: Any) -> None:
    person = mapped_stack.newcomer(role="editor", name=GLOBEX)
    token = mapped_stack.tokens(person).id_token
    assert can_read(mapped_stack, mapped_stack.exchange(token))
    set_map(PrincipalTags={"org": "name", "role": "custom:role"})
    swapped = mapped_stack.exchange(token)
    assert not can_read(mapped_stack, swapped)
    assert can_read(mapped_stack, swapped, GLOBEX)


def test_a_missing_claim_gives_no_tag_but_credentials(mapped_stack: Stack, set_map: Any) -> None:
    token = mapped_stack.tokens(mapped_stack.newcomer()).id_token
    set_map(PrincipalTags={"org": "custom:absent", "role": "custom:role"})
    assert not can_read(mapped_stack, mapped_stack.exchange(token))


def test_the_default_map_sets_only_username_and_client(mapped_stack: Stack, set_map: Any) -> None:
    token = mapped_stack.tokens(mapped_stack.newcomer()).id_token
    set_map(UseDefaults=True)
    given = mapped_stack.exchange(token)
    assert not can_read(mapped_stack, given)
    iam, name = mapped_stack.root("iam"), mapped_stack.outputs["TenantRoleArn"].rpartition("/")[2]
    iam.delete_role_permissions_boundary(RoleName=name)
    tags = {"aws:PrincipalTag/username": claims(token)["sub"], "aws:PrincipalTag/client": mapped_stack.client_id}
    allowed = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*", "Condition": {"StringEquals": tags}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=name, PolicyName="who", PolicyDocument=policy)
    rows, key = client(mapped_stack.emulator, "dynamodb", given), {"pk": {"S": "any"}, "sk": {"S": "any"}}
    assert "Item" not in rows.get_item(TableName=mapped_stack.outputs["TableName"], Key=key)
    iam.delete_role_policy(RoleName=name, PolicyName="who")


@pytest.mark.parametrize("claim", ["email_verified", "auth_time"])
def test_a_claim_that_is_not_text_gives_no_credentials(mapped_stack: Stack, set_map: Any, claim: str) -> None:
    token = mapped_stack.tokens(mapped_stack.newcomer()).id_token
    assert not isinstance(claims(token)[claim], str)
    set_map(PrincipalTags={"org": "custom:org", "role": "custom:role", "more": claim})
    with pytest.raises(ClientError, match=MISCONFIGURED):
        mapped_stack.exchange(token)


@pytest.mark.parametrize("value", ["*", "a?", f"{ACME}#", "${aws:PrincipalTag/role}", "x" * 257, "a,b", "tab\there"])
def test_a_claim_that_is_not_a_legal_tag_gives_no_credentials(mapped_stack: Stack, set_map: Any, value: str) -> None:
    token = mapped_stack.tokens(mapped_stack.newcomer(name=value)).id_token
    set_map(PrincipalTags={"org": "name", "role": "custom:role"})
    with pytest.raises(ClientError, match=MISCONFIGURED):
        mapped_stack.exchange(token)


@pytest.mark.parametrize(
    "wrong",
    [
        {"PrincipalTags": {f"tag{number}": "sub" for number in range(51)}},
        {"PrincipalTags": {"k" * 129: "sub"}},
        {"PrincipalTags": {"org": "c" * 257}},
        {"PrincipalTags": {"org": ""}},
        {"UseDefaults": True, "PrincipalTags": {"org": "custom:org"}},
    ],
    ids=["too many", "a long key", "a long claim", "no claim", "defaults and others"],
)
def test_a_tag_map_outside_awss_limits_is_refused(set_map: Any, wrong: dict[str, Any]) -> None:
    code = "InvalidParameterException" if "UseDefaults" in wrong else "ValidationException"
    assert refusal(set_map, **wrong)["code"] == code


def test_without_a_server_side_check_a_deleted_users_token_works(mapped_stack: Stack) -> None:
    pools = mapped_stack.root("cognito-identity")
    pool = pools.describe_identity_pool(IdentityPoolId=mapped_stack.outputs["IdentityPoolId"])
    pool.pop("ResponseMetadata")
    (provider,) = pool["CognitoIdentityProviders"]
    person = mapped_stack.newcomer()
    token = mapped_stack.tokens(person).id_token
    mapped_stack.root("cognito-idp").admin_delete_user(UserPoolId=mapped_stack.pool_id, Username=person.email)
    logins = {"IdentityPoolId": pool["IdentityPoolId"], "Logins": {mapped_stack.provider: token}}
    assert refusal(anonymous(mapped_stack).get_id, **logins)["code"] == "NotAuthorizedException"
    pools.update_identity_pool(**{**pool, "CognitoIdentityProviders": [{**provider, "ServerSideTokenCheck": False}]})
    try:
        assert can_read(mapped_stack, mapped_stack.exchange(token))
    finally:
        pools.update_identity_pool(**pool)


def test_a_caller_cannot_choose_the_role(mapped_stack: Stack) -> None:
    token = mapped_stack.tokens(mapped_stack.newcomer()).id_token
    identity, logins = mapped_stack.exchange(token).identity_id, {mapped_stack.provider: token}
    role = mapped_stack.outputs["PortalRoleArn"]
    ask = anonymous(mapped_stack).get_credentials_for_identity
    error = refusal(ask, IdentityId=identity, Logins=logins, CustomRoleArn=role)
    assert error["code"] == "InvalidParameterException"
    mappings = {
        f"{mapped_stack.provider}:{mapped_stack.client_id}": {"Type": "Token", "AmbiguousRoleResolution": "Deny"}
    }
    roles = {"authenticated": role}
    where = {"IdentityPoolId": mapped_stack.outputs["IdentityPoolId"], "Roles": roles, "RoleMappings": mappings}
    error = refusal(mapped_stack.root("cognito-identity").set_identity_pool_roles, **where)
    assert error["code"] == "InvalidParameterException"


def test_sts_refuses_web_identity_tokens(mapped_stack: Stack) -> None:
    token = mapped_stack.tokens(mapped_stack.newcomer()).id_token
    sts = anonymous(mapped_stack, "sts")
    asked = {"RoleArn": mapped_stack.outputs["TenantRoleArn"], "RoleSessionName": "me", "WebIdentityToken": token}
    error = refusal(sts.assume_role_with_web_identity, **asked)
    assert (error["code"], error["status"]) == ("InvalidIdentityToken", 400)
