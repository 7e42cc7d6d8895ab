"""System checks: conditions that must hold before the portal serves. Run at start and by `check --deploy`."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

from iam import Principal, Request, UnsupportedPolicy, decide, decide_trust
from portal.template import TABLE_ARN, read_template, role_arn, role_policies, trust_policy

# Every action that reads, writes, copies or exports rows.
ROW_ACTIONS = (
    "GetItem", "BatchGetItem", "Query", "Scan", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem",
    "ConditionCheckItem", "PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete", "GetRecords",
    "GetShardIterator", "DescribeStream", "ExportTableToPointInTime", "ImportTable", "CreateBackup",
    "RestoreTableFromBackup", "RestoreTableToPointInTime", "PutResourcePolicy", "UpdateTable", "DeleteTable",
)  # fmt: skip
# The table and its parts that have their own ARN.
ROW_PLACES = (TABLE_ARN, f"{TABLE_ARN}/index/any", f"{TABLE_ARN}/stream/any", f"{TABLE_ARN}/backup/any")
# A role with one of these actions on an unrelated resource could give itself more permissions.
ELSEWHERE = "arn:aws:iam::123456789012:role/another"
ESCALATIONS = (
    "sts:AssumeRole", "iam:PassRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:DetachRolePolicy",
    "iam:UpdateAssumeRolePolicy", "iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary",
    "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:CreateAccessKey",
    "cognito-identity:SetPrincipalTagAttributeMap", "cognito-identity:SetIdentityPoolRoles",
)  # fmt: skip
_FEDERATED = "cognito-identity.amazonaws.com"
# The only program that may assume another role, and that role. It reaches one organisation's rows.
CLOSING_JOB, CLOSING = "ClosingJobRole", "ClosingRole"
_ASSUME = "sts:AssumeRole"
_SOME_ORG = "00000000-0000-4000-8000-000000000000"
TAGGED = {"aws:RequestTag/org": _SOME_ORG, "aws:TagKeys": ["org"]}


@register(Tags.security)
def only_people_reach_rows(**_: Any) -> list[CheckMessage]:
    """Only the roles behind people's credentials may reach the table. No other role may extend its own permissions."""
    try:
        template = read_template()
        reached = {role: found for role in roles_of_programs(template) if (found := excess_permissions(role, template))}
    except (UnsupportedPolicy, OSError, ValueError, TypeError, KeyError) as error:
        return [Error(f"The roles in infra/template.yaml cannot be checked: {error}", id="portal.E002")]
    return [
        Error(
            f"{role} may call {', '.join(found)}.",
            hint="Remove this from infra/template.yaml: only people's own credentials may reach rows.",
            id="portal.E001",
        )
        for role, found in reached.items()
    ]


def roles_of_programs(template: dict[str, Any]) -> list[str]:
    """The template's roles that are not assumed through the identity pool."""
    resources = template["Resources"]
    return [
        name
        for name, resource in resources.items()
        if resource["Type"] == "AWS::IAM::Role"
        and _FEDERATED not in str(resource["Properties"]["AssumeRolePolicyDocument"])
    ]


def excess_permissions(role: str, template: dict[str, Any]) -> list[str]:
    """What the role may do and should not, as names of actions; empty when all is well.

    That is: row actions outside the organisation in the role's tag, roles it could assume, and ways to extend its
    own permissions.
    """
    policies = role_policies(template, role)

    def may(action: str, resource: str, **context: Any) -> bool:
        return decide(Request(action, resource, context), identity=policies).allowed

    contexts = [
        {**keys, **tag}
        for keys in ({}, {"dynamodb:LeadingKeys": ["any"]}, {"dynamodb:LeadingKeys": ["PUBLIC#any"]})
        for tag in ({}, {"aws:PrincipalTag/org": _SOME_ORG}, {"aws:PrincipalTag/org": "PUBLIC"})
    ]
    rows = [
        action
        for action in ROW_ACTIONS
        if any(may(f"dynamodb:{action}", place, **context) for place in ROW_PLACES for context in contexts)
    ]
    others = [name for name in assumable_roles(role, template) if (role, name) != (CLOSING_JOB, CLOSING)]
    return (
        rows
        + [f"{_ASSUME} for {name}" for name in others]
        + [action for action in ESCALATIONS if may(action, ELSEWHERE)]
    )


def assumable_roles(role: str, template: dict[str, Any]) -> list[str]:
    """Roles of the template that this role's own policies let it assume, and ClosingRole if that one trusts it."""
    policies, trust = role_policies(template, role), trust_policy(template, CLOSING)
    myself = Principal("AWS", role_arn(role))
    found = [
        name
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role"
        and any(decide(Request(_ASSUME, role_arn(name), tags), identity=policies).allowed for tags in ({}, TAGGED))
    ]
    if any(decide_trust(_ASSUME, trust, tags, principal=myself).allowed for tags in ({}, TAGGED)):
        found.append(CLOSING)
    return list(dict.fromkeys(found))


@register(Tags.security, deploy=True)
def no_emulator_in_a_deployment(**_: Any) -> list[CheckMessage]:
    if not settings.AWS_ENDPOINT_URL:
        return []
    where = urlsplit(settings.AWS_ENDPOINT_URL).netloc
    return [
        Error(
            f"AWS_ENDPOINT_URL sends every call to {where} instead of AWS.",
            hint="Leave AWS_ENDPOINT_URL unset in a deployment. The emulator does not protect secrets.",
            id="portal.E003",
        )
    ]


@register(Tags.caches, deploy=True)
def cache_is_shared(**_: Any) -> list[CheckMessage]:
    """All processes must share sessions and the cached standing of each person."""
    if settings.CACHES["default"]["BACKEND"].endswith((".LocMemCache", ".DummyCache")):
        return [Error("CACHE_URL names a cache that processes do not share.", id="portal.E004")]
    return []


@register(deploy=True)
def cognito_mails_are_enough(**_: Any) -> list[CheckMessage]:
    if settings.COGNITO_MAILS == "ses":
        return []
    return [
        checks.Warning(
            "Cognito sends its mails itself: at most 50 a day, invitations included, and without texts of your own.",
            hint="Give the stack MailSource and MailIdentityArn (docs/deploy.md), and take its settings again.",
            id="portal.W001",
        )
    ]
