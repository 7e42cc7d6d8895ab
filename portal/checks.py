"""What must hold before the portal may serve: checked by Django at start and by `check --deploy`."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from iam import Principal, Request, UnsupportedPolicy, decide, decide_trust
from portal.template import TABLE_ARN, read_template, role_arn, role_policies, trust_policy

# Whatever reads, writes, copies or gives away rows.
ROW_ACTIONS = (
    "GetItem", "BatchGetItem", "Query", "Scan", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem",
    "ConditionCheckItem", "PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete", "GetRecords",
    "GetShardIterator", "DescribeStream", "ExportTableToPointInTime", "ImportTable", "CreateBackup",
    "RestoreTableFromBackup", "RestoreTableToPointInTime", "PutResourcePolicy", "UpdateTable", "DeleteTable",
)  # fmt: skip
# The table, and everything of it that has an ARN of its own.
ROW_PLACES = (TABLE_ARN, f"{TABLE_ARN}/index/any", f"{TABLE_ARN}/stream/any", f"{TABLE_ARN}/backup/any")
# What would let a role give itself the rest, on something that is not its business.
ELSEWHERE = "arn:aws:iam::123456789012:role/another"
ESCALATIONS = (
    "sts:AssumeRole", "iam:PassRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:DetachRolePolicy",
    "iam:UpdateAssumeRolePolicy", "iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary",
    "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:CreateAccessKey",
    "cognito-identity:SetPrincipalTagAttributeMap", "cognito-identity:SetIdentityPoolRoles",
)  # fmt: skip
_FEDERATED = "cognito-identity.amazonaws.com"
# The one program that may take on another role, and which: with it, one organisation's rows.
CLOSING_JOB, CLOSING = "ClosingJobRole", "ClosingRole"
_ASSUME = "sts:AssumeRole"
_SOME_ORG = "00000000-0000-4000-8000-000000000000"
TAGGED = {"aws:RequestTag/org": _SOME_ORG, "aws:TagKeys": ["org"]}


@register(Tags.security)
def only_people_reach_rows(**_: Any) -> list[CheckMessage]:
    """No role but the ones that people's credentials are of may reach the table, or give itself more than it has."""
    try:
        template = read_template()
        reached = {role: found for role in roles_of_programs(template) if (found := reached_by(role, template))}
    except (UnsupportedPolicy, OSError, ValueError, TypeError, KeyError) as error:
        return [Error(f"The roles in infra/template.yaml cannot be judged: {error}", id="portal.E002")]
    return [
        Error(
            f"{role} may call {', '.join(found)}.",
            hint="Take it out of infra/template.yaml: rows are reached with people's credentials only.",
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


def reached_by(role: str, template: dict[str, Any]) -> list[str]:
    """Row actions that a role may call on anything of the table that is not of the organisation it is tagged with,
    whatever keys are asked for; roles that it may take on and should not; and ways to get more.
    """
    policies = role_policies(template, role)

    def may(action: str, resource: str, **context: Any) -> bool:
        return decide(Request(action, resource, context), identity=policies).allowed

    asked = [
        {**keys, **tag}
        for keys in ({}, {"dynamodb:LeadingKeys": ["any"]}, {"dynamodb:LeadingKeys": ["PUBLIC#any"]})
        for tag in ({}, {"aws:PrincipalTag/org": _SOME_ORG}, {"aws:PrincipalTag/org": "PUBLIC"})
    ]
    rows = [
        action
        for action in ROW_ACTIONS
        if any(may(f"dynamodb:{action}", place, **context) for place in ROW_PLACES for context in asked)
    ]
    roles = [f"{_ASSUME} for {name}" for name in assumed_by(role, template) if (role, name) != (CLOSING_JOB, CLOSING)]
    return rows + roles + [action for action in ESCALATIONS if may(action, ELSEWHERE)]


def assumed_by(role: str, template: dict[str, Any]) -> list[str]:
    """Roles of the template that this one may take on by its own policies, and ClosingRole where that trusts it."""
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
            hint="Leave AWS_ENDPOINT_URL unset in a deployment; the emulator keeps nobody's secrets.",
            id="portal.E003",
        )
    ]


@register(Tags.caches, deploy=True)
def cache_is_shared(**_: Any) -> list[CheckMessage]:
    """Sessions and what the door knows must be the same for all processes."""
    if settings.CACHES["default"]["BACKEND"].endswith((".LocMemCache", ".DummyCache")):
        return [Error("CACHE_URL names a cache that every process has for itself.", id="portal.E004")]
    return []
