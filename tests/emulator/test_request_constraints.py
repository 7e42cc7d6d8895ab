"""Cognito's requests: lengths, patterns, ranges and possible values by AWS's own models, all in one message."""

from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.emulator.world import REGION, Stack, refusal

MUST = "failed to satisfy constraint: Member must"
ENUM = f"{MUST} satisfy enum value set: "


def unchecked(stack: Stack, service: str) -> Any:
    """A client that sends whatever it is given."""
    root = stack.emulator.root
    return boto3.client(
        service, region_name=REGION, endpoint_url=stack.emulator.endpoint_url,
        aws_access_key_id=root.access_key_id, aws_secret_access_key=root.secret_access_key,
        config=Config(parameter_validation=False),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "request_data", "text"),
    [
        ("create_user_pool", {}, f"Value null at 'poolName' {MUST} not be null"),
        ("create_user_pool", {"PoolName": "a#"}, f"at 'poolName' {MUST} satisfy regular expression pattern: "),
        ("create_user_pool", {"PoolName": "a" * 129}, "Member must have length less than or equal to 128"),
        (
            "create_user_pool",
            {"PoolName": "a", "MfaConfiguration": "MAYBE"},
            f"Value 'MAYBE' at 'mfaConfiguration' {ENUM}[OFF, ON, OPTIONAL]",
        ),
        (
            "create_user_pool",
            {"PoolName": "a", "Policies": {"PasswordPolicy": {"MinimumLength": 5}}},
            f"at 'policies.passwordPolicy.minimumLength' {MUST} have value greater than or equal to 6",
        ),
        (
            "create_user_pool",
            {"PoolName": "a", "Schema": [{"Name": "b", "AttributeDataType": "Text"}]},
            f"Value 'Text' at 'schema.1.member.attributeDataType' {ENUM}",
        ),
        (
            "list_user_pools",
            {"MaxResults": 61},
            f"Value '61' at 'maxResults' {MUST} have value less than or equal to 60",
        ),
        (
            "admin_create_user",
            {"UserPoolId": "x", "Username": "a b"},
            r"2 validation errors detected: Value 'x' at 'userPoolId'",
        ),
        (
            "admin_create_user",
            {"UserPoolId": "eu-west-1_a", "Username": "a b"},
            "1 validation error detected: Value at 'username' failed",
        ),
    ],
)
def test_a_request_outside_the_model_is_refused(
    stack: Stack, operation: str, request_data: dict[str, Any], text: str
) -> None:
    error = refusal(getattr(unchecked(stack, "cognito-idp"), operation), **request_data)
    assert error["code"] == "InvalidParameterException"
    assert text in error["message"]


def test_each_text_of_a_list_is_checked(stack: Stack) -> None:
    call = stack.root("cognito-idp").create_user_pool_client
    error = refusal(call, UserPoolId=stack.pool_id, ClientName="odd", ExplicitAuthFlows=["ALLOW_ODD"])
    place = "Value '[ALLOW_ODD]' at 'explicitAuthFlows' failed to satisfy constraint: Member must satisfy constraint: ["
    assert error["code"] == "InvalidParameterException"
    assert place in error["message"]


def test_identity_pools_have_their_own_code(stack: Stack) -> None:
    call = stack.root("cognito-identity").create_identity_pool
    error = refusal(call, IdentityPoolName="pool#name", AllowUnauthenticatedIdentities=False)
    assert error["code"] == "ValidationException"
    assert error["message"].endswith(r"Member must satisfy regular expression pattern: [\w\s+=,.@-]+")


def test_a_refused_map_of_tokens_shows_none(stack: Stack) -> None:
    identities = unchecked(stack, "cognito-identity")
    pool = stack.outputs["IdentityPoolId"]
    logins = {"provider-a": "a-token-of-somebody", "provider-b": ""}
    error = refusal(identities.get_id, IdentityPoolId=pool, Logins=logins)
    assert "at 'logins' failed to satisfy constraint: Map value" in error["message"]
    assert "a-token" not in error["message"]


def test_a_pattern_is_not_compared_with_a_very_long_text(stack: Stack) -> None:
    address = "@" * 1_000_000 + "\x01"
    error = refusal(
        unchecked(stack, "cognito-idp").create_user_pool,
        PoolName="a",
        EmailConfiguration={"ReplyToEmailAddress": address},
    )
    assert "at 'emailConfiguration.replyToEmailAddress'" in error["message"]


@pytest.mark.parametrize("name", ["Zoë", "日本", "ада"])
def test_letters_of_all_scripts_are_letters(stack: Stack, name: str) -> None:
    pools = stack.root("cognito-idp")
    own = pools.create_user_pool(PoolName="scripts")["UserPool"]["Id"]
    assert pools.admin_create_user(UserPoolId=own, Username=name, MessageAction="SUPPRESS")["User"]["Username"] == name
    error = refusal(pools.admin_create_user, UserPoolId=own, Username=f"{name}\u2003a")
    assert "at 'username' failed to satisfy constraint" in error["message"]


def test_a_client_has_an_id_and_a_secret_of_small_letters_and_digits(stack: Stack) -> None:
    call = stack.root("cognito-idp").create_user_pool_client
    made = call(UserPoolId=stack.pool_id, ClientName="c", GenerateSecret=True)["UserPoolClient"]
    for text in (made["ClientId"], made["ClientSecret"]):
        assert text.isascii()
        assert text.isalnum()
        assert text == text.lower()
