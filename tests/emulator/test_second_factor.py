"""A pool that requires a second factor: its pages set up an authenticator and ask for its code, and its API too."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from emulator.client.process import Emulator, start
from emulator.cognito.totp import STEP_SECONDS, code_at, otpauth_uri, step_of
from tests.emulator.accounts import client_of, later, password_sign_in
from tests.emulator.browser import Browser, code_in
from tests.emulator.srp import srp_sign_in
from tests.emulator.test_identity_pool import anonymous
from tests.emulator.world import PASSWORD, Person, Stack, build, claims, refusal

RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
# Appendix B of RFC 6238, for SHA-1: seconds and the eight digits.
RFC_CODES = [
    (59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"),
    (2000000000, "69279037"), (20000000000, "65353130"),
]  # fmt: skip


@pytest.fixture(scope="module")
def guarded(emulator: Emulator) -> Stack:
    return build(emulator, name="guarded", RequireMfa="true")


@pytest.fixture
def browser(guarded: Stack) -> Browser:
    return Browser(guarded)


@pytest.fixture(scope="module")
def passwords(guarded: Stack) -> str:
    return client_of(guarded)


def secret_on(page: requests.Response) -> str:
    found = re.search(r"<code>([A-Z2-7]{32})</code>", page.text)
    assert found is not None
    return found[1]


def code_now(stack: Stack, secret: str, *, steps: int = 0) -> str:
    """By the emulator's clock."""
    where, key = f"{stack.emulator.endpoint_url}/_emulator/clock", stack.emulator.root.secret_access_key
    ahead = requests.get(where, headers={"x-emulator-root-secret": key}, timeout=10).json()["offset_seconds"]
    return code_at(secret, step_of(time.time() + ahead) + steps)


def wrong_code(stack: Stack, secret: str) -> str:
    right = {code_now(stack, secret, steps=steps) for steps in (-2, -1, 0, 1, 2)}
    return next(f"{number:06d}" for number in range(10) if f"{number:06d}" not in right)


def enrolled(browser: Browser, person: Person, *, password: str = PASSWORD) -> str:
    """Signs in for the first time. Returns the authenticator's secret."""
    page = browser.submit(browser.page(), username=person.email, password=password)
    secret = secret_on(page)
    code_in(browser.submit(page, code=code_now(browser.stack, secret)))
    return secret


def asked(browser: Browser, person: Person) -> requests.Response:
    """The page after the password, in a browser that nobody is signed in with."""
    browser.http.cookies.clear()
    return browser.submit(browser.page(), username=person.email, password=PASSWORD)


def factors_of(stack: Stack, person: Person) -> tuple[list[str], str]:
    user = stack.root("cognito-idp").admin_get_user(UserPoolId=stack.pool_id, Username=person.email)
    return user.get("UserMFASettingList", []), user.get("PreferredMfaSetting", "")


@pytest.mark.parametrize(("seconds", "digits"), RFC_CODES)
def test_the_codes_are_those_of_the_rfc(seconds: int, digits: str) -> None:
    assert code_at(RFC_SECRET, seconds // STEP_SECONDS, digits=8) == digits


def test_an_authenticator_can_read_the_address() -> None:
    uri = otpauth_uri("ABC", account="a+b@acme.example", issuer="My pool")
    assert uri == "otpauth://totp/My%20pool:a%2Bb@acme.example?secret=ABC&issuer=My%20pool"


def test_the_pool_says_that_it_requires_one(guarded: Stack, stack: Stack) -> None:
    for one, expected in ((guarded, "ON"), (stack, "OPTIONAL")):
        pools = one.root("cognito-idp")
        assert pools.describe_user_pool(UserPoolId=one.pool_id)["UserPool"]["MfaConfiguration"] == expected
        found = pools.get_user_pool_mfa_config(UserPoolId=one.pool_id)
        assert (found["MfaConfiguration"], found["SoftwareTokenMfaConfiguration"]) == (expected, {"Enabled": True})
    assert (guarded.outputs["RequireMfa"], stack.outputs["RequireMfa"]) == ("true", "false")


def test_the_first_sign_in_sets_up_an_authenticator(guarded: Stack, browser: Browser) -> None:
    person = guarded.newcomer()
    page = browser.submit(browser.page(), username=person.email, password=PASSWORD)
    assert page.status_code == 200
    assert f"secret={secret_on(page)}" in page.text
    assert "otpauth://totp/" in page.text
    assert secret_on(page) not in page.url
    assert factors_of(guarded, person) == ([], "")
    answer = browser.submit(page, code=code_now(guarded, secret_on(page)))
    tokens = browser.exchange(code_in(answer)).json()
    assert claims(tokens["id_token"])["email"] == person.email
    assert factors_of(guarded, person) == (["SOFTWARE_TOKEN_MFA"], "SOFTWARE_TOKEN_MFA")


def test_it_comes_after_the_choice_of_a_password(guarded: Stack, browser: Browser) -> None:
    person = Person("invited-guarded@acme.example", "", "")
    guarded.create(person, permanent=False)
    page = browser.submit(browser.page(), username=person.email, password=PASSWORD)
    new = "Another-long-password-5"
    page = browser.submit(page, new_password=new, confirm_password=new)
    code_in(browser.submit(page, code=code_now(guarded, secret_on(page))))


def test_later_sign_ins_ask_for_the_code_and_show_no_secret(guarded: Stack, browser: Browser) -> None:
    person = guarded.newcomer()
    secret = enrolled(browser, person)
    with later(guarded.emulator, 60):
        page = asked(browser, person)
        assert "Enter your code" in page.text
        assert "otpauth" not in page.text
        assert secret not in page.text
        code_in(browser.submit(page, code=code_now(guarded, secret)))


def test_a_wrong_code_is_refused_in_the_words_of_aws(guarded: Stack, browser: Browser) -> None:
    person = guarded.newcomer()
    page = browser.submit(browser.page(), username=person.email, password=PASSWORD)
    secret = secret_on(page)
    again = browser.submit(page, code=wrong_code(guarded, secret))
    assert again.status_code == 400
    assert "Invalid code received for user" in again.text
    assert secret_on(again) == secret
    code_in(browser.submit(again, code=code_now(guarded, secret)))


def test_a_code_works_once(guarded: Stack, browser: Browser) -> None:
    person = guarded.newcomer()
    secret = enrolled(browser, person)
    with later(guarded.emulator, 60):
        code = code_now(guarded, secret)
        code_in(browser.submit(asked(browser, person), code=code))
        again = browser.submit(asked(browser, person), code=code)
        assert "already been used once" in again.text


@pytest.mark.parametrize(("steps", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_one_step_off(guarded: Stack, browser: Browser, steps: int, *, accepted: bool) -> None:
    person = guarded.newcomer()
    secret = enrolled(browser, person)
    with later(guarded.emulator, 120):
        answer = browser.submit(asked(browser, person), code=code_now(guarded, secret, steps=steps))
        assert (answer.status_code == 302) is accepted


def test_wrong_codes_are_bounded_and_do_not_lock_the_password(guarded: Stack, browser: Browser) -> None:
    person = guarded.newcomer()
    secret = enrolled(browser, person)
    with later(guarded.emulator, 60):
        page = asked(browser, person)
        for _ in range(9):
            page = browser.submit(page, code=wrong_code(guarded, secret))
        page = browser.submit(asked(browser, person), code=code_now(guarded, secret))
        assert "Attempt limit exceeded" in page.text
    with later(guarded.emulator, 3600):
        code_in(browser.submit(asked(browser, person), code=code_now(guarded, secret)))


def test_the_page_after_the_password_does_not_wait_for_ever(guarded: Stack, browser: Browser) -> None:
    person = guarded.newcomer()
    page = browser.submit(browser.page(), username=person.email, password=PASSWORD)
    with later(guarded.emulator, 600):
        answer = browser.submit(page, code=code_now(guarded, secret_on(page)))
        assert "Please sign in again" in answer.text


def test_a_deleted_authenticator_is_set_up_anew(guarded: Stack, browser: Browser) -> None:
    person = guarded.newcomer()
    secret = enrolled(browser, person)
    who = {"UserPoolId": guarded.pool_id, "Username": person.email}
    open_page = asked(browser, person)
    guarded.root("cognito-idp").admin_delete_software_token(**who)
    assert factors_of(guarded, person) == ([], "")
    with later(guarded.emulator, 60):
        assert "Please sign in again" in browser.submit(open_page, code=code_now(guarded, secret)).text
        page = asked(browser, person)
        assert secret_on(page) != secret
        code_in(browser.submit(page, code=code_now(guarded, secret_on(page))))


def test_a_preference_turns_nothing_off_where_mfa_is_on(guarded: Stack, browser: Browser) -> None:
    person = guarded.newcomer()
    enrolled(browser, person)
    guarded.root("cognito-idp").admin_set_user_mfa_preference(
        UserPoolId=guarded.pool_id, Username=person.email, SoftwareTokenMfaSettings={"Enabled": False}
    )
    assert factors_of(guarded, person) == (["SOFTWARE_TOKEN_MFA"], "SOFTWARE_TOKEN_MFA")


def test_a_preference_needs_an_authenticator(guarded: Stack) -> None:
    error = refusal(
        guarded.root("cognito-idp").admin_set_user_mfa_preference,
        UserPoolId=guarded.pool_id, Username=guarded.newcomer().email, SoftwareTokenMfaSettings={"Enabled": True},
    )  # fmt: skip
    assert error["code"] == "InvalidParameterException"


def test_the_api_gives_no_tokens_before_an_authenticator_is_set_up(guarded: Stack, passwords: str) -> None:
    person, api = guarded.newcomer(), anonymous(guarded, "cognito-idp")
    challenge = password_sign_in(api, passwords, person.email)
    assert challenge["ChallengeName"] == "MFA_SETUP"
    answer = {"ClientId": passwords, "ChallengeName": "MFA_SETUP", "ChallengeResponses": {"USERNAME": person.email}}
    first = api.associate_software_token(Session=challenge["Session"])
    assert (
        refusal(api.respond_to_auth_challenge, **answer, Session=first["Session"])["code"] == "NotAuthorizedException"
    )
    challenge = password_sign_in(api, passwords, person.email)
    given = api.associate_software_token(Session=challenge["Session"])
    wrong = wrong_code(guarded, given["SecretCode"])
    error = refusal(api.verify_software_token, Session=given["Session"], UserCode=wrong)
    assert error["code"] == "EnableSoftwareTokenMFAException"
    right = code_now(guarded, given["SecretCode"])
    verified = api.verify_software_token(Session=given["Session"], UserCode=right)
    assert verified["Status"] == "SUCCESS"
    result = api.respond_to_auth_challenge(**answer, Session=verified["Session"])["AuthenticationResult"]
    assert claims(result["IdToken"])["email"] == person.email


def test_the_api_asks_for_the_code_and_takes_it_once(guarded: Stack, browser: Browser, passwords: str) -> None:
    person, api = guarded.newcomer(), anonymous(guarded, "cognito-idp")
    secret = enrolled(browser, person)

    def answer(code: str) -> dict[str, Any]:
        challenge = password_sign_in(api, passwords, person.email)
        assert challenge["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
        answers = {"USERNAME": person.email, "SOFTWARE_TOKEN_MFA_CODE": code}
        given = {"ClientId": passwords, "ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": challenge["Session"]}
        return {**given, "ChallengeResponses": answers}

    with later(guarded.emulator, 60):
        wrong = refusal(api.respond_to_auth_challenge, **answer(wrong_code(guarded, secret)))
        assert (wrong["code"], wrong["message"]) == ("CodeMismatchException", "Invalid code received for user")
        code = code_now(guarded, secret)
        assert api.respond_to_auth_challenge(**answer(code))["AuthenticationResult"]["AccessToken"]
        assert refusal(api.respond_to_auth_challenge, **answer(code))["code"] == "ExpiredCodeException"


def test_srp_leads_to_the_same_challenge(guarded: Stack) -> None:
    client_id = guarded.root("cognito-idp").create_user_pool_client(
        UserPoolId=guarded.pool_id, ClientName="srp", ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH"]
    )["UserPoolClient"]["ClientId"]
    person, api = guarded.newcomer(), anonymous(guarded, "cognito-idp")
    answer = srp_sign_in(api=api, client_id=client_id, pool_id=guarded.pool_id, email=person.email, password=PASSWORD)
    assert answer["ChallengeName"] == "MFA_SETUP"


def test_tokens_of_the_pages_cannot_set_one_up(stack: Stack) -> None:
    tokens = stack.tokens(stack.newcomer())
    error = refusal(anonymous(stack, "cognito-idp").associate_software_token, AccessToken=tokens.access_token)
    assert (error["code"], error["message"]) == (
        "NotAuthorizedException", "Access Token does not have required scopes",
    )  # fmt: skip


def test_a_restart_keeps_the_authenticator_and_used_codes(tmp_path: Path) -> None:
    with start(state=tmp_path / "state") as first:
        stack = build(first, name="portal", RequireMfa="true")
        person = stack.newcomer()
        secret = enrolled(Browser(stack), person)
        used = code_now(stack, secret)
    with start(state=tmp_path / "state") as second:
        browser = Browser(Stack(second, stack.outputs))
        assert "already been used once" in browser.submit(asked(browser, person), code=used).text
        with later(second, 60):
            code_in(browser.submit(asked(browser, person), code=code_now(browser.stack, secret)))
