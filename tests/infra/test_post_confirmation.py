"""The function that gives new people their organisation: one id, however often and however slowly it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from emulator.client.process import start
from infra.functions.handlers import organisation_id, post_confirmation
from portal.environment import BASE
from tests.emulator.accounts import address, client_of, mailed_code
from tests.emulator.test_identity_pool import anonymous
from tests.emulator.world import PASSWORD, REGION, Stack, build, refusal, wait
from tests.world.faults import Switches

_UPDATE = "CognitoIdentityProvider.AdminUpdateUserAttributes"
_READ = "CognitoIdentityProvider.AdminGetUser"
# What takes long is done before it says that it is ready.
_RUN = (
    "import json, sys, boto3; from infra.functions.handlers import post_confirmation; "
    "boto3.client('cognito-idp'); print('ready', flush=True); post_confirmation(json.load(sys.stdin), None)"
)


@pytest.fixture(scope="module")
def open_stack() -> Iterator[Stack]:
    """Its Cognito waits three seconds for a function instead of five: on a busy machine a quick one can take two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMULATOR_TRIGGER_SECONDS", "3")
        with start() as emulator:
            yield build(emulator, name="open", SignUp="hosted-ui")


@pytest.fixture
def faults(open_stack: Stack) -> Iterator[Switches]:
    switches = Switches(open_stack.emulator)
    switches.forget()
    yield switches
    switches.mend()


@pytest.fixture
def email(open_stack: Stack) -> str:
    """Of somebody who signed up and has the code."""
    email = address()
    anonymous(open_stack, "cognito-idp").sign_up(ClientId=client_of(open_stack), Username=email, Password=PASSWORD)
    return email


def confirm(stack: Stack, email: str) -> None:
    code = mailed_code(stack.emulator, email)
    api = anonymous(stack, "cognito-idp")
    api.confirm_sign_up(ClientId=client_of(stack), Username=email, ConfirmationCode=code)


def attributes(stack: Stack, email: str) -> dict[str, str]:
    user = stack.root("cognito-idp").admin_get_user(UserPoolId=stack.pool_id, Username=email)
    return {entry["Name"]: entry["Value"] for entry in user["UserAttributes"]}


def expected(stack: Stack, email: str) -> dict[str, str]:
    sub = attributes(stack, email)["sub"]
    return {"custom:org": organisation_id(stack.pool_id, sub), "custom:role": "owner"}


def given(stack: Stack, email: str) -> dict[str, str]:
    return {name: value for name, value in attributes(stack, email).items() if name.startswith("custom:")}


def variables(stack: Stack) -> dict[str, str]:
    root = stack.emulator.root
    return {
        "AWS_ACCESS_KEY_ID": root.access_key_id,
        "AWS_SECRET_ACCESS_KEY": root.secret_access_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": stack.emulator.endpoint_url,
    }


def event(stack: Stack, email: str, source: str = "PostConfirmation_ConfirmSignUp") -> dict[str, Any]:
    return {"userPoolId": stack.pool_id, "userName": attributes(stack, email)["sub"], "triggerSource": source}


def test_confirming_gives_an_organisation_once(open_stack: Stack, faults: Switches, email: str) -> None:
    confirm(open_stack, email)
    assert given(open_stack, email) == expected(open_stack, email)
    assert not any("ListUsers" in operation for operation in faults.calls())


def make_the_first_attempt_slow(faults: Switches) -> None:
    """It writes when the second has begun.

    Each call takes less than the two seconds after which the function itself calls again.
    """
    for call in (_READ, _UPDATE):
        faults.fail(call, fault="latency", delay_seconds=1.8)


def test_a_late_answer_and_its_retries_give_one_organisation(open_stack: Stack, faults: Switches, email: str) -> None:
    make_the_first_attempt_slow(faults)
    confirm(open_stack, email)
    assert faults.calls()[_READ] >= 2, "there was no second attempt"
    assert given(open_stack, email) == expected(open_stack, email)


def test_a_first_attempt_that_writes_after_the_second_changes_nothing(
    open_stack: Stack, faults: Switches, email: str
) -> None:
    make_the_first_attempt_slow(faults)
    confirm(open_stack, email)
    first = given(open_stack, email)
    # The late first attempt ends meanwhile.
    wait(1.5)
    assert first == given(open_stack, email) == expected(open_stack, email)


def test_functions_that_run_at_once_give_one_organisation(open_stack: Stack, faults: Switches, email: str) -> None:
    faults.fail(_UPDATE, fault="latency", delay_seconds=1.8, rate=1)
    sent = json.dumps(event(open_stack, email))
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", _RUN],
            cwd=BASE, env={**os.environ, **variables(open_stack)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    assert [run.stdout and run.stdout.readline() for run in runs] == ["ready\n"] * 3
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda run: run.communicate(sent, timeout=120), runs))
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert faults.calls()[_UPDATE] >= 2, "they did not run at the same time"
    assert given(open_stack, email) == expected(open_stack, email)


def test_a_lost_connection_is_tried_again(open_stack: Stack, faults: Switches, email: str) -> None:
    faults.fail(_UPDATE, fault="dropped-connection")
    confirm(open_stack, email)
    assert given(open_stack, email) == expected(open_stack, email)


def test_a_throttled_call_is_tried_again(open_stack: Stack, faults: Switches, email: str) -> None:
    faults.fail(_UPDATE, fault="throttling", count=2)
    confirm(open_stack, email)
    assert given(open_stack, email) == expected(open_stack, email)


def test_a_forgotten_password_gives_nothing(
    open_stack: Stack, email: str, faults: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    reset = event(open_stack, email, "PostConfirmation_ConfirmForgotPassword")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name, value in variables(open_stack).items():
        monkeypatch.setenv(name, value)
    faults.forget()
    assert post_confirmation(reset, None) == reset
    assert faults.calls() == {}
    assert given(open_stack, email) == {}


def test_a_failure_says_nothing_about_the_account(open_stack: Stack, faults: Switches, email: str) -> None:
    faults.fail(_UPDATE, code="AccessDeniedException", message="User: arn:aws:sts::1:x is not authorized", rate=1)
    answer = refusal(
        anonymous(open_stack, "cognito-idp").confirm_sign_up,
        ClientId=client_of(open_stack),
        Username=email,
        ConfirmationCode=mailed_code(open_stack.emulator, email),
    )
    assert answer["message"] == "PostConfirmation failed with error The organisation could not be assigned.."
