"""Limits on attempts, expiry of codes and temporary passwords, and answers that do not reveal who exists."""

import pytest

from emulator import clock
from emulator.cognito.attempts import Attempts
from tests.emulator.accounts import WRONG_CODE, address, client_of, later, mailed_code, password_sign_in, wrong_code
from tests.emulator.browser import Browser, code_in
from tests.emulator.test_identity_pool import anonymous
from tests.emulator.world import ACME, PASSWORD, Person, Stack, refusal

CHOSEN = "Another-horse-8-battery"


def attempt(stack: Stack, client_id: str, email: str, password: str) -> str:
    call = anonymous(stack, "cognito-idp").initiate_auth
    parameters = {"USERNAME": email, "PASSWORD": password}
    return str(refusal(call, ClientId=client_id, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=parameters)["message"])


def test_wrong_passwords_lock_the_name(stack: Stack) -> None:
    email, client_id = stack.newcomer().email, client_of(stack)
    # Minutes apart, so that a slow machine does not outlast a lock of seconds.
    with later(stack.emulator, 60):
        assert {attempt(stack, client_id, email, "x") for _ in range(5)} == {"Incorrect username or password."}
    assert attempt(stack, client_id, email, PASSWORD) == "Password attempts exceeded"
    with later(stack.emulator, 120):
        assert attempt(stack, client_id, email, "x") == "Incorrect username or password."
    assert attempt(stack, client_id, email, PASSWORD) == "Password attempts exceeded"
    with later(stack.emulator, 180):
        assert "AuthenticationResult" in password_sign_in(anonymous(stack, "cognito-idp"), client_id, email)


@pytest.mark.parametrize(("failures", "seconds"), [(5, 1), (6, 2), (8, 8), (14, 512), (15, 900), (20, 900)])
def test_each_further_failure_doubles_the_lock(failures: int, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts, time = Attempts(), {"now": 1000.0}
    monkeypatch.setattr(clock, "now", lambda: time["now"])
    for _ in range(failures):
        attempts.record_failure("pool", "somebody")
    time["now"] += seconds - 0.01
    assert attempts.is_locked("pool", "somebody")
    time["now"] += 0.02
    assert not attempts.is_locked("pool", "somebody")


def test_a_right_password_resets_the_count_of_wrong_ones(stack: Stack) -> None:
    email, client_id, api = stack.newcomer().email, client_of(stack), anonymous(stack, "cognito-idp")
    for _ in range(2):
        for _ in range(4):
            attempt(stack, client_id, email, "x")
        assert "AuthenticationResult" in password_sign_in(api, client_id, email)


def test_a_lock_covers_pages_and_api_and_unknown_names(stack: Stack) -> None:
    known, client_id = stack.newcomer().email, client_of(stack)
    for email in (known, address()):
        browser = Browser(stack)
        for _ in range(4):
            browser.submit(browser.page(), username=email, password="x")
        with later(stack.emulator, 60):
            browser.submit(browser.page(), username=email, password="x")
        assert "Password attempts exceeded" in browser.submit(browser.page(), username=email, password=PASSWORD).text
        assert attempt(stack, client_id, email.upper(), PASSWORD) == "Password attempts exceeded"


def test_guesses_of_a_password_reset_code_are_limited(stack: Stack) -> None:
    email, client_id, api = stack.newcomer().email, client_of(stack), anonymous(stack, "cognito-idp")
    api.forgot_password(ClientId=client_id, Username=email)
    code = mailed_code(stack.emulator, email)
    answer = {"ClientId": client_id, "Username": email, "Password": CHOSEN}
    for _ in range(5):
        error = refusal(api.confirm_forgot_password, **answer, ConfirmationCode=wrong_code(code))
        assert (error["code"], error["message"]) == ("CodeMismatchException", WRONG_CODE)
    error = refusal(api.confirm_forgot_password, **answer, ConfirmationCode=code)
    assert error == {
        "code": "LimitExceededException",
        "message": "Attempt limit exceeded, please try after some time.",
        "status": 400,
    }


def test_a_password_reset_code_works_once_and_expires_in_an_hour(stack: Stack) -> None:
    email, client_id, api = stack.newcomer().email, client_of(stack), anonymous(stack, "cognito-idp")
    answer = {"ClientId": client_id, "Username": email, "Password": CHOSEN}
    assert refusal(api.confirm_forgot_password, **answer, ConfirmationCode="123456")["code"] == "ExpiredCodeException"
    api.forgot_password(ClientId=client_id, Username=email)
    code = mailed_code(stack.emulator, email)
    with later(stack.emulator, 3601):
        error = refusal(api.confirm_forgot_password, **answer, ConfirmationCode=code)
    assert (error["code"], error["message"]) == (
        "ExpiredCodeException",
        "Invalid code provided, please request a code again.",
    )
    weak = refusal(api.confirm_forgot_password, **{**answer, "Password": "short"}, ConfirmationCode=code)
    assert (weak["code"], weak["message"]) == (
        "InvalidPasswordException",
        "Password did not conform with policy: Password not long enough",
    )
    api.confirm_forgot_password(**answer, ConfirmationCode=code)
    assert "AuthenticationResult" in password_sign_in(api, client_id, email, CHOSEN)
    assert refusal(api.confirm_forgot_password, **answer, ConfirmationCode=code)["code"] == "ExpiredCodeException"


def test_mailed_codes_are_limited_per_hour(stack: Stack) -> None:
    email, client_id, api = stack.newcomer().email, client_of(stack), anonymous(stack, "cognito-idp")
    for _ in range(5):
        sent = api.forgot_password(ClientId=client_id, Username=email)["CodeDeliveryDetails"]
        assert sent["Destination"].startswith(email[0] + "***")
    error = refusal(api.forgot_password, ClientId=client_id, Username=email)
    assert error["code"] == "LimitExceededException"
    with later(stack.emulator, 3601):
        api.forgot_password(ClientId=client_id, Username=email)


@pytest.mark.parametrize(("setting", "hidden"), [("ENABLED", True), ("LEGACY", False)])
def test_a_client_reveals_users_only_if_it_is_configured_to(stack: Stack, setting: str, hidden: bool) -> None:
    client_id, api, nobody = (
        client_of(stack, PreventUserExistenceErrors=setting),
        anonymous(stack, "cognito-idp"),
        address(),
    )
    given = {"ClientId": client_id, "Username": nobody}
    if hidden:
        assert api.forgot_password(**given)["CodeDeliveryDetails"]["AttributeName"] == "email"
        assert api.resend_confirmation_code(**given)["CodeDeliveryDetails"]["AttributeName"] == "email"
        code, text = "CodeMismatchException", WRONG_CODE
        assert attempt(stack, client_id, nobody, "x") == "Incorrect username or password."
    else:
        code, text = "UserNotFoundException", "Username/client id combination not found."
        assert refusal(api.forgot_password, **given)["message"] == text
        assert attempt(stack, client_id, nobody, "x") == "User does not exist."
    for call, more in ((api.confirm_sign_up, {}), (api.confirm_forgot_password, {"Password": CHOSEN})):
        error = refusal(call, **given, ConfirmationCode="123456", **more)
        assert (error["code"], error["message"]) == (code, text)


def test_a_temporary_password_expires(stack: Stack) -> None:
    person, client_id = Person(address(), ACME, "viewer"), client_of(stack)
    stack.create(person, permanent=False)
    browser = Browser(stack)
    with later(stack.emulator, 8 * 24 * 3600):
        assert attempt(stack, client_id, person.email, PASSWORD) == (
            "Temporary password has expired and must be reset by an administrator."
        )
        page = browser.submit(browser.page(), username=person.email, password=PASSWORD)
        assert "must be reset by an administrator" in page.text
    assert "Choose a password" in browser.submit(browser.page(), username=person.email, password=PASSWORD).text


def test_a_user_reset_by_an_administrator_needs_the_mailed_code(stack: Stack) -> None:
    email, client_id = stack.newcomer().email, client_of(stack)
    stack.root("cognito-idp").admin_reset_user_password(UserPoolId=stack.pool_id, Username=email)
    browser = Browser(stack)
    page = browser.submit(browser.page(), username=email, password=PASSWORD)
    assert "You must change your password." in page.text
    assert attempt(stack, client_id, email, PASSWORD) == "Password reset required for the user"
    code = mailed_code(stack.emulator, email)
    done = browser.submit(page, username=email, code=code, new_password=CHOSEN, confirm_password=CHOSEN)
    assert code_in(browser.submit(done, username=email, password=CHOSEN))


def test_a_disabled_user_gets_no_code(stack: Stack) -> None:
    person, api = stack.newcomer(), anonymous(stack, "cognito-idp")
    stack.root("cognito-idp").admin_disable_user(UserPoolId=stack.pool_id, Username=person.email)
    error = refusal(api.forgot_password, ClientId=client_of(stack), Username=person.email)
    assert error["code"] == "NotAuthorizedException"
    hiding = client_of(stack, PreventUserExistenceErrors="ENABLED")
    assert "CodeDeliveryDetails" in api.forgot_password(ClientId=hiding, Username=person.email)


def test_an_unverified_address_cannot_reset_a_password(stack: Stack) -> None:
    person = stack.newcomer(email_verified="false")
    error = refusal(anonymous(stack, "cognito-idp").forgot_password, ClientId=client_of(stack), Username=person.email)
    assert error["code"] == "InvalidParameterException"
    assert error["message"].startswith("Cannot reset password for the user as there is no registered/verified email")
