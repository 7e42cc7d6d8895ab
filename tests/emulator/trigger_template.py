"""A stack with one user pool and its triggers. The functions' code is in the template."""

import json
from collections.abc import Mapping
from typing import Any

CALLBACK = "http://localhost:8000/oidc/callback/"


def with_triggers(
    code: str, *, permitted: bool = True, timeout: int = 5, version: str = "V1_0", **triggers: str
) -> str:
    """`triggers` maps a trigger to the name of its function in `code`."""
    resources: dict[str, Any] = {
        "Role": _role(),
        "UserPool": {"Type": "AWS::Cognito::UserPool", "Properties": _pool(triggers, version)},
        "LoginClient": {"Type": "AWS::Cognito::UserPoolClient", "Properties": _client()},
        "Domain": {
            "Type": "AWS::Cognito::UserPoolDomain",
            "Properties": {"UserPoolId": {"Ref": "UserPool"}, "Domain": {"Ref": "AWS::StackName"}},
        },
    }
    for trigger, function in triggers.items():
        resources[trigger] = _function(code, function, timeout)
        if permitted:
            resources[f"{trigger}Permission"] = _permission(trigger)
    outputs = {"UserPoolId": {"Value": {"Ref": "UserPool"}}, "LoginClientId": {"Value": {"Ref": "LoginClient"}}}
    return json.dumps({"Resources": resources, "Outputs": outputs})


def _role() -> dict[str, Any]:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    read = {"Effect": "Allow", "Action": ["cognito-idp:ListUserPools"], "Resource": "*"}
    policies = [{"PolicyName": "list", "PolicyDocument": {"Version": "2012-10-17", "Statement": [read]}}]
    document = {"Version": "2012-10-17", "Statement": [trust]}
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document, "Policies": policies}}


def _pool(triggers: Mapping[str, str], version: str) -> dict[str, Any]:
    config: dict[str, Any] = {name: {"Fn::GetAtt": [name, "Arn"]} for name in triggers}
    if version != "V1_0":
        arn = config.pop("PreTokenGeneration")
        config["PreTokenGenerationConfig"] = {"LambdaArn": arn, "LambdaVersion": version}
    return {
        "UsernameAttributes": ["email"],
        "AutoVerifiedAttributes": ["email"],
        "LambdaConfig": config,
        "Schema": [{"Name": "org", "AttributeDataType": "String", "Mutable": True}],
    }


def _client() -> dict[str, Any]:
    return {
        "UserPoolId": {"Ref": "UserPool"},
        "ClientName": "c",
        "AllowedOAuthFlowsUserPoolClient": True,
        "AllowedOAuthFlows": ["code"],
        "AllowedOAuthScopes": ["openid", "email"],
        "CallbackURLs": [CALLBACK],
        "GenerateSecret": True,
        "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        "ReadAttributes": ["email", "email_verified", "custom:org"],
        "WriteAttributes": ["email"],
        "PreventUserExistenceErrors": "ENABLED",
    }


def _function(code: str, function: str, timeout: int) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.12",
            "Handler": f"index.{function}",
            "Code": {"ZipFile": code},
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Timeout": timeout,
            "Environment": {"Variables": {"GREETING": "hello"}},
        },
    }


def _permission(function: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Ref": function},
            "Action": "lambda:InvokeFunction",
            "Principal": "cognito-idp.amazonaws.com",
            "SourceArn": {"Fn::GetAtt": ["UserPool", "Arn"]},
        },
    }
