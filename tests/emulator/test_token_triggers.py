"""Triggers that change tokens: what they may change, in which flows, and their failures."""

from typing import Any

from emulator.client.process import Emulator
from tests.emulator.accounts import address, client_of, password_sign_in
from tests.emulator.browser import Browser, code_in
from tests.emulator.test_identity_pool import anonymous
from tests.emulator.test_triggers import build_with_triggers
from tests.emulator.world import ACME, GLOBEX, PASSWORD, Stack, claims, refusal

CHANGES_ID_TOKEN = f"""
def tokens(event, context):
    event["response"]["claimsOverrideDetails"] = {{
        "claimsToAddOrOverride": {{"custom:org": "{GLOBEX}", "from": event["triggerSource"], "sub": "x", "aud": "x",
                                  "iss": "x", "exp": "0", "cognito:username": "x", "token_use": "access", "both": "x"}},
        "claimsToSuppress": ["email_verified", "jti", "both"],
        "groupOverrideDetails": {{"groupsToOverride": ["g"], "iamRolesToOverride": ["r"], "preferredRole": "p"}},
    }}
    return event
"""


def create_person(stack: Stack) -> str:
    pools, email = stack.root("cognito-idp"), address()
    entries = {"email": email, "email_verified": "true", "custom:org": ACME}
    pools.admin_create_user(
        UserPoolId=stack.pool_id,
        Username=email,
        MessageAction="SUPPRESS",
        UserAttributes=[{"Name": name, "Value": value} for name, value in entries.items()],
    )
    pools.admin_set_user_password(UserPoolId=stack.pool_id, Username=email, Password=PASSWORD, Permanent=True)
    return email


def sign_in_on_pages(browser: Browser, email: str) -> dict[str, Any]:
    tokens: dict[str, Any] = browser.exchange(
        code_in(browser.submit(browser.page(), username=email, password=PASSWORD))
    ).json()
    return tokens


def test_a_function_changes_the_id_token_except_fixed_claims(emulator: Emulator) -> None:
    stack = build_with_triggers(emulator, CHANGES_ID_TOKEN, PreTokenGeneration="tokens")
    tokens = sign_in_on_pages(Browser(stack), create_person(stack))
    identity, access = claims(tokens["id_token"]), claims(tokens["access_token"])
    assert (identity["custom:org"], identity["from"]) == (GLOBEX, "TokenGeneration_HostedAuth")
    assert (identity["aud"], identity["token_use"]) == (stack.client_id, "id")
    assert identity["sub"] == access["sub"] == identity["cognito:username"]
    assert identity["exp"] > 0
    assert "jti" in identity
    assert not {"email_verified", "both"} & identity.keys()
    assert (identity["cognito:groups"], identity["cognito:roles"], identity["cognito:preferred_role"]) == (
        ["g"],
        ["r"],
        "p",
    )
    assert not {"from", "custom:org"} & access.keys()


def test_every_token_flow_has_its_own_trigger_source(emulator: Emulator) -> None:
    stack = build_with_triggers(emulator, CHANGES_ID_TOKEN, PreTokenGeneration="tokens")
    browser, email, client_id = Browser(stack), create_person(stack), client_of(stack)
    hosted = sign_in_on_pages(browser, email)
    refreshed = browser.refresh(hosted["refresh_token"]).json()["id_token"]
    assert claims(refreshed)["from"] == "TokenGeneration_RefreshTokens"
    api = anonymous(stack, "cognito-idp")
    direct = password_sign_in(api, client_id, email)["AuthenticationResult"]
    assert claims(direct["IdToken"])["from"] == "TokenGeneration_Authentication"
    again = api.get_tokens_from_refresh_token(ClientId=client_id, RefreshToken=direct["RefreshToken"])
    assert claims(again["AuthenticationResult"]["IdToken"])["from"] == "TokenGeneration_RefreshTokens"
    stack.root("cognito-idp").admin_set_user_password(UserPoolId=stack.pool_id, Username=email, Password=PASSWORD)
    asked = password_sign_in(api, client_id, email)
    answer = api.respond_to_auth_challenge(
        ClientId=client_id,
        ChallengeName=asked["ChallengeName"],
        Session=asked["Session"],
        ChallengeResponses={"USERNAME": email, "NEW_PASSWORD": "Another-horse-8-battery"},
    )
    assert claims(answer["AuthenticationResult"]["IdToken"])["from"] == "TokenGeneration_NewPasswordChallenge"


def test_version_two_changes_the_access_token_and_its_scopes(emulator: Emulator) -> None:
    code = """
def tokens(event, context):
    assert event["version"] == "2" and event["request"]["scopes"]
    event["response"]["claimsAndScopeOverrideDetails"] = {
        "idTokenGeneration": {"claimsToAddOrOverride": {"level": 3}},
        "accessTokenGeneration": {"claimsToAddOrOverride": {"plan": ["a"], "client_id": "x", "scope": "x"},
                                  "scopesToAdd": ["orders/read"], "scopesToSuppress": ["email"]},
    }
    return event
"""
    stack = build_with_triggers(emulator, code, version="V2_0", PreTokenGeneration="tokens")
    tokens = sign_in_on_pages(Browser(stack), create_person(stack))
    access = claims(tokens["access_token"])
    assert (access["plan"], access["client_id"]) == (["a"], stack.client_id)
    assert set(access["scope"].split()) == {"openid", "orders/read"}
    assert claims(tokens["id_token"])["level"] == 3


def test_an_empty_group_override_removes_the_groups(emulator: Emulator) -> None:
    code = """
def tokens(event, context):
    event["response"]["claimsOverrideDetails"] = {"groupOverrideDetails": None}
    return event
"""
    stack = build_with_triggers(emulator, code, PreTokenGeneration="tokens")
    pools, email = stack.root("cognito-idp"), create_person(stack)
    pools.create_group(UserPoolId=stack.pool_id, GroupName="staff")
    pools.admin_add_user_to_group(UserPoolId=stack.pool_id, Username=email, GroupName="staff")
    assert "cognito:groups" not in claims(sign_in_on_pages(Browser(stack), email)["id_token"])


def test_no_token_is_issued_when_the_function_fails(emulator: Emulator) -> None:
    stack = build_with_triggers(
        emulator, "def tokens(event, context):\n    raise Exception('secret detail')\n", PreTokenGeneration="tokens"
    )
    browser, email = Browser(stack), create_person(stack)
    answer = browser.exchange(code_in(browser.submit(browser.page(), username=email, password=PASSWORD)))
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})
    error = refusal(
        anonymous(stack, "cognito-idp").initiate_auth,
        ClientId=client_of(stack),
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": PASSWORD},
    )
    assert (error["code"], error["message"]) == (
        "UserLambdaValidationException",
        "PreTokenGeneration failed with error secret detail.",
    )
