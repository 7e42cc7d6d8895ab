"""Which app clients the sign-in pages serve, by the flows that a client allows, and what these flows open besides."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from botocore.exceptions import ClientError

from portal.template import read_template
from tests.emulator.browser import Browser, code_in
from tests.emulator.srp import srp_sign_in
from tests.emulator.test_identity_pool import anonymous
from tests.emulator.world import ACME_OWNER, GLOBEX, PASSWORD, REDIRECT, Stack

SERVED = [
    ["ALLOW_USER_SRP_AUTH"],
    ["ALLOW_USER_PASSWORD_AUTH"],
    ["ALLOW_USER_AUTH"],
    ["ALLOW_CUSTOM_AUTH", "ALLOW_USER_SRP_AUTH"],
    ["ADMIN_NO_SRP_AUTH"],
    None,
]
NOT_SERVED = [
    ["ALLOW_CUSTOM_AUTH"],
    ["CUSTOM_AUTH_FLOW_ONLY"],
    ["ALLOW_REFRESH_TOKEN_AUTH"],
    ["ALLOW_ADMIN_USER_PASSWORD_AUTH"],
    ["ALLOW_CUSTOM_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"],
]


def client_with(stack: Stack, flows: list[str] | None) -> str:
    given: dict[str, Any] = {"ExplicitAuthFlows": flows} if flows else {}
    made = stack.root("cognito-idp").create_user_pool_client(
        UserPoolId=stack.pool_id, ClientName="flows", AllowedOAuthFlowsUserPoolClient=True, AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid"], CallbackURLs=[REDIRECT], SupportedIdentityProviders=["COGNITO"], **given,
    )  # fmt: skip
    return str(made["UserPoolClient"]["ClientId"])


@pytest.mark.parametrize("flows", SERVED, ids=str)
def test_the_pages_serve_a_client_that_allows_a_password(stack: Stack, flows: list[str] | None) -> None:
    browser = Browser(stack)
    answer = browser.submit(
        browser.page(client_id=client_with(stack, flows)), username=ACME_OWNER.email, password=PASSWORD
    )
    assert code_in(answer)


@pytest.mark.parametrize("flows", NOT_SERVED, ids=str)
def test_the_pages_refuse_the_form_of_a_client_without_one(stack: Stack, flows: list[str]) -> None:
    browser = Browser(stack)
    page = browser.page(client_id=client_with(stack, flows))
    assert page.status_code == 200
    answer = browser.submit(page, username=ACME_OWNER.email, password=PASSWORD)
    assert (answer.status_code, "Invalid parameter in request" in answer.text) == (400, True)
    assert "Location" not in answer.headers


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.parametrize("flow", ["USER_PASSWORD_AUTH", "USER_SRP_AUTH", "CUSTOM_AUTH", "REFRESH_TOKEN_AUTH"])
def test_without_its_secret_nobody_uses_the_login_client_in_the_api(stack: Stack, flow: str) -> None:
    api = anonymous(stack, "cognito-idp")
    parameters = {"USERNAME": ACME_OWNER.email, "PASSWORD": PASSWORD, "SRP_A": "ab" * 128, "REFRESH_TOKEN": "x"}
    for secret in ({}, {"SECRET_HASH": ""}, {"SECRET_HASH": _hash_with("guess", stack.client_id)}):
        code = refused(
            api.initiate_auth, ClientId=stack.client_id, AuthFlow=flow, AuthParameters={**parameters, **secret}
        )
        assert code in ("InvalidParameterException", "NotAuthorizedException"), flow


def test_tokens_from_the_api_cannot_write_an_organisation_or_a_role(stack: Stack) -> None:
    """The browser client has no secret, so people can use the API with their own password."""
    browser = read_template()["Resources"]["BrowserClient"]["Properties"]
    lists = {name: browser[name] for name in ("ExplicitAuthFlows", "ReadAttributes", "WriteAttributes")}
    made = stack.root("cognito-idp").create_user_pool_client(UserPoolId=stack.pool_id, ClientName="browser", **lists)
    client_id, person, api = made["UserPoolClient"]["ClientId"], stack.newcomer(), anonymous(stack, "cognito-idp")
    answer = srp_sign_in(api, client_id=client_id, pool_id=stack.pool_id, email=person.email, password=PASSWORD)
    token = answer["AuthenticationResult"]["AccessToken"]
    for attribute, value in (("custom:org", GLOBEX), ("custom:role", "owner"), ("custom:role", "operator")):
        code = refused(
            api.update_user_attributes, AccessToken=token, UserAttributes=[{"Name": attribute, "Value": value}]
        )
        assert code == "NotAuthorizedException"


def _hash_with(secret: str, client_id: str) -> str:
    digest = hmac.new(secret.encode(), (ACME_OWNER.email + client_id).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
