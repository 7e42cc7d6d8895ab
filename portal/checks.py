"""What must hold before the portal may serve: checked by Django at start and by `check --deploy`."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from iam import Request, UnsupportedPolicy, decide
from portal.template import TABLE_ARN, read_template, role_policies

# Whatever reads, writes, copies or gives away rows.
ROW_ACTIONS = (
    "GetItem", "BatchGetItem", "Query", "Scan", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem",
    "ConditionCheckItem", "PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete", "GetRecords",
    "GetShardIterator", "DescribeStream", "ExportTableToPointInTime", "ImportTable", "CreateBackup",
    "RestoreTableFromBackup", "RestoreTableToPointInTime", "PutResourcePolicy", "UpdateTable", "DeleteTable",
)  # fmt: skip


@register(Tags.security)
def portal_role_reaches_no_rows(**_: Any) -> list[CheckMessage]:
    """The portal's own role may not reach the table; only people's credentials do."""
    try:
        reached = reached_by("PortalRole", read_template())
    except (UnsupportedPolicy, OSError, ValueError, TypeError, KeyError) as error:
        return [Error(f"PortalRole in infra/template.yaml cannot be judged: {error}", id="portal.E002")]
    if not reached:
        return []
    return [
        Error(
            f"PortalRole may call {', '.join(reached)} on the records table.",
            hint="Take the action out of infra/template.yaml: rows are reached with people's credentials only.",
            id="portal.E001",
        )
    ]


def reached_by(role: str, template: dict[str, Any]) -> list[str]:
    """Row actions that a role of the template may call on the table, whatever keys are asked for."""
    policies = role_policies(template, role)
    return [
        action
        for action in ROW_ACTIONS
        if decide(
            Request(f"dynamodb:{action}", TABLE_ARN, {"dynamodb:LeadingKeys": ["any"]}), identity=policies
        ).allowed
        or decide(Request(f"dynamodb:{action}", TABLE_ARN, {}), identity=policies).allowed
    ]


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
