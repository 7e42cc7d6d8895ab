"""Turns the outputs of the deployed stack into the portal's settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tenants.aws.failures import STACK, translate_errors
from tenants.domain.errors import Misconfigured

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

# setting -> output of infra/template.yaml
_FROM_OUTPUTS = {
    "AWS_REGION": "Region",
    "COGNITO_USER_POOL_ID": "UserPoolId",
    "COGNITO_CLIENT_ID": "LoginClientId",
    "COGNITO_IDENTITY_POOL_ID": "IdentityPoolId",
    "PUBLIC_READS": "PublicReads",
    "RECORDS_TABLE": "TableName",
    "RECORDS_KEYS": "RecordKeys",
    "TENANT_ROLE_ARN": "TenantRoleArn",
    "SUSPENSION_POLICY_ARN": "SuspensionPolicyArn",
    "CLOSING_ROLE_ARN": "ClosingRoleArn",
    "RECORDS_API_URL": "RecordsApiUrl",
    "SIGN_UP": "SignUp",
    "COGNITO_MAILS": "Mails",
    "REQUIRE_MFA": "RequireMfa",
}


def stack_settings(
    stacks: CloudFormationClient,
    people: CognitoIdentityProviderClient,
    stack: str,
    *,
    endpoint_url: str | None,
) -> dict[str, str]:
    """Settings by name, including the client's secret. `endpoint_url`, if given, also serves the sign-in pages.

    Raises Misconfigured if there is no such stack or it is another template's, DeniedByAws, Unreachable.
    """
    outputs = _outputs(stacks, stack)
    missing = [output for output in (*_FROM_OUTPUTS.values(), "UserPoolDomain") if output not in outputs]
    if missing:
        raise Misconfigured(f"the stack {stack} has no output {', '.join(missing)}: is it infra/template.yaml?")
    settings = {name: outputs[output] for name, output in _FROM_OUTPUTS.items()}
    # A stack with BrowserReads=false has no such client.
    settings["COGNITO_BROWSER_CLIENT_ID"] = outputs.get("BrowserClientId", "")
    settings["COGNITO_DOMAIN"] = endpoint_url or f"https://{outputs['UserPoolDomain']}"
    settings["COGNITO_CLIENT_SECRET"] = _secret(people, settings)
    if endpoint_url:
        settings["AWS_ENDPOINT_URL"] = endpoint_url
    return settings


def _outputs(stacks: CloudFormationClient, stack: str) -> Mapping[str, str]:
    with translate_errors(STACK):
        described = stacks.describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in described[0].get("Outputs", [])}


def _secret(people: CognitoIdentityProviderClient, settings: Mapping[str, str]) -> str:
    with translate_errors(STACK):
        client = people.describe_user_pool_client(
            UserPoolId=settings["COGNITO_USER_POOL_ID"], ClientId=settings["COGNITO_CLIENT_ID"]
        )["UserPoolClient"]
    return client.get("ClientSecret", "")
