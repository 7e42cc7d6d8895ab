"""What the template refuses before it creates anything, and that it deploys with each value that it offers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from emulator.client.deploy import DeployFailed, deploy
from emulator.client.process import Emulator
from iam import Request, decide
from portal.template import read_template, role_policies
from tests.emulator.world import TEMPLATE as FILE
from tests.emulator.world import Stack

TEMPLATE = read_template()
RESOURCES, PARAMETERS = TEMPLATE["Resources"], TEMPLATE["Parameters"]
SES = {
    "MailSource": "no-reply@example.com",
    "MailIdentityArn": "arn:aws:ses:eu-west-1:123456789012:identity/example.com",
}
ALL_ON = {
    "PublicReads": "true", "BrowserReads": "true", "SignUp": "hosted-ui", "UserPoolTier": "PLUS", "RequireMfa": "true",
    **SES,
    "PortalPrincipal": "arn:aws:iam::123456789012:root", "ClosingPrincipal": "arn:aws:iam::123456789012:root",
    "ExportBucket": "exports-of-acme", "MaxReadUnits": "10", "MaxWriteUnits": "5", "LogRetentionDays": "7",
}  # fmt: skip
FUNCTIONS = [name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::Lambda::Function"]


def deployed(emulator: Emulator, **parameters: str) -> Stack:
    given = {"DeletionProtection": "false", "DomainPrefix": "parameters", **parameters}
    where = (emulator.endpoint_url, emulator.root)
    return Stack(emulator, deploy(*where, template=FILE, stack_name="parameters", parameters=given))


@pytest.mark.parametrize(
    "prefix",
    ["aws", "my-aws-portal", "amazonia", "cognito-portal", "xcognitox", "-portal", "portal-", "Portal", "a" * 64, ""],
)
def test_a_prefix_that_cognito_would_refuse_is_refused_early(emulator: Emulator, prefix: str) -> None:
    with pytest.raises(DeployFailed, match="DomainPrefix"):
        deployed(emulator, DomainPrefix=prefix)


@pytest.mark.parametrize("prefix", ["portal", "a", "aw-s", "amazing", "a" * 63])
def test_other_prefixes_are_accepted(prefix: str) -> None:
    assert re.fullmatch(PARAMETERS["DomainPrefix"]["AllowedPattern"], prefix)


@pytest.mark.parametrize(
    ("name", "value"),
    [("MaxReadUnits", "0"), ("MaxWriteUnits", "-1"), ("UserPoolTier", "LITE"), ("LogRetentionDays", "8")],
)
def test_a_value_that_a_service_would_refuse_is_refused_early(emulator: Emulator, name: str, value: str) -> None:
    with pytest.raises(DeployFailed, match=name):
        deployed(emulator, **{name: value})


def test_everything_deploys_at_once_and_goes_back_to_the_defaults(emulator: Emulator) -> None:
    stack = deployed(emulator, **ALL_ON)
    pool = stack.root("cognito-idp").describe_user_pool(UserPoolId=stack.pool_id)["UserPool"]
    table = stack.root("dynamodb").describe_table(TableName=stack.table)["Table"]
    assert (pool["UserPoolTier"], pool["UserPoolAddOns"]) == ("PLUS", {"AdvancedSecurityMode": "ENFORCED"})
    assert table["OnDemandThroughput"] == {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 5}
    # Whether people may change organisations is decided when the pool is made.
    again = deployed(emulator, SignUp="hosted-ui", UserPoolTier="ESSENTIALS")
    assert again.pool_id == stack.pool_id
    pool = stack.root("cognito-idp").describe_user_pool(UserPoolId=stack.pool_id)["UserPool"]
    assert pool["UserPoolTier"] == "ESSENTIALS"
    assert not pool.get("UserPoolAddOns")


def test_every_parameter_is_tried() -> None:
    of_tests_of_their_own = {
        "PortalUrl",
        "DomainPrefix",
        "DeletionProtection",
        "PartitionKey",
        "SortKey",
        "ExistingTable",
    }
    assert set(ALL_ON) | of_tests_of_their_own == set(PARAMETERS)


def test_another_partition_is_refused_by_name() -> None:
    assert set(TEMPLATE["Mappings"]["OnlyInPartition"]) == {"aws"}
    host = TEMPLATE["Outputs"]["UserPoolDomain"]["Value"]
    assert {"FindInMap": ["OnlyInPartition", {"Ref": "AWS::Partition"}, "SignInDomain"]} in _parts(host)


def _parts(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value, *(part for child in inner for part in _parts(child))]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_writes_its_own_log_only_and_for_a_set_time(function: str) -> None:
    log = RESOURCES[function]["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
    assert RESOURCES[log]["Properties"] == {"RetentionInDays": {"Ref": "LogRetentionDays"}}
    assert RESOURCES[log].get("Condition") == RESOURCES[function].get("Condition")
    policies = role_policies(TEMPLATE, f"{function}Role")
    own = f"arn:aws:example:eu-west-1:123456789012:resource/{log}"
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        assert decide(Request(action, own, {}), identity=policies).allowed
        for other in [f"{own}2", "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/another:*", "*"]:
            assert not decide(Request(action, other, {}), identity=policies).allowed
    assert not decide(Request("logs:CreateLogGroup", own, {}), identity=policies).allowed


@pytest.mark.parametrize("resource", ["Table", "UserPool"])
def test_a_failed_first_deployment_leaves_nothing_behind(resource: str) -> None:
    assert RESOURCES[resource]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES[resource]["UpdateReplacePolicy"] == "Retain"


def test_a_password_is_judged_by_its_length() -> None:
    policy = RESOURCES["UserPool"]["Properties"]["Policies"]["PasswordPolicy"]
    assert policy["MinimumLength"] == 15
    kinds = ("Lowercase", "Uppercase", "Numbers", "Symbols")
    assert [kind for kind in kinds if policy[f"Require{kind}"]] == []


def test_breached_passwords_are_blocked_where_the_plan_can() -> None:
    breached = RESOURCES["BreachedPasswords"]
    assert breached["Condition"] == "ChecksForBreachedPasswords"
    assert breached["Properties"]["CompromisedCredentialsRiskConfiguration"]["Actions"] == {"EventAction": "BLOCK"}
