"""The template's mails: through SES with texts of our own, or Cognito's default. Deployed into the emulator."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.client.deploy import DeployFailed, deploy
from emulator.client.process import Emulator
from iam import Request, decide
from portal.template import read_template, role_policies
from tests.emulator.world import TEMPLATE, Stack

SES = {
    "MailSource": "Acme Portal <no-reply@example.com>",
    "MailIdentityArn": "arn:aws:ses:eu-west-1:123456789012:identity/example.com",
}


def pool_of(emulator: Emulator, name: str, **parameters: str) -> tuple[Stack, dict[str, Any]]:
    given = {"DeletionProtection": "false", "DomainPrefix": name, **parameters}
    outputs = deploy(emulator.endpoint_url, emulator.root, template=TEMPLATE, stack_name=name, parameters=given)
    stack = Stack(emulator, outputs)
    return stack, stack.root("cognito-idp").describe_user_pool(UserPoolId=stack.pool_id)["UserPool"]


def test_without_ses_the_pool_has_no_texts_and_no_function(emulator: Emulator) -> None:
    stack, pool = pool_of(emulator, "no-ses")
    assert (stack.outputs["SignUp"], stack.outputs["Mails"]) == ("portal", "cognito-default")
    assert "CustomMessage" not in pool.get("LambdaConfig", {})
    assert pool.get("EmailConfiguration", {}).get("EmailSendingAccount", "COGNITO_DEFAULT") == "COGNITO_DEFAULT"
    assert "InviteMessageTemplate" not in pool["AdminCreateUserConfig"]


@pytest.mark.parametrize("sign_up", ["portal", "hosted-ui"])
def test_with_ses_the_pool_sends_our_texts(emulator: Emulator, sign_up: str) -> None:
    stack, pool = pool_of(emulator, f"ses-{sign_up}", SignUp=sign_up, **SES)
    assert (stack.outputs["SignUp"], stack.outputs["Mails"]) == (sign_up, "ses")
    assert pool["EmailConfiguration"] == {
        "EmailSendingAccount": "DEVELOPER", "From": SES["MailSource"], "SourceArn": SES["MailIdentityArn"],
    }  # fmt: skip
    assert "{####}" in pool["AdminCreateUserConfig"]["InviteMessageTemplate"]["EmailMessage"]
    assert set(pool["LambdaConfig"]) == {"CustomMessage"} | ({"PostConfirmation"} if sign_up == "hosted-ui" else set())


def test_a_stack_can_change_to_ses_and_back(emulator: Emulator) -> None:
    for parameters in ({}, SES, {}):
        stack, pool = pool_of(emulator, "changing", **parameters)
        assert stack.outputs["Mails"] == ("ses" if parameters else "cognito-default")
        assert bool(pool.get("LambdaConfig", {}).get("CustomMessage")) is bool(parameters)


@pytest.mark.parametrize("given", SES)
def test_one_of_the_two_parameters_alone_is_refused(emulator: Emulator, given: str) -> None:
    with pytest.raises(DeployFailed, match="Give both MailSource and MailIdentityArn, or neither"):
        pool_of(emulator, "half", **{given: SES[given]})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MailSource", "Acme Portal"),
        ("MailSource", "Acme <no-reply@example.com"),
        ("MailSource", 'Acme "Portal" <no-reply@example.com>'),
        ("MailIdentityArn", "example.com"),
        ("MailIdentityArn", "arn:aws:sns:eu-west-1:123456789012:identity/example.com"),
    ],
)
def test_a_malformed_parameter_is_refused(emulator: Emulator, name: str, value: str) -> None:
    with pytest.raises(DeployFailed, match=name):
        pool_of(emulator, "malformed", **{**SES, name: value})


def test_the_function_that_words_mails_may_only_write_its_own_log() -> None:
    policies = role_policies(read_template(), "CustomMessageRole")
    statements = read_template()["Resources"]["CustomMessagePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert [statement["Resource"] for statement in statements] == [{"GetAtt": "CustomMessageLog.Arn"}]
    for action in ("cognito-idp:AdminGetUser", "dynamodb:GetItem", "ses:SendEmail", "sts:AssumeRole"):
        assert not decide(Request(action, "*", {}), identity=policies).allowed
