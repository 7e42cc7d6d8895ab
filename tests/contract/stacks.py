"""The stack that the contract is checked on: an administrator's clients and tokens of two tenants. Only boto3 and HTTP.

By default, this is the tests' world. With AWS_CONTRACT_STACK in the environment, it is that stack on AWS, with tokens
of two people who signed in to it (see docs/local-aws.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import jwt
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

STACK = "AWS_CONTRACT_STACK"
_ONCE = {"total_max_attempts": 1}


@dataclass(frozen=True)
class Tokens:
    id_token: str = field(repr=False)
    access_token: str = field(repr=False)


@dataclass(frozen=True)
class Tenant:
    """A person who may write the rows of their organisation."""

    tokens: Tokens
    credentials: Mapping[str, Any] = field(repr=False)

    @property
    def claims(self) -> dict[str, Any]:
        return unverified_claims(self.tokens.id_token)

    @property
    def org(self) -> str:
        return str(self.claims["custom:org"])


@dataclass(frozen=True)
class Where:
    """`endpoint_url` is None on AWS. `administrator` holds the deployer's keys; None means boto3's default ones."""

    region: str
    endpoint_url: str | None
    domain: str
    redirect_uri: str
    outputs: Mapping[str, str]
    administrator: Mapping[str, str] | None = field(repr=False)

    @property
    def table(self) -> str:
        return self.outputs["TableName"]

    @property
    def provider(self) -> str:
        return f"cognito-idp.{self.region}.amazonaws.com/{self.outputs['UserPoolId']}"

    @property
    def dynamodb_url(self) -> str:
        return self.endpoint_url or f"https://dynamodb.{self.region}.amazonaws.com"

    def client(self, service: str, keys: Mapping[str, Any] | None = None) -> Any:
        return boto3.client(
            service,
            region_name=self.region,
            endpoint_url=self.endpoint_url,
            config=Config(retries=_ONCE, parameter_validation=False),
            **(keys or {}),
        )

    def admin(self, service: str) -> Any:
        return self.client(service, self.administrator)

    def unsigned(self, service: str) -> Any:
        config = Config(signature_version=UNSIGNED, retries=_ONCE, parameter_validation=False)
        return boto3.client(service, region_name=self.region, endpoint_url=self.endpoint_url, config=config)

    def dynamodb(self, tenant: Tenant) -> Any:
        return self.client("dynamodb", tenant.credentials)

    def tenant(self, tokens: Tokens) -> Tenant:
        pool, logins = self.unsigned("cognito-identity"), {self.provider: tokens.id_token}
        identity = pool.get_id(IdentityPoolId=self.outputs["IdentityPoolId"], Logins=logins)["IdentityId"]
        given = pool.get_credentials_for_identity(IdentityId=identity, Logins=logins)["Credentials"]
        keys = {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretKey"],
            "aws_session_token": given["SessionToken"],
        }
        return Tenant(tokens, keys)


def on_aws() -> Where:
    region = os.environ.get("AWS_CONTRACT_REGION", "eu-west-1")
    described = boto3.client("cloudformation", region_name=region).describe_stacks(StackName=os.environ[STACK])
    outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in described["Stacks"][0]["Outputs"]}
    if outputs.get("RecordKeys", "pk,sk") != "pk,sk":
        raise ValueError("The contract is checked on a stack whose table has the keys pk and sk.")
    redirect_uri = f"{os.environ.get('AWS_CONTRACT_PORTAL_URL', 'http://localhost:8000')}/oidc/callback/"
    return Where(region, None, f"https://{outputs['UserPoolDomain']}", redirect_uri, outputs, None)


def tokens_from_environment(which: str) -> Tokens:
    names = (f"AWS_CONTRACT_{which}_ID_TOKEN", f"AWS_CONTRACT_{which}_ACCESS_TOKEN")
    return Tokens(*(os.environ[name] for name in names))


def refusal(call: Callable[..., Any], **parameters: Any) -> tuple[str, int, str]:
    """The error of a call as (code, status, message). Raises AssertionError if the call succeeds."""
    try:
        answer = call(**parameters)
    except ClientError as failure:
        error, status = failure.response["Error"], failure.response["ResponseMetadata"]["HTTPStatusCode"]
        return error["Code"], status, error.get("Message", "")
    raise AssertionError(f"The call succeeded: {answer}")


def unverified_claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})
