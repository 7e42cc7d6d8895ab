"""Deviations of templates, functions and HTTP APIs."""

import json
import secrets
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKey

from emulator.client.deploy import DeployFailed, deploy
from tests.emulator.accounts import address
from tests.emulator.deviations import deviation
from tests.emulator.test_identity_pool import anonymous
from tests.emulator.trigger_template import with_triggers
from tests.emulator.world import ACME, ACME_OWNER, PASSWORD, REGION, TEMPLATE, Stack, build, refusal


def make(stack: Stack, template: str, stack_name: str = "") -> dict[str, str]:
    where, name = stack.emulator, stack_name or f"s{secrets.token_hex(4)}"
    return deploy(where.endpoint_url, where.root, template=template, stack_name=name)


@deviation("recorded-types")
def a_recorded_resource_runs_nothing(stack: Stack) -> None:
    topic = {"Type": "AWS::SNS::Topic", "Properties": {}}
    resources: dict[str, Any] = {"Resources": {"Topic": topic}, "Outputs": {"Arn": {"Value": {"Ref": "Topic"}}}}
    assert make(stack, json.dumps(resources))["Arn"].startswith("arn:aws:sns:")
    assert refusal(stack.root("sns").list_topics)["status"] >= 400


@deviation("settings-of-a-stack")
def settings_of_a_stack_without_effect_are_refused(stack: Stack) -> None:
    stacks, template = stack.root("cloudformation"), json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    settings: dict[str, Any] = {
        "NotificationARNs": ["arn:aws:sns:eu-west-1:123456789012:t"], "TimeoutInMinutes": 1,
        "RoleARN": "arn:aws:iam::123456789012:role/r", "ResourceTypes": ["AWS::SNS::*"],
        "RollbackConfiguration": {"MonitoringTimeInMinutes": 1},
    }  # fmt: skip
    for name, value in settings.items():
        error = refusal(stacks.create_stack, StackName="settings", TemplateBody=template, **{name: value})
        assert error["message"] == f"CreateStack: {name} is not served here."


@deviation("stack-policies")
def an_update_does_not_ask_the_stacks_policy(stack: Stack) -> None:
    nothing = {"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "Update:*", "Resource": "*"}]}
    make(stack, _pool("before"), stack_name="guarded")
    stacks = stack.root("cloudformation")
    stacks.set_stack_policy(StackName="guarded", StackPolicyBody=json.dumps(nothing))
    assert json.loads(stacks.get_stack_policy(StackName="guarded")["StackPolicyBody"]) == nothing
    pool = make(stack, _pool("after"), stack_name="guarded")["Id"]
    described = stack.root("cognito-idp").describe_user_pool(UserPoolId=pool)["UserPool"]
    assert described["EmailVerificationSubject"] == "after"


def _pool(subject: str) -> str:
    pool = {"Type": "AWS::Cognito::UserPool", "Properties": {"EmailVerificationSubject": subject}}
    return json.dumps({"Resources": {"Pool": pool}, "Outputs": {"Id": {"Value": {"Ref": "Pool"}}}})


@deviation("export-names")
def two_stacks_may_export_one_name(stack: Stack) -> None:
    output = {"Value": "v", "Export": {"Name": f"e{secrets.token_hex(4)}"}}
    template = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"Out": output}})
    assert make(stack, template)["Out"] == make(stack, template)["Out"] == "v"


@deviation("empty-settings")
def an_unknown_property_without_a_value_is_accepted(stack: Stack) -> None:
    resources = {"Files": {"Type": "AWS::S3::Bucket", "Properties": {"Colour": ""}}}
    make(stack, json.dumps({"Resources": resources}))
    resources["Files"]["Properties"] = {"Colour": "blue"}
    with pytest.raises(DeployFailed, match="Colour is not served here"):
        make(stack, json.dumps({"Resources": resources}))


@deviation("python-functions")
def a_function_in_another_language_is_refused(stack: Stack) -> None:
    template = with_triggers("exports.handler = 1", PostConfirmation="handler").replace("python3.12", "nodejs22.x")
    with pytest.raises(DeployFailed, match="is not served here, only python3"):
        make(stack, template)


@deviation("endless-functions")
def a_function_beyond_its_time_goes_on(stack: Stack) -> None:
    with TemporaryDirectory() as folder:
        trace = Path(folder) / "went-on"
        code = (
            "import pathlib, time\n"
            "def handler(event, context):\n"
            "    time.sleep(1.5)\n"
            f"    pathlib.Path({str(trace)!r}).touch()\n"
            "    return event\n"
        )
        outputs = make(stack, with_triggers(code, timeout=1, PreSignUp="handler"))
        client = {"ClientName": "c", "UserPoolId": outputs["UserPoolId"]}
        made = stack.root("cognito-idp").create_user_pool_client(**client)["UserPoolClient"]
        person = {"ClientId": made["ClientId"], "Username": address(), "Password": PASSWORD}
        assert "timed out" in refusal(anonymous(stack, "cognito-idp").sign_up, **person)["message"]
        deadline = time.monotonic() + 5
        while not trace.exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)


@deviation("throttle-of-an-api")
def the_throttle_of_an_api_is_not_enforced(stack: Stack) -> None:
    text = TEMPLATE.read_text("utf-8")
    one = text.replace(
        "ThrottlingRateLimit: 50, ThrottlingBurstLimit: 100", "ThrottlingRateLimit: 1, ThrottlingBurstLimit: 1"
    )
    assert one != text
    limited = build(stack.emulator, name=f"t{secrets.token_hex(4)}", template=one)
    given = limited.credentials(ACME_OWNER)
    signing = SigningKey(given.access_key_id, given.secret_access_key, given.session_token)
    for _ in range(10):
        request = AWSRequest("GET", f"{limited.outputs['RecordsApiUrl']}/{ACME}/profile")
        SigV4Auth(signing, "execute-api", REGION).add_auth(request)
        assert requests.get(request.url, headers=dict(request.headers), timeout=10).status_code == 200
