"""System checks: conditions that must hold before the portal serves. Run at start and by `check --deploy`."""

from __future__ import annotations

import os
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

from iam import Principal, Request, UnsupportedPolicy, decide, decide_trust
from portal.cache import SERVER
from portal.identity_permissions import EXPECTED, holders, unexpected
from portal.template import TABLE_ARN, read_both, role_arn, role_policies, trust_policy

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
    """Only the roles behind people's credentials may reach the table, and only named roles may make an identity."""
    try:
        template = read_both()
        return [*roles_that_reach_too_much(template), *roles_that_make_identities(template)]
    except (UnsupportedPolicy, OSError, ValueError, TypeError, KeyError) as error:
        return [Error(f"The roles in infra/ cannot be checked: {error}", id="portal.E002")]


def roles_that_reach_too_much(template: dict[str, Any]) -> list[CheckMessage]:
    reached = {role: found for role in roles_of_programs(template) if (found := excess_permissions(role, template))}
    return [
        Error(
            f"{role} may call {', '.join(found)}.",
            hint="Remove this from the templates in infra/: no program's own role may reach rows or extend itself.",
            id="portal.E001",
        )
        for role, found in reached.items()
    ]


def roles_that_make_identities(template: dict[str, Any]) -> list[CheckMessage]:
    """Those that are not expected to. Such a role reaches rows as somebody whom it makes, raises or becomes."""
    return [
        Error(
            f"{role} may call {', '.join(sorted(actions))}: with that it could make, change or become an identity.",
            hint="Remove this from the templates in infra/, or name the role in portal/identity_permissions.py and "
            "docs/threat-model.md.",
            id="portal.E010",
        )
        for role, actions in unexpected(template).items()
    ]


@register(Tags.security, deploy=True)
def who_makes_identities(**_: Any) -> list[CheckMessage]:
    """Said before each deployment: no policy can keep the holder of such a permission to one organisation."""
    try:
        return identity_holders(read_both())
    except (UnsupportedPolicy, OSError, ValueError, TypeError, KeyError):
        # portal.E002 says why.
        return []


def identity_holders(template: dict[str, Any]) -> list[CheckMessage]:
    held = {role: actions for role, actions in holders(template).items() if actions}
    missing = {role: actions - held.get(role, set()) for role, actions in EXPECTED.items()}
    said: list[CheckMessage] = [
        checks.Info(
            f"{role} may call {', '.join(sorted(actions))}, which makes, changes or becomes an identity.",
            hint="docs/threat-model.md says what that reaches, and what would show it.",
            id="portal.I010",
        )
        for role, actions in held.items()
    ]
    said += [
        checks.Warning(
            f"{role} may no longer call {', '.join(sorted(actions))}, which it is said to hold.",
            hint="Correct portal/identity_permissions.py and docs/threat-model.md.",
            id="portal.W010",
        )
        for role, actions in missing.items()
        if actions
    ]
    return said


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

    def may(request: Request) -> bool:
        return decide(request, identity=policies).allowed

    rows = [action for action, requests in _requests_for_rows().items() if any(map(may, requests))]
    others = [name for name in assumable_roles(role, template) if (role, name) != (CLOSING_JOB, CLOSING)]
    return (
        rows
        + [f"{_ASSUME} for {name}" for name in others]
        + [action for action in ESCALATIONS if may(Request(action, ELSEWHERE, {}))]
    )


@cache
def _requests_for_rows() -> dict[str, tuple[Request, ...]]:
    """By action. The same of every role, and made once: each start of the portal asks for all of them."""
    contexts: list[dict[str, Any]] = [
        {**keys, **tag}
        for keys in ({}, {"dynamodb:LeadingKeys": ["any"]}, {"dynamodb:LeadingKeys": ["PUBLIC#any"]})
        for tag in ({}, {"aws:PrincipalTag/org": _SOME_ORG}, {"aws:PrincipalTag/org": "PUBLIC"})
    ]
    return {
        action: tuple(Request(f"dynamodb:{action}", place, context) for place in ROW_PLACES for context in contexts)
        for action in ROW_ACTIONS
    }


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


@register(Tags.security, deploy=True)
def no_other_endpoints_in_a_deployment(**_: Any) -> list[CheckMessage]:
    """AWS's library takes an address for each service from the environment too."""
    return [
        Error(
            f"{name} sends calls to another place than AWS.",
            hint=f"Leave {name} unset in a deployment.",
            id="portal.E008",
        )
        for name in sorted(os.environ)
        if name.startswith("AWS_ENDPOINT_URL_") and os.environ[name]
    ]


@register(Tags.security, deploy=True)
def addresses_are_https(**_: Any) -> list[CheckMessage]:
    """Addresses on this machine may begin with http, for the demo. Browsers of others cannot use those."""
    return [
        Error(f"{name} does not begin with https://.", hint="http is for your own machine.", id="portal.E005")
        for name in ("PORTAL_URL", "COGNITO_DOMAIN", "RECORDS_API_URL")
        if (address := getattr(settings, name)) and not address.startswith("https://")
    ]


@register(Tags.database, deploy=True)
def database_is_kept(**_: Any) -> list[CheckMessage]:
    if settings.DATABASES["default"]["NAME"] != ":memory:":
        return []
    return [Error("DATABASE_URL names a database in memory, which ends with its process.", id="portal.E006")]


@register(Tags.security, deploy=True)
def the_web_has_its_secrets(**_: Any) -> list[CheckMessage]:
    """The worker and the closing job run without them, so that not every host has them."""
    return [
        Error(f"{name} is missing, and needed by the web process.", hint="See docs/settings.md.", id="portal.E007")
        for name in settings.MISSING_SETTINGS
    ]


@register(deploy=True)
def own_mails_leave(**_: Any) -> list[CheckMessage]:
    """Mails that the portal itself sends. `send_due` calls a mail sent once the backend took it."""
    found: list[CheckMessage] = []
    if settings.EMAIL_BACKEND.split(".")[-2] in {"console", "filebased", "locmem", "dummy"}:
        found.append(
            checks.Warning(
                "EMAIL_URL leads to no mail server, so nobody gets the portal's own mails.",
                hint="Set it to one, such as smtp+tls://user:password@host:587.",
                id="portal.W002",
            )
        )
    if settings.DEFAULT_FROM_EMAIL.rstrip(">").endswith("@localhost"):
        found.append(
            checks.Warning(
                "The portal's own mails come from an address at localhost, so most mail servers refuse them.",
                hint="Set MAIL_FROM to an address that your mail server may send from.",
                id="portal.W003",
            )
        )
    return found


@register(Tags.caches, deploy=True)
def cache_is_shared(**_: Any) -> list[CheckMessage]:
    """What one process forgets, such as the standing of a person, all must forget."""
    if settings.CACHES[SERVER]["BACKEND"].endswith((".LocMemCache", ".DummyCache")):
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
