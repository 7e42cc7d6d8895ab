"""Triggers of a user pool: the events they get, the effect of their responses, and their failures."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from emulator.client.deploy import deploy
from emulator.client.process import Emulator, start
from tests.emulator.accounts import address, client_of, mailed_code, mails, open_page, password_sign_in, sign_up
from tests.emulator.browser import Browser, redirect_parameters
from tests.emulator.test_identity_pool import anonymous
from tests.emulator.trigger_template import with_triggers
from tests.emulator.world import PASSWORD, Stack, claims, refusal


def build_with_triggers(emulator: Emulator, code: str, **more: Any) -> Stack:
    name = f"triggers-{secrets.token_hex(4)}"
    return Stack(
        emulator, deploy(emulator.endpoint_url, emulator.root, template=with_triggers(code, **more), stack_name=name)
    )


def sign_up_user(stack: Stack, client_id: str, **more: Any) -> str:
    email = address()
    anonymous(stack, "cognito-idp").sign_up(ClientId=client_id, Username=email, Password=PASSWORD, **more)
    return email


def user_status(stack: Stack, email: str) -> str:
    user = stack.root("cognito-idp").admin_get_user(UserPoolId=stack.pool_id, Username=email)
    return str(user["UserStatus"])


# The function returns its event as an error, because a test sees nothing else of it.
RAISES_EVENT = """
import json, os, boto3
def tell(event, context):
    raise Exception(json.dumps(event))
def surroundings(event, context):
    who = boto3.client("sts").get_caller_identity()["Arn"]
    left = context.get_remaining_time_in_millis()
    seen = [os.environ["AWS_REGION"], os.environ["GREETING"], 0 < left <= 5000, context.function_name]
    raise Exception(json.dumps([who, *seen]))
"""


def event_in_error(error: dict[str, Any]) -> Any:
    text = error["message"]
    return json.loads(text[text.index(" error ") + 7 : -1])


def test_a_pre_sign_up_function_gets_awss_event(emulator: Emulator) -> None:
    stack = build_with_triggers(emulator, RAISES_EVENT, PreSignUp="tell")
    client_id, email = client_of(stack), address()
    error = refusal(
        anonymous(stack, "cognito-idp").sign_up,
        ClientId=client_id,
        Username=email,
        Password=PASSWORD,
        UserAttributes=[{"Name": "email", "Value": email}],
        ValidationData=[{"Name": "captcha", "Value": "seen"}],
        ClientMetadata={"from": "a test"},
    )
    assert error["code"] == "UserLambdaValidationException"
    assert error["message"].startswith("PreSignUp failed with error ")
    event = event_in_error(error)
    user_name = event.pop("userName")
    assert event == {
        "version": "1",
        "triggerSource": "PreSignUp_SignUp",
        "region": "eu-west-1",
        "userPoolId": stack.pool_id,
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": client_id},
        "request": {
            "userAttributes": {"email": email},
            "validationData": {"captcha": "seen"},
            "clientMetadata": {"from": "a test"},
        },
        "response": {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False},
    }
    missing = refusal(stack.root("cognito-idp").admin_get_user, UserPoolId=stack.pool_id, Username=user_name)
    assert missing["code"] == "UserNotFoundException"


def test_a_function_runs_as_its_role_with_its_own_environment(emulator: Emulator) -> None:
    stack = build_with_triggers(emulator, RAISES_EVENT, PreSignUp="surroundings")
    error = refusal(
        anonymous(stack, "cognito-idp").sign_up, ClientId=client_of(stack), Username=address(), Password=PASSWORD
    )
    who, region, greeting, has_time, name = event_in_error(error)
    assert ":assumed-role/" in who
    assert who.endswith(f"/{name}")
    assert (region, greeting, has_time) == ("eu-west-1", "hello", True)


def test_admin_create_user_ignores_the_decision_but_not_a_refusal(emulator: Emulator) -> None:
    code = """
def decide(event, context):
    if event["request"]["userAttributes"]["email"].startswith("bad"):
        raise Exception("no")
    event["response"]["autoConfirmUser"] = event["triggerSource"] == "PreSignUp_AdminCreateUser"
    return event
"""
    stack, good = build_with_triggers(emulator, code, PreSignUp="decide"), address()
    create = stack.root("cognito-idp").admin_create_user
    assert create(UserPoolId=stack.pool_id, Username=good)["User"]["UserStatus"] == "FORCE_CHANGE_PASSWORD"
    error = refusal(create, UserPoolId=stack.pool_id, Username=f"bad{good}")
    assert (error["code"], error["message"]) == ("UserLambdaValidationException", "PreSignUp failed with error no.")


def test_a_pre_sign_up_function_can_confirm_and_verify(emulator: Emulator) -> None:
    code = """
def confirm(event, context):
    event["response"].update(autoConfirmUser=True, autoVerifyEmail=True)
    return event
"""
    stack = build_with_triggers(emulator, code, PreSignUp="confirm")
    client_id = client_of(stack)
    email = sign_up_user(stack, client_id)
    tokens = password_sign_in(anonymous(stack, "cognito-idp"), client_id, email)["AuthenticationResult"]
    assert claims(tokens["IdToken"])["email_verified"] is True
    assert mails(emulator, email) == []


RAISES_AFTER_CONFIRMATION = """
def confirmed(event, context):
    raise Exception(event["triggerSource"] + " " + event["request"]["userAttributes"]["cognito:user_status"])
"""


def test_a_user_stays_confirmed_if_the_function_fails(emulator: Emulator) -> None:
    stack = build_with_triggers(emulator, RAISES_AFTER_CONFIRMATION, PostConfirmation="confirmed")
    client_id, api = client_of(stack), anonymous(stack, "cognito-idp")
    email = sign_up_user(stack, client_id)
    code = mailed_code(emulator, email)
    error = refusal(api.confirm_sign_up, ClientId=client_id, Username=email, ConfirmationCode=code)
    assert error == {
        "code": "UserLambdaValidationException",
        "message": "PostConfirmation failed with error PostConfirmation_ConfirmSignUp CONFIRMED.",
        "status": 400,
    }
    assert user_status(stack, email) == "CONFIRMED"
    assert "AuthenticationResult" in password_sign_in(api, client_id, email)
    api.forgot_password(ClientId=client_id, Username=email)
    chosen = {"ConfirmationCode": mailed_code(emulator, email), "Password": "Another-horse-8-battery"}
    error = refusal(api.confirm_forgot_password, ClientId=client_id, Username=email, **chosen)
    assert "PostConfirmation_ConfirmForgotPassword CONFIRMED" in error["message"]


def test_admin_created_users_run_no_confirmation_function(emulator: Emulator) -> None:
    stack, email = build_with_triggers(emulator, RAISES_AFTER_CONFIRMATION, PostConfirmation="confirmed"), address()
    pools = stack.root("cognito-idp")
    pools.admin_create_user(UserPoolId=stack.pool_id, Username=email, MessageAction="SUPPRESS")
    pools.admin_set_user_password(UserPoolId=stack.pool_id, Username=email, Password=PASSWORD, Permanent=True)
    assert user_status(stack, email) == "CONFIRMED"


def test_admin_confirm_sign_up_runs_the_function(emulator: Emulator) -> None:
    stack = build_with_triggers(emulator, RAISES_AFTER_CONFIRMATION, PostConfirmation="confirmed")
    email = sign_up_user(stack, client_of(stack))
    confirm = stack.root("cognito-idp").admin_confirm_sign_up
    assert "PostConfirmation_ConfirmSignUp" in refusal(confirm, UserPoolId=stack.pool_id, Username=email)["message"]
    assert user_status(stack, email) == "CONFIRMED"


def test_the_pages_hide_the_details_of_a_trigger_failure(emulator: Emulator) -> None:
    stack = build_with_triggers(emulator, RAISES_AFTER_CONFIRMATION, PostConfirmation="confirmed")
    browser, email = Browser(stack), address()
    page = sign_up(browser, email)
    answer = browser.submit(page, username=email, code=mailed_code(emulator, email))
    back = redirect_parameters(answer)
    assert (back["error"], back["error_description"]) == ("invalid_request", "PostConfirmation failed")


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("return {}", "InvalidLambdaResponseException", "Unrecognizable lambda output"),
        ("return None", "InvalidLambdaResponseException", "Unrecognizable lambda output"),
        ("return {**event, 'userName': 'x'}", "InvalidLambdaResponseException", "Unrecognizable lambda output"),
        ("return object()", "UserLambdaValidationException", "not JSON serializable"),
        ("import missing_module", "UserLambdaValidationException", "No module named"),
        ("import time; time.sleep(1.4)", "UserLambdaValidationException", "Task timed out after 1.00 seconds"),
    ],
)
def test_an_invalid_function_response_is_refused(emulator: Emulator, body: str, code: str, message: str) -> None:
    stack = build_with_triggers(emulator, f"def answer(event, context):\n    {body}\n", timeout=1, PreSignUp="answer")
    error = refusal(
        anonymous(stack, "cognito-idp").sign_up, ClientId=client_of(stack), Username=address(), Password=PASSWORD
    )
    assert error["code"] == code
    assert message in error["message"]


def test_a_function_without_a_permission_is_not_invoked(emulator: Emulator) -> None:
    stack = build_with_triggers(emulator, "def f(event, context):\n    return event\n", permitted=False, PreSignUp="f")
    error = refusal(
        anonymous(stack, "cognito-idp").sign_up, ClientId=client_of(stack), Username=address(), Password=PASSWORD
    )
    assert error["code"] == "UnexpectedLambdaException"
    assert "AccessDeniedException" in error["message"]


def test_a_custom_message_replaces_the_pools_text(emulator: Emulator) -> None:
    code = """
def word(event, context):
    event["response"]["emailSubject"] = event["triggerSource"]
    name = event["request"]["usernameParameter"] or ""
    event["response"]["emailMessage"] = "It is " + event["request"]["codeParameter"] + " " + name
    return event
"""
    stack = build_with_triggers(emulator, code, CustomMessage="word")
    client_id, api = client_of(stack), anonymous(stack, "cognito-idp")
    email, invited = sign_up_user(stack, client_id), address()
    api.resend_confirmation_code(ClientId=client_id, Username=email)
    stack.root("cognito-idp").admin_create_user(UserPoolId=stack.pool_id, Username=invited)
    assert [mail["subject"] for mail in mails(emulator, email)] == ["CustomMessage_ResendCode", "CustomMessage_SignUp"]
    (invitation,) = mails(emulator, invited)
    assert invitation["subject"] == "CustomMessage_AdminCreateUser"
    assert invitation["body"].startswith("It is ")
    assert invitation["body"].endswith(invited)
    api.confirm_sign_up(ClientId=client_id, Username=email, ConfirmationCode=mailed_code(emulator, email))


@pytest.mark.parametrize("body", ["hello", "the code is {####}", "you are {username}"])
def test_an_invitation_without_its_placeholders_is_sent_in_the_pools_text(emulator: Emulator, body: str) -> None:
    code = f"def word(event, context):\n    event['response'].update(emailMessage='{body}', emailSubject='Mine')\n"
    stack, email = build_with_triggers(emulator, f"{code}    return event\n", CustomMessage="word"), address()
    stack.root("cognito-idp").admin_create_user(UserPoolId=stack.pool_id, Username=email)
    (mail,) = mails(emulator, email)
    assert mail["subject"] == "Mine"
    assert mail["body"].startswith(f"Your username is {email} and temporary password is ")


def test_a_failing_custom_message_creates_no_user(emulator: Emulator) -> None:
    code = "def word(event, context):\n    raise Exception('no')\n"
    stack, email = build_with_triggers(emulator, code, CustomMessage="word"), address()
    pools = stack.root("cognito-idp")
    assert refusal(pools.admin_create_user, UserPoolId=stack.pool_id, Username=email)["code"] == (
        "UserLambdaValidationException"
    )
    assert refusal(pools.admin_get_user, UserPoolId=stack.pool_id, Username=email)["code"] == "UserNotFoundException"


@pytest.mark.parametrize(("slow", "code"), [(2, None), (3, "UnexpectedLambdaException")])
def test_a_function_that_does_not_answer_is_tried_three_times(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, slow: int, code: str | None
) -> None:
    attempts = tmp_path / "attempts"
    text = f"""
import pathlib, time
def answer(event, context):
    attempts = pathlib.Path({str(attempts)!r})
    made = attempts.read_text() if attempts.exists() else ""
    attempts.write_text(made + "x")
    time.sleep(1.5 if len(made) < {slow} else 0)
    return event
"""
    monkeypatch.setenv("EMULATOR_TRIGGER_SECONDS", "1")
    with start() as impatient:
        stack = build_with_triggers(impatient, text, PreSignUp="answer")
        given = {"ClientId": client_of(stack), "Username": address(), "Password": PASSWORD}
        sign_up_call = anonymous(stack, "cognito-idp").sign_up
        if code is None:
            assert sign_up_call(**given)["UserConfirmed"] is False
        else:
            assert refusal(sign_up_call, **given)["code"] == code
    assert attempts.read_text() == "xxx"


def test_a_slow_function_does_not_block_other_calls(emulator: Emulator, tmp_path: Path) -> None:
    began, may_end = tmp_path / "began", tmp_path / "may-end"
    code = f"""
import pathlib, time

def slow(event, context):
    pathlib.Path({str(began)!r}).touch()
    while not pathlib.Path({str(may_end)!r}).exists():
        time.sleep(0.01)
    return event
"""
    stack = build_with_triggers(emulator, code, PreSignUp="slow")
    client_id, api = client_of(stack), anonymous(stack, "cognito-idp")
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(api.sign_up, ClientId=client_id, Username=address(), Password=PASSWORD)
        try:
            while not began.exists() and not slow.done():
                time.sleep(0.01)
            stack.root("sts").get_caller_identity()
            assert not slow.done()
        finally:
            may_end.touch()
        assert slow.result()["UserConfirmed"] is False


def test_the_secret_hash_is_checked_before_any_function_runs(emulator: Emulator) -> None:
    stack = build_with_triggers(emulator, RAISES_EVENT, PreSignUp="tell")
    sign, email = anonymous(stack, "cognito-idp").sign_up, address()
    given = {"ClientId": stack.client_id, "Username": email, "Password": PASSWORD}
    assert "SECRET_HASH was not received" in refusal(sign, **given)["message"]
    assert "Unable to verify secret hash" in refusal(sign, **given, SecretHash="guessed")["message"]
    mac = hmac.new(stack.secret().encode(), (email + stack.client_id).encode(), hashlib.sha256)
    right = base64.b64encode(mac.digest()).decode()
    assert refusal(sign, **given, SecretHash=right)["code"] == "UserLambdaValidationException"


def test_the_sign_up_page_hides_the_details_of_a_failure(emulator: Emulator) -> None:
    stack = build_with_triggers(emulator, RAISES_EVENT, PreSignUp="tell")
    browser = Browser(stack)
    assert open_page(browser, "/signup").status_code == 200
    assert redirect_parameters(sign_up(browser, address()))["error_description"] == "PreSignUp failed"
