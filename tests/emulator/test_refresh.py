"""Refresh tokens through the user pool API: rotation, reuse, revocation, and use at the OAuth endpoint."""

import base64
import hashlib
import hmac
from typing import Any

import pytest
import requests

from tests.emulator.accounts import client_of, later, password_sign_in
from tests.emulator.srp import srp_sign_in
from tests.emulator.test_identity_pool import anonymous
from tests.emulator.world import PASSWORD, Stack, claims, refusal

ROTATING = {"RefreshTokenRotation": {"Feature": "ENABLED", "RetryGracePeriodSeconds": 10}}


def tokens(stack: Stack, client_id: str, email: str = "") -> dict[str, Any]:
    result: dict[str, Any] = password_sign_in(
        anonymous(stack, "cognito-idp"), client_id, email or stack.newcomer().email
    )["AuthenticationResult"]
    return result


def refresh(stack: Stack, client_id: str, token: str) -> dict[str, Any]:
    api = anonymous(stack, "cognito-idp")
    result: dict[str, Any] = api.get_tokens_from_refresh_token(ClientId=client_id, RefreshToken=token)
    return dict(result["AuthenticationResult"])


def refresh_error(stack: Stack, client_id: str, token: str) -> tuple[str, str]:
    call = anonymous(stack, "cognito-idp").get_tokens_from_refresh_token
    error = refusal(call, ClientId=client_id, RefreshToken=token)
    return error["code"], error["message"]


def refresh_at_token_endpoint(stack: Stack, client_id: str, token: str) -> requests.Response:
    form = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": token}
    return requests.post(f"{stack.emulator.endpoint_url}/oauth2/token", data=form, timeout=10)


def test_a_client_that_does_not_rotate_keeps_its_refresh_token(stack: Stack) -> None:
    client_id, api = client_of(stack), anonymous(stack, "cognito-idp")
    first = tokens(stack, client_id)
    flow = {"ClientId": client_id, "AuthFlow": "REFRESH_TOKEN_AUTH"}
    for _ in range(2):
        answer = api.initiate_auth(**flow, AuthParameters={"REFRESH_TOKEN": first["RefreshToken"]})
        assert "RefreshToken" not in answer["AuthenticationResult"]
        assert claims(answer["AuthenticationResult"]["IdToken"])["auth_time"] == claims(first["IdToken"])["auth_time"]
    error = refusal(api.initiate_auth, **flow, AuthParameters={"REFRESH_TOKEN": "guessed"})
    assert (error["code"], error["message"]) == ("NotAuthorizedException", "Invalid Refresh Token")


def test_null_in_a_map_counts_as_absent(stack: Stack) -> None:
    """amazon-cognito-identity-js sends a null DEVICE_KEY when it refreshes."""
    client_id, api = client_of(stack), anonymous(stack, "cognito-idp")
    flow = {"ClientId": client_id, "AuthFlow": "REFRESH_TOKEN_AUTH"}
    parameters = {"REFRESH_TOKEN": "guessed", "DEVICE_KEY": None}
    error = refusal(api.initiate_auth, **flow, AuthParameters=parameters)
    assert (error["code"], error["message"]) == ("NotAuthorizedException", "Invalid Refresh Token")
    parameters["REFRESH_TOKEN"] = tokens(stack, client_id)["RefreshToken"]
    assert api.initiate_auth(**flow, AuthParameters=parameters)["AuthenticationResult"]["IdToken"]


def test_a_reused_refresh_token_is_refused_after_the_grace_period(stack: Stack) -> None:
    client_id = client_of(stack, **ROTATING)
    first = tokens(stack, client_id)["RefreshToken"]
    second = refresh(stack, client_id, first)["RefreshToken"]
    assert second != first
    refresh(stack, client_id, first)
    with later(stack.emulator, 11):
        code, _ = refresh_error(stack, client_id, first)
        assert code == "RefreshTokenReuseException"
        assert refresh_at_token_endpoint(stack, client_id, first).json() == {"error": "invalid_grant"}
        refresh(stack, client_id, second)
    error = refusal(
        anonymous(stack, "cognito-idp").initiate_auth,
        ClientId=client_id,
        AuthFlow="REFRESH_TOKEN_AUTH",
        AuthParameters={"REFRESH_TOKEN": second},
    )
    assert error["code"] == "InvalidParameterException"


def test_the_token_endpoint_accepts_refresh_tokens_of_the_api(stack: Stack) -> None:
    client_id = client_of(stack)
    first = tokens(stack, client_id)
    answer = refresh_at_token_endpoint(stack, client_id, first["RefreshToken"]).json()
    assert claims(answer["access_token"])["scope"] == "aws.cognito.signin.user.admin"
    assert claims(answer["id_token"])["sub"] == claims(first["IdToken"])["sub"]
    assert refresh_at_token_endpoint(stack, client_of(stack), first["RefreshToken"]).json() == {
        "error": "invalid_grant"
    }


def test_a_refresh_token_expires_and_belongs_to_one_client(stack: Stack) -> None:
    client_id = client_of(stack, RefreshTokenValidity=1)
    token = tokens(stack, client_id)["RefreshToken"]
    assert refresh_error(stack, client_of(stack), token) == (
        "NotAuthorizedException",
        "Refresh Token has different Client",
    )
    with later(stack.emulator, 24 * 3600 + 1):
        assert refresh_error(stack, client_id, token) == ("NotAuthorizedException", "Refresh Token has expired")


def test_revoking_ends_only_one_sign_in(stack: Stack) -> None:
    client_id, api, email = client_of(stack), anonymous(stack, "cognito-idp"), stack.newcomer().email
    first, other = tokens(stack, client_id, email), tokens(stack, client_id, email)
    for _ in range(2):
        api.revoke_token(ClientId=client_id, Token=first["RefreshToken"])
    revoked = ("NotAuthorizedException", "Refresh Token has been revoked")
    assert refresh_error(stack, client_id, first["RefreshToken"]) == revoked
    error = refusal(api.get_user, AccessToken=first["AccessToken"])
    assert (error["code"], error["message"]) == ("NotAuthorizedException", "Access Token has been revoked")
    assert api.get_user(AccessToken=other["AccessToken"])["Username"]
    assert refresh(stack, client_id, other["RefreshToken"])


@pytest.mark.parametrize("kind", ["AccessToken", "IdToken"])
def test_only_a_refresh_token_can_be_revoked(stack: Stack, kind: str) -> None:
    client_id, api = client_of(stack), anonymous(stack, "cognito-idp")
    signed_in = tokens(stack, client_id)
    error = refusal(api.revoke_token, ClientId=client_id, Token=signed_in[kind])
    assert (error["code"], error["status"]) == ("UnsupportedTokenTypeException", 400)
    assert refresh(stack, client_id, signed_in["RefreshToken"])
    api.revoke_token(ClientId=client_id, Token="unknown")


@pytest.mark.parametrize("by", ["the person", "an administrator"])
def test_signing_out_everywhere_ends_every_sign_in(stack: Stack, by: str) -> None:
    client_id, api, email = client_of(stack), anonymous(stack, "cognito-idp"), stack.newcomer().email
    all_of_them = [tokens(stack, client_id, email) for _ in range(2)]
    if by == "the person":
        api.global_sign_out(AccessToken=all_of_them[0]["AccessToken"])
    else:
        stack.root("cognito-idp").admin_user_global_sign_out(UserPoolId=stack.pool_id, Username=email)
    for each in all_of_them:
        revoked = ("NotAuthorizedException", "Refresh Token has been revoked")
        assert refresh_error(stack, client_id, each["RefreshToken"]) == revoked
        assert refusal(api.get_user, AccessToken=each["AccessToken"])["message"] == "Access Token has been revoked"


def test_disabled_or_deleted_users_cannot_refresh(stack: Stack) -> None:
    client_id, pools = client_of(stack), stack.root("cognito-idp")
    disabled, gone = stack.newcomer().email, stack.newcomer().email
    their, others = tokens(stack, client_id, disabled), tokens(stack, client_id, gone)
    pools.admin_disable_user(UserPoolId=stack.pool_id, Username=disabled)
    pools.admin_delete_user(UserPoolId=stack.pool_id, Username=gone)
    assert refresh_error(stack, client_id, their["RefreshToken"])[0] == "NotAuthorizedException"
    assert refresh_error(stack, client_id, others["RefreshToken"])[0] == "NotAuthorizedException"
    error = refusal(
        anonymous(stack, "cognito-idp").initiate_auth,
        ClientId=client_id,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": disabled, "PASSWORD": "x"},
    )
    assert (error["code"], error["message"]) == ("NotAuthorizedException", "User is disabled.")


def test_a_client_with_a_secret_needs_it_in_every_flow(stack: Stack) -> None:
    client_id, api, email = (
        client_of(stack, GenerateSecret=True),
        anonymous(stack, "cognito-idp"),
        stack.newcomer().email,
    )
    described = stack.root("cognito-idp").describe_user_pool_client(UserPoolId=stack.pool_id, ClientId=client_id)
    secret = described["UserPoolClient"]["ClientSecret"]

    def digest(name: str) -> str:
        return base64.b64encode(
            hmac.new(secret.encode(), (name + client_id).encode(), hashlib.sha256).digest()
        ).decode()

    def begin(flow: str, **parameters: str) -> dict[str, Any]:
        given: dict[str, Any] = {"ClientId": client_id, "AuthFlow": flow, "AuthParameters": parameters}
        return given

    password = {"USERNAME": email, "PASSWORD": PASSWORD}
    assert "was not received" in refusal(api.initiate_auth, **begin("USER_PASSWORD_AUTH", **password))["message"]
    wrong = refusal(api.initiate_auth, **begin("USER_PASSWORD_AUTH", **password, SECRET_HASH="guessed"))
    assert wrong["message"] == f"Unable to verify secret hash for client {client_id}"
    answer = api.initiate_auth(**begin("USER_PASSWORD_AUTH", **password, SECRET_HASH=digest(email)))
    result = answer["AuthenticationResult"]
    token, sub = result["RefreshToken"], claims(result["IdToken"])["sub"]
    assert (
        "was not received" in refusal(api.initiate_auth, **begin("REFRESH_TOKEN_AUTH", REFRESH_TOKEN=token))["message"]
    )
    api.initiate_auth(**begin("REFRESH_TOKEN_AUTH", REFRESH_TOKEN=token, SECRET_HASH=digest(sub)))
    assert refresh_error(stack, client_id, token)[0] == "NotAuthorizedException"
    api.get_tokens_from_refresh_token(ClientId=client_id, ClientSecret=secret, RefreshToken=token)
    for call in (api.forgot_password, api.resend_confirmation_code):
        assert "was not received" in refusal(call, ClientId=client_id, Username=email)["message"]


@pytest.fixture
def srp_client(stack: Stack) -> dict[str, str]:
    made = stack.root("cognito-idp").create_user_pool_client(
        UserPoolId=stack.pool_id,
        ClientName="srp",
        ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        ReadAttributes=["email", "custom:org"],
        WriteAttributes=["email"],
    )
    return {"client_id": made["UserPoolClient"]["ClientId"], "pool_id": stack.pool_id}


def test_an_srp_sign_in_issues_the_same_tokens(stack: Stack, srp_client: dict[str, str]) -> None:
    person, api = stack.newcomer(), anonymous(stack, "cognito-idp")
    answer = srp_sign_in(api, **srp_client, email=person.email, password=PASSWORD)["AuthenticationResult"]
    assert claims(answer["IdToken"])["custom:org"] == person.org
    assert "custom:role" not in claims(answer["IdToken"])
    assert refresh(stack, srp_client["client_id"], answer["RefreshToken"])["AccessToken"]


def test_srp_sign_ins_are_locked_out_too(stack: Stack, srp_client: dict[str, str]) -> None:
    person, api = stack.newcomer(), anonymous(stack, "cognito-idp")
    for _ in range(5):
        # Ahead, so that a slow machine does not outlast the lock of a second.
        with later(stack.emulator, 60):
            error = refusal(srp_sign_in, api=api, **srp_client, email=person.email, password="x")
        assert error["message"] == "Incorrect username or password."
    error = refusal(srp_sign_in, api=api, **srp_client, email=person.email, password="x")
    assert error["message"] == "Password attempts exceeded"
