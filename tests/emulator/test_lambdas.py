"""Functions of a template: where their code is, which cannot run, and their isolation."""

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from emulator.client.deploy import DeployFailed, deploy
from emulator.client.process import Emulator, start
from tests.emulator.accounts import address, client_of
from tests.emulator.test_identity_pool import anonymous
from tests.emulator.trigger_template import with_triggers
from tests.emulator.world import PASSWORD, Stack, refusal

_IDLE = "def f(event, context):\n    return event\n"


def deploy_stack(emulator: Emulator, template: dict[str, Any]) -> Stack:
    name = f"functions-{secrets.token_hex(4)}"
    return Stack(emulator, deploy(emulator.endpoint_url, emulator.root, template=json.dumps(template), stack_name=name))


def template(code: str = _IDLE, **changes: Any) -> dict[str, Any]:
    """One PreSignUp function, with these properties changed."""
    whole: dict[str, Any] = json.loads(with_triggers(code, PreSignUp="f"))
    whole["Resources"]["PreSignUp"]["Properties"].update(changes)
    return whole


def sign_up_error(stack: Stack) -> str:
    given = {"ClientId": client_of(stack), "Username": address(), "Password": PASSWORD}
    return str(refusal(anonymous(stack, "cognito-idp").sign_up, **given)["message"])


def test_an_edit_in_the_templates_folder_counts_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = tmp_path / "own.py"
    source.write_text("def f(event, context):\n    raise Exception('first')\n")
    monkeypatch.setenv("EMULATOR_HANDLERS_DIR", str(tmp_path))
    with start() as running:
        stack = deploy_stack(running, template(Code=".", Handler="own.f"))
        assert sign_up_error(stack) == "PreSignUp failed with error first."
        source.write_text("def f(event, context):\n    raise Exception('second')\n")
        assert sign_up_error(stack) == "PreSignUp failed with error second."


def test_a_folder_of_functions_may_be_relative(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "own.py").write_text("def f(event, context):\n    raise Exception('found')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMULATOR_HANDLERS_DIR", "own")
    with start() as running:
        assert sign_up_error(deploy_stack(running, template(Code=".", Handler="own.f"))).endswith("error found.")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Code": ".."}, "Code must be a folder beside the template"),
        ({"Code": "/"}, "Code must be a folder beside the template"),
        ({"Code": {"S3Bucket": "b", "S3Key": "k"}}, "Deploy the template unpackaged"),
        ({"Runtime": "nodejs22.x"}, "Runtime nodejs22.x is not served here, only python3"),
        ({"Role": "arn:aws:iam::123456789012:role/nobody"}, "cannot be assumed by Lambda"),
    ],
    ids=str,
)
def test_a_function_that_cannot_run_is_not_deployed(emulator: Emulator, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(DeployFailed, match=reason):
        deploy_stack(emulator, template(**changes))


def test_a_pool_with_an_unsupported_trigger_is_not_created(emulator: Emulator, stack: Stack) -> None:
    other = template()
    other["Resources"]["UserPool"]["Properties"]["LambdaConfig"] = {
        "PreAuthentication": {"Fn::GetAtt": ["PreSignUp", "Arn"]}
    }
    with pytest.raises(DeployFailed, match="PreAuthentication"):
        deploy_stack(emulator, other)
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"
    create = stack.root("cognito-idp").create_user_pool
    assert "UserMigration" in refusal(create, PoolName="p", LambdaConfig={"UserMigration": arn})["message"]


def test_functions_running_at_once_do_not_share_state(emulator: Emulator) -> None:
    code = """
import boto3, os, time
def f(event, context):
    os.environ["SEEN"] = os.environ.get("SEEN", "") + os.environ["MINE"]
    time.sleep(0.2)
    who = boto3.client("sts").get_caller_identity()["Arn"].rpartition("/")[2]
    raise Exception(os.environ["SEEN"] + " " + str(who == context.function_name))
"""
    stacks = [deploy_stack(emulator, template(code, Environment={"Variables": {"MINE": mine}})) for mine in ("a", "b")]
    with ThreadPoolExecutor() as pool:
        errors = list(pool.map(sign_up_error, stacks * 2))
    assert errors == [f"PreSignUp failed with error {mine} True." for mine in ("a", "b")] * 2


def test_a_functions_output_does_not_disturb_the_emulator(emulator: Emulator) -> None:
    code = "def f(event, context):\n    print('x' * 200_000)\n    raise Exception('printed')\n"
    assert sign_up_error(deploy_stack(emulator, template(code))) == "PreSignUp failed with error printed."
