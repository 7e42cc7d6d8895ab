"""Which roles of the templates in `infra/` hold a permission that makes, changes or becomes an identity.

No policy can keep the holder of such a permission to one organisation: who may create users can create one of any
organisation and sign in as them. So these permissions are named here, with the roles that need them.
`docs/threat-model.md` says what each of them is good for; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from iam import Request, decide, parse_policy
from portal.template import check_kinds_of_policies, role_documents

# By service: every action with which somebody could make, change or become an identity, or give it to a program.
_BY_SERVICE = {
    "cognito-idp": (
        "AdminCreateUser", "CreateUserImportJob", "StartUserImportJob", "AdminConfirmSignUp", "AdminEnableUser",
        "AdminUpdateUserAttributes", "AdminDeleteUserAttributes", "AdminSetUserPassword", "AdminResetUserPassword",
        "AdminInitiateAuth", "AdminRespondToAuthChallenge", "AdminLinkProviderForUser", "AdminSetUserMFAPreference",
        "AdminSetUserSettings", "AdminDeleteSoftwareToken", "AdminAddUserToGroup", "CreateGroup", "UpdateGroup",
        "CreateUserPoolClient", "UpdateUserPoolClient", "DescribeUserPoolClient", "AddUserPoolClientSecret",
        "ListUserPoolClientSecrets", "UpdateUserPool", "AddCustomAttributes", "SetUserPoolMfaConfig",
        "CreateIdentityProvider", "UpdateIdentityProvider", "CreateUserPoolDomain", "UpdateUserPoolDomain",
        "CreateUserPoolReplica", "UpdateUserPoolReplica",
    ),
    "cognito-identity": (
        "SetIdentityPoolRoles", "SetPrincipalTagAttributeMap", "UpdateIdentityPool",
        "GetOpenIdTokenForDeveloperIdentity",
    ),
    "sts": ("AssumeRole", "TagSession", "AssumeRoot", "GetFederationToken"),
    "iam": (
        "PassRole", "CreateRole", "UpdateAssumeRolePolicy", "PutRolePolicy", "AttachRolePolicy", "DeleteRolePolicy",
        "DetachRolePolicy", "PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary", "TagRole",
        "CreatePolicyVersion", "SetDefaultPolicyVersion", "AddRoleToInstanceProfile", "CreateUser", "CreateAccessKey",
        "CreateLoginProfile", "UpdateLoginProfile", "PutUserPolicy", "AttachUserPolicy", "PutGroupPolicy",
        "AttachGroupPolicy", "AddUserToGroup", "CreateOpenIDConnectProvider", "UpdateSAMLProvider",
    ),
    "lambda": ("CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration"),
    "cloudformation": ("CreateStack", "UpdateStack", "CreateChangeSet", "ExecuteChangeSet"),
    "ecs": ("RunTask", "StartTask", "CreateService", "UpdateService", "RegisterTaskDefinition", "ExecuteCommand"),
    "ssm": ("StartSession", "SendCommand", "GetParameter", "GetParameters", "GetParametersByPath"),
    "secretsmanager": ("GetSecretValue", "BatchGetSecretValue"),
}  # fmt: skip
IDENTITY_ACTIONS = tuple(f"{service}:{name}" for service, names in _BY_SERVICE.items() for name in names)

# role -> what it needs of them. Any other holder is refused by the system check.
EXPECTED = {
    "PortalRole": {
        "cognito-idp:AdminCreateUser",
        "cognito-idp:AdminUpdateUserAttributes",
        "cognito-idp:AdminEnableUser",
        "cognito-idp:AdminDeleteSoftwareToken",
        "iam:CreatePolicyVersion",
    },
    "PostConfirmationRole": {"cognito-idp:AdminUpdateUserAttributes"},
    "ClosingJobRole": {"sts:AssumeRole", "sts:TagSession"},
    "WebExecutionRole": {"secretsmanager:GetSecretValue"},
    "WorkerExecutionRole": {"secretsmanager:GetSecretValue"},
    "ClosingExecutionRole": {"secretsmanager:GetSecretValue"},
    "ClosingScheduleRole": {"ecs:RunTask", "iam:PassRole"},
}


def holders(template: Mapping[str, Any]) -> dict[str, set[str]]:
    """By role, the identity-making actions that it holds, on whatever resource and under whatever condition.

    Wildcards and NotAction count. Raises TypeError for policies in a form that is not read here, and what
    `role_documents` raises.
    """
    check_kinds_of_policies(template)
    roles = [name for name, resource in template["Resources"].items() if resource["Type"] == "AWS::IAM::Role"]
    return {role: set(_held_by(role, template)) for role in roles}


def unexpected(template: Mapping[str, Any]) -> dict[str, set[str]]:
    """By role, what it holds and is not expected to. Raises as `holders` does."""
    found = {role: held - EXPECTED.get(role, set()) for role, held in holders(template).items()}
    return {role: actions for role, actions in found.items() if actions}


def _held_by(role: str, template: Mapping[str, Any]) -> Iterator[str]:
    policies = [
        parse_policy({"Version": "2012-10-17", "Statement": widest}, name=name)
        for name, document in role_documents(template, role).items()
        if (widest := _widest(document["Statement"]))
    ]
    for action in IDENTITY_ACTIONS:
        if decide(Request(action, "*", {}), identity=policies).allowed:
            yield action


def _widest(statements: Any) -> list[dict[str, Any]]:
    """The statements as if all their resources and conditions were met.

    A Deny that has conditions or names resources may be got around, so it counts for nothing.
    """
    return [
        {**{part: value for part, value in statement.items() if part in _KEPT}, "Resource": "*"}
        for statement in (statements if isinstance(statements, list) else [statements])
        if statement["Effect"] == "Allow" or (statement.get("Resource") == "*" and "Condition" not in statement)
    ]


_KEPT = {"Sid", "Effect", "Action", "NotAction"}
