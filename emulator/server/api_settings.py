"""Refuses settings in an API request that would be accepted without effect, by the table for templates."""

from collections.abc import Mapping
from typing import Any

from emulator import engine
from emulator.server.served_settings import SERVED, Settings, problems_of
from emulator.wire import AwsError

NO_FACTOR = "SoftwareTokenMfaConfiguration must be enabled if MFA is not OFF."
_KINDS = {
    "CreateTable": "AWS::DynamoDB::Table",
    "UpdateTable": "AWS::DynamoDB::Table",
    "CreateUserPool": "AWS::Cognito::UserPool",
    "UpdateUserPool": "AWS::Cognito::UserPool",
    "CreateUserPoolClient": "AWS::Cognito::UserPoolClient",
    "UpdateUserPoolClient": "AWS::Cognito::UserPoolClient",
    "CreateUserPoolDomain": "AWS::Cognito::UserPoolDomain",
    "UpdateUserPoolDomain": "AWS::Cognito::UserPoolDomain",
    "CreateGroup": "AWS::Cognito::UserPoolGroup",
    "UpdateGroup": "AWS::Cognito::UserPoolGroup",
    "CreateIdentityPool": "AWS::Cognito::IdentityPool",
    "UpdateIdentityPool": "AWS::Cognito::IdentityPool",
    "SetIdentityPoolRoles": "AWS::Cognito::IdentityPoolRoleAttachment",
}


# Of an operation that no resource type has.
_OTHERS = {
    "SetUserPoolMfaConfig": Settings(("UserPoolId", "MfaConfiguration", "SoftwareTokenMfaConfiguration")),
}

_STACK = frozenset({
    "NotificationARNs", "ResourceTypes", "RoleARN", "RollbackConfiguration", "StackPolicyDuringUpdateBody",
    "StackPolicyDuringUpdateURL", "TimeoutInMinutes",
})  # fmt: skip
# Of a request that is a form: what would have no effect.
_WITHOUT_EFFECT = {
    "AssumeRole": frozenset({"ProvidedContexts", "SerialNumber", "SourceIdentity", "TokenCode"}),
    "CreateChangeSet": _STACK,
    "CreateStack": _STACK,
    "DeleteStack": _STACK,
    "UpdateStack": _STACK,
}


def check_form_settings(operation: str, data: Mapping[str, str]) -> None:
    """Raises `AwsError`. aws-cli sends some settings empty, which asks for nothing."""
    given = {name.partition(".")[0] for name, value in data.items() if value}
    if refused := sorted(given & _WITHOUT_EFFECT.get(operation, frozenset())):
        raise AwsError("ValidationError", f"{operation}: {', '.join(refused)} is not served here.")


def check_settings(operation: str, data: Mapping[str, Any]) -> None:
    """Raises `AwsError`, with the code that the service has for a bad parameter."""
    if operation == "AdminCreateUser" and "SMS" in (data.get("DesiredDeliveryMediums") or []):
        raise AwsError("InvalidParameterException", "AdminCreateUser: DesiredDeliveryMediums SMS is not served here.")
    if operation in ("CreateUserPool", "UpdateUserPool", "SetUserPoolMfaConfig"):
        _check_factor(operation, data)
    known = SERVED[_KINDS[operation]] if operation in _KINDS else _OTHERS.get(operation)
    problems = problems_of(known, data, in_request=True) if known else []
    if problems:
        code = "ValidationException" if operation.endswith("Table") else "InvalidParameterException"
        raise AwsError(code, f"{operation}: {' '.join(problems)}")


def _check_factor(operation: str, data: Mapping[str, Any]) -> None:
    """Without a factor nobody could answer. That AWS refuses it, and with which text, is inferred.

    CreateUserPool cannot give one, and UpdateUserPool keeps the pool's.
    """
    pool = engine.cognito._user_pools.get(data.get("UserPoolId")) if operation == "UpdateUserPool" else None
    token = (pool or data).get("SoftwareTokenMfaConfiguration") or {}
    others = {"SmsMfaConfiguration", "EmailMfaConfiguration", "WebAuthnConfiguration"} & data.keys()
    if data.get("MfaConfiguration") in ("ON", "OPTIONAL") and not token.get("Enabled") and not others:
        raise AwsError("InvalidParameterException", NO_FACTOR)
