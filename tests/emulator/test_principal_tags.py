"""Which claims of a token become which tags of a session, and which become none."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.test_identity_pool import anonymous
from tests.emulator.world import ACME, GLOBEX, Stack, build, claims, client, key, refusal

MISCONFIGURED = "Invalid identity pool configuration. Check assigned IAM roles for this pool."


@pytest.fixture(scope="module")
def mapped(emulator: Any) -> Stack:
    return build(emulator, name="mapped")


@pytest.fixture
def mapping(mapped: Stack) -> Iterator[Any]:
    """Sets the map of the stack's provider, and puts the template's back."""
    pools = mapped.root("cognito-identity")
    where = {"IdentityPoolId": mapped.outputs["IdentityPoolId"], "IdentityProviderName": mapped.provider}

    def set_to(**more: Any) -> Any:
        return pools.set_principal_tag_attribute_map(**where, **{"UseDefaults": False, "PrincipalTags": {}, **more})

    yield set_to
    set_to(PrincipalTags={"org": "custom:org", "role": "custom:role"})


def reads(stack: Stack, credentials: Any, org: str = ACME) -> bool:
    db = client(stack.emulator, "dynamodb", credentials)
    try:
        return "Item" in db.get_item(TableName=stack.table, Key=key(org))
    except ClientError:
        return False


def test_a_tag_is_taken_from_the_claim_that_the_map_names(mapped: Stack, mapping: Any) -> None:
    person = mapped.newcomer(role="editor", name=GLOBEX)
    token = mapped.tokens(person).id_token
    assert reads(mapped, mapped.exchange(token))
    mapping(PrincipalTags={"org": "name", "role": "custom:role"})
    swapped = mapped.exchange(token)
    assert not reads(mapped, swapped)
    assert reads(mapped, swapped, GLOBEX)


def test_without_a_claim_there_is_no_tag_and_there_are_credentials(mapped: Stack, mapping: Any) -> None:
    token = mapped.tokens(mapped.newcomer()).id_token
    mapping(PrincipalTags={"org": "custom:absent", "role": "custom:role"})
    assert not reads(mapped, mapped.exchange(token))


def test_the_default_map_says_who_and_which_client_and_no_more(mapped: Stack, mapping: Any) -> None:
    token = mapped.tokens(mapped.newcomer()).id_token
    mapping(UseDefaults=True)
    given = mapped.exchange(token)
    assert not reads(mapped, given)
    iam, name = mapped.root("iam"), mapped.outputs["TenantRoleArn"].rpartition("/")[2]
    iam.delete_role_permissions_boundary(RoleName=name)
    tags = {"aws:PrincipalTag/username": claims(token)["sub"], "aws:PrincipalTag/client": mapped.client_id}
    allowed = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*", "Condition": {"StringEquals": tags}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=name, PolicyName="who", PolicyDocument=policy)
    rows, key = client(mapped.emulator, "dynamodb", given), {"pk": {"S": "any"}, "sk": {"S": "any"}}
    assert "Item" not in rows.get_item(TableName=mapped.outputs["TableName"], Key=key)
    iam.delete_role_policy(RoleName=name, PolicyName="who")


@pytest.mark.parametrize("claim", ["email_verified", "auth_time"])
def test_a_claim_that_is_no_text_gives_no_credentials(mapped: Stack, mapping: Any, claim: str) -> None:
    token = mapped.tokens(mapped.newcomer()).id_token
    assert not isinstance(claims(token)[claim], str)
    mapping(PrincipalTags={"org": "custom:org", "role": "custom:role", "more": claim})
    with pytest.raises(ClientError, match=MISCONFIGURED):
        mapped.exchange(token)


@pytest.mark.parametrize("value", ["*", "a?", f"{ACME}#", "${aws:PrincipalTag/role}", "x" * 257, "a,b", "tab\there"])
def test_a_claim_that_is_no_legal_tag_gives_no_credentials(mapped: Stack, mapping: Any, value: str) -> None:
    token = mapped.tokens(mapped.newcomer(name=value)).id_token
    mapping(PrincipalTags={"org": "name", "role": "custom:role"})
    with pytest.raises(ClientError, match=MISCONFIGURED):
        mapped.exchange(token)


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
def test_a_map_has_its_limits(mapping: Any, wrong: dict[str, Any]) -> None:
    assert refusal(mapping, **wrong)["code"] == "InvalidParameterException"


def test_without_a_server_side_check_a_token_outlives_its_person(mapped: Stack) -> None:
    pools = mapped.root("cognito-identity")
    pool = pools.describe_identity_pool(IdentityPoolId=mapped.outputs["IdentityPoolId"])
    pool.pop("ResponseMetadata")
    (provider,) = pool["CognitoIdentityProviders"]
    person = mapped.newcomer()
    token = mapped.tokens(person).id_token
    mapped.root("cognito-idp").admin_delete_user(UserPoolId=mapped.pool_id, Username=person.email)
    logins = {"IdentityPoolId": pool["IdentityPoolId"], "Logins": {mapped.provider: token}}
    assert refusal(anonymous(mapped).get_id, **logins)["code"] == "NotAuthorizedException"
    pools.update_identity_pool(**{**pool, "CognitoIdentityProviders": [{**provider, "ServerSideTokenCheck": False}]})
    try:
        assert reads(mapped, mapped.exchange(token))
    finally:
        pools.update_identity_pool(**pool)


def test_the_caller_names_no_role(mapped: Stack) -> None:
    token = mapped.tokens(mapped.newcomer()).id_token
    identity, logins = mapped.exchange(token).identity_id, {mapped.provider: token}
    role = mapped.outputs["PortalRoleArn"]
    ask = anonymous(mapped).get_credentials_for_identity
    error = refusal(ask, IdentityId=identity, Logins=logins, CustomRoleArn=role)
    assert error["code"] == "InvalidParameterException"
    mappings = {f"{mapped.provider}:{mapped.client_id}": {"Type": "Token", "AmbiguousRoleResolution": "Deny"}}
    roles = {"authenticated": role}
    where = {"IdentityPoolId": mapped.outputs["IdentityPoolId"], "Roles": roles, "RoleMappings": mappings}
    error = refusal(mapped.root("cognito-identity").set_identity_pool_roles, **where)
    assert error["code"] == "InvalidParameterException"


def test_nobody_hands_sts_a_token_themselves(mapped: Stack) -> None:
    token = mapped.tokens(mapped.newcomer()).id_token
    sts = anonymous(mapped, "sts")
    asked = {"RoleArn": mapped.outputs["TenantRoleArn"], "RoleSessionName": "me", "WebIdentityToken": token}
    error = refusal(sts.assume_role_with_web_identity, **asked)
    assert (error["code"], error["status"]) == ("InvalidIdentityToken", 400)
