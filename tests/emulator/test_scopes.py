"""Which attributes an ID token and userInfo show: the scopes decide, and the client's read list."""

from typing import Any

import jwt
import pytest

from tests.emulator.accounts import client_of, password_sign_in
from tests.emulator.browser import Browser
from tests.emulator.world import ACME, REDIRECT, Person, Stack

_NOT_ATTRIBUTES = {
    "sub", "iss", "aud", "exp", "iat", "jti", "origin_jti", "event_id", "auth_time", "token_use", "cognito:username",
    "at_hash", "nonce",
}  # fmt: skip
# The token endpoint refuses a client that cannot read everything that a scope covers.
_READABLE = [
    "email", "email_verified", "phone_number", "phone_number_verified", "name", "given_name", "family_name",
    "middle_name", "nickname", "preferred_username", "profile", "picture", "website", "gender", "birthdate", "zoneinfo",
    "locale", "updated_at", "address", "custom:org",
]  # fmt: skip


@pytest.fixture(scope="module")
def person(stack: Stack) -> Person:
    return stack.newcomer(name="Ada", address="1 High Street")


@pytest.fixture(scope="module")
def client_id(stack: Stack) -> str:
    made = stack.root("cognito-idp").create_user_pool_client(
        UserPoolId=stack.pool_id,
        ClientName="scopes",
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid", "email", "phone", "profile", "aws.cognito.signin.user.admin"],
        CallbackURLs=[REDIRECT],
        SupportedIdentityProviders=["COGNITO"],
        ReadAttributes=_READABLE,
    )
    return str(made["UserPoolClient"]["ClientId"])


def signed_in(stack: Stack, client_id: str, person: Person, scope: str) -> dict[str, Any]:
    """The token endpoint's answer."""
    browser = Browser(stack)
    code = browser.sign_in(person, client_id=client_id, scope=scope)
    answer: dict[str, Any] = browser.exchange(code, auth=(client_id, "")).json()
    return answer


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


EMAIL, PROFILE = {"email", "email_verified"}, {"name", "custom:org"}


@pytest.mark.parametrize(
    ("scope", "shown"),
    [
        ("openid", {*EMAIL, *PROFILE, "address"}),
        ("openid email", EMAIL),
        ("openid phone", set()),
        ("openid profile", PROFILE),
        ("openid email profile", {*EMAIL, *PROFILE}),
        ("openid aws.cognito.signin.user.admin", {*EMAIL, *PROFILE, "address"}),
    ],
)
def test_the_scopes_decide_which_attributes_are_shown(
    stack: Stack, client_id: str, person: Person, scope: str, shown: set[str]
) -> None:
    answer = signed_in(stack, client_id, person, scope)
    assert claims(answer["id_token"]).keys() - _NOT_ATTRIBUTES == shown
    browser = Browser(stack)
    bearer = {"Authorization": f"Bearer {answer['access_token']}"}
    info = browser.http.get(browser.url("/oauth2/userInfo"), headers=bearer, timeout=10).json()
    assert info.keys() - {"sub", "username"} == shown


def test_without_openid_there_is_no_id_token(stack: Stack, client_id: str, person: Person) -> None:
    assert "id_token" not in signed_in(stack, client_id, person, "aws.cognito.signin.user.admin")


def test_only_an_id_token_of_the_pages_has_the_hash_of_an_access_token(
    stack: Stack, client_id: str, person: Person
) -> None:
    assert "at_hash" in claims(signed_in(stack, client_id, person, "openid")["id_token"])
    by_api = password_sign_in(stack.root("cognito-idp"), client_of(stack), person.email)["AuthenticationResult"]
    own = claims(by_api["IdToken"])
    assert "at_hash" not in own
    assert own["custom:org"] == ACME
