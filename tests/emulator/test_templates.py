"""Templates: what is not served is refused by name, before anything is made, with what is served instead."""

import json
import re
import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.client.deploy import DeployFailed, deploy
from emulator.client.process import Emulator
from tests.emulator.world import TEMPLATE, client

RUNNING = TEMPLATE.with_name("portal.yaml")
TABLE = {
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
LIST_TABLES = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}]}


def refusal(emulator: Emulator, kind: str, properties: dict[str, Any], **sections: Any) -> str:
    """The text with which CreateStack refuses this resource. No stack may remain."""
    name = f"t{secrets.token_hex(4)}"
    body = json.dumps({"Resources": {"Thing": {"Type": kind, "Properties": properties}}, **sections})
    stacks = client(emulator, "cloudformation", emulator.root)
    with pytest.raises(ClientError) as refused:
        stacks.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"])
    with pytest.raises(ClientError):
        stacks.describe_stacks(StackName=name)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    return str(refused.value.response["Error"]["Message"])


def make(emulator: Emulator, kind: str, properties: dict[str, Any], **sections: Any) -> dict[str, str]:
    body = json.dumps({"Resources": {"Thing": {"Type": kind, "Properties": properties}}, **sections})
    return deploy(emulator.endpoint_url, emulator.root, template=body, stack_name=f"t{secrets.token_hex(4)}")


@pytest.mark.parametrize(
    "kind",
    ["AWS::SQS::Queue", "AWS::DynamoDB::GlobalTable", "AWS::Cognito::LogDeliveryConfiguration", "AWS::Lambda::Url",
     "AWS::CloudFormation::Stack", "AWS::CloudFormation::WaitConditionHandle", "Custom::Thing",
     "AWS::S3::BucketPolicy"],
)  # fmt: skip
def test_a_type_that_is_not_served_is_refused_by_name(emulator: Emulator, kind: str) -> None:
    text = refusal(emulator, kind, {})
    assert f"Unrecognized resource types: [{kind}]" in text
    assert "AWS::DynamoDB::Table" in text
    assert "Recorded without effect: AWS::CloudWatch::Alarm" in text


@pytest.mark.parametrize(
    ("kind", "path", "properties"),
    [
        ("AWS::DynamoDB::Table", "ResourcePolicy.PolicyDocument", {**TABLE, "ResourcePolicy": {"PolicyDocument": "x"}}),
        ("AWS::DynamoDB::Table", "StreamSpecification.StreamViewType",
         {**TABLE, "StreamSpecification": {"StreamViewType": "KEYS_ONLY"}}),
        ("AWS::DynamoDB::Table", "KinesisStreamSpecification.StreamArn",
         {**TABLE, "KinesisStreamSpecification": {"StreamArn": "x"}}),
        ("AWS::Cognito::UserPool", "Policies.SignInPolicy.AllowedFirstAuthFactors EMAIL_OTP",
         {"Policies": {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP"]}}}),
        ("AWS::Cognito::UserPool", "IssuerConfiguration.Type MULTI_REGION",
         {"IssuerConfiguration": {"Type": "MULTI_REGION"}}),
        ("AWS::Cognito::UserPool", "LambdaConfig.PreAuthentication", {"LambdaConfig": {"PreAuthentication": "arn"}}),
        ("AWS::Cognito::UserPool", "DeviceConfiguration.ChallengeRequiredOnNewDevice",
         {"DeviceConfiguration": {"ChallengeRequiredOnNewDevice": True}}),
        ("AWS::Cognito::UserPool", "EnabledMfas SMS_MFA", {"EnabledMfas": ["SMS_MFA"]}),
        ("AWS::Cognito::IdentityPool", "AllowClassicFlow",
         {"AllowUnauthenticatedIdentities": False, "AllowClassicFlow": True}),
        ("AWS::Cognito::IdentityPoolRoleAttachment", "RoleMappings.x.Type",
         {"IdentityPoolId": "x", "RoleMappings": {"x": {"Type": "Token"}}}),
        ("AWS::Lambda::Function", "Layers", {"Code": {"ZipFile": "x"}, "Role": "r", "Layers": ["arn"]}),
        ("AWS::ApiGatewayV2::Api", "Body.openapi", {"ProtocolType": "HTTP", "Body": {"openapi": "3"}}),
        ("AWS::S3::Bucket", "VersioningConfiguration.Status", {"VersioningConfiguration": {"Status": "Enabled"}}),
        ("AWS::IAM::Role", "Nonsense", {"AssumeRolePolicyDocument": TRUST, "Nonsense": "1"}),
    ],
)  # fmt: skip
def test_a_setting_without_effect_is_refused_by_name(
    emulator: Emulator, kind: str, path: str, properties: dict[str, Any]
) -> None:
    text = refusal(emulator, kind, properties)
    assert f"Thing ({kind}): {path}" in text
    assert "Served: " in text


def test_every_problem_of_a_template_is_named(emulator: Emulator) -> None:
    text = refusal(emulator, "AWS::DynamoDB::Table", {**TABLE, "ResourcePolicy": {"PolicyDocument": "x"}, "Zzz": False})
    assert "ResourcePolicy.PolicyDocument is not served here." in text
    assert "Zzz is not served here." in text


def test_a_value_that_comes_from_a_parameter_is_checked(emulator: Emulator) -> None:
    parameters = {"Factor": {"Type": "String", "Default": "WEB_AUTHN"}}
    factors = {"Policies": {"SignInPolicy": {"AllowedFirstAuthFactors": [{"Ref": "Factor"}]}}}
    assert "AllowedFirstAuthFactors WEB_AUTHN" in refusal(
        emulator, "AWS::Cognito::UserPool", factors, Parameters=parameters
    )


def test_a_branch_that_does_not_apply_is_not_checked(emulator: Emulator) -> None:
    stream = {"Fn::If": ["Never", {"StreamViewType": "KEYS_ONLY"}, {"Ref": "AWS::NoValue"}]}
    make(
        emulator,
        "AWS::DynamoDB::Table",
        {**TABLE, "StreamSpecification": stream},
        Conditions={"Never": {"Fn::Equals": ["a", "b"]}},
    )


def test_settings_that_are_documented_as_harmless_are_accepted(emulator: Emulator) -> None:
    make(
        emulator, "AWS::DynamoDB::Table", {**TABLE, "TableClass": "STANDARD", "SSESpecification": {"SSEEnabled": True}}
    )
    make(emulator, "AWS::Cognito::UserPool", {"UserPoolTier": "ESSENTIALS", "SmsVerificationMessage": "{####}"})


def test_a_policy_of_aws_that_is_not_known_is_refused_by_name(emulator: Emulator) -> None:
    arn = {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AmazonBraketFullAccess"}
    text = refusal(emulator, "AWS::IAM::Role", {"AssumeRolePolicyDocument": TRUST, "ManagedPolicyArns": [arn]})
    assert "The policy arn:aws:iam::aws:policy/AmazonBraketFullAccess is not served here." in text
    assert "service-role/AWSLambdaBasicExecutionRole" in text


def test_a_boundary_of_aws_that_is_not_known_is_refused_by_name(emulator: Emulator) -> None:
    boundary = "arn:aws:iam::aws:policy/NoSuchBoundary"
    properties = {"AssumeRolePolicyDocument": TRUST, "PermissionsBoundary": boundary}
    assert f"The policy {boundary} is not served here." in refusal(emulator, "AWS::IAM::Role", properties)


def test_a_policy_that_does_not_exist_fails_its_role(emulator: Emulator) -> None:
    arn = "arn:aws:iam::123456789012:policy/none"
    with pytest.raises(DeployFailed, match=f"Policy {arn} does not exist or is not attachable."):
        make(emulator, "AWS::IAM::Role", {"AssumeRolePolicyDocument": TRUST, "ManagedPolicyArns": [arn]})


def test_a_user_and_its_policy_can_be_made(emulator: Emulator) -> None:
    make(emulator, "AWS::IAM::User", {"Policies": [{"PolicyName": "list", "PolicyDocument": LIST_TABLES}]})


def test_a_policy_that_cannot_be_evaluated_fails_its_user(emulator: Emulator) -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Unheard": {"a": "b"}}}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    with pytest.raises(DeployFailed, match="Unheard"):
        make(emulator, "AWS::IAM::User", {"Policies": [{"PolicyName": "odd", "PolicyDocument": document}]})


def test_a_change_set_is_refused_too(emulator: Emulator) -> None:
    stacks = client(emulator, "cloudformation", emulator.root)
    body = json.dumps({"Resources": {"Thing": {"Type": "AWS::DynamoDB::Table", "Properties": {**TABLE, "Zzz": 1}}}})
    with pytest.raises(ClientError, match="Zzz is not served here"):
        stacks.create_change_set(
            StackName=f"t{secrets.token_hex(4)}", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=body
        )


def test_the_own_template_is_valid(emulator: Emulator) -> None:
    client(emulator, "cloudformation", emulator.root).validate_template(TemplateBody=TEMPLATE.read_text("utf-8"))


@pytest.mark.parametrize(
    "properties",
    [
        {"AssumeRolePolicyDocument": TRUST, "ManagedPolicyArns": {"Fn::Split": [",", {"Ref": "AWS::StackName"}]}},
        {"AssumeRolePolicyDocument": TRUST, "ManagedPolicyArns": {"Fn::If": "Never"}},
        {"AssumeRolePolicyDocument": TRUST, "ManagedPolicyArns": {"Fn::If": [["Never"], [], []]}},
        {"Fn::If": ["Never", {"Zzz": 1}]},
        {"Fn::GetAtt": ["Thing", "Arn"]},
        ["nonsense"],
        "nonsense",
    ],
)
def test_a_malformed_template_is_refused_and_not_an_error_of_ours(emulator: Emulator, properties: Any) -> None:
    with pytest.raises((ClientError, DeployFailed)) as refused:
        make(emulator, "AWS::IAM::Role", properties)
    assert "InternalFailure" not in str(refused.value)


def test_exactly_the_types_of_the_second_template_are_recorded(emulator: Emulator) -> None:
    kinds = set(re.findall(r"^    Type: (AWS::\S+)$", RUNNING.read_text("utf-8"), re.MULTILINE))
    text = refusal(emulator, "AWS::SQS::Queue", {})
    served, recorded = (
        set(part.split(", ")) for part in re.findall(r"(?:Served here|Recorded without effect): ([^.]+)\.", text)
    )
    logs = {"AWS::Logs::LogGroup"}
    assert recorded == kinds - served | logs
