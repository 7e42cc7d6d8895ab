"""The policies of the closing job, decided offline: it reaches one organisation at a time, and nobody else does."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from iam import Decision, Outcome, Principal, Request, decide, decide_trust, parse_policy
from portal.checks import (
    CLOSING,
    CLOSING_JOB,
    ROW_ACTIONS,
    TAGGED,
    assumable_roles,
    excess_permissions,
    roles_of_programs,
)
from portal.demo.cast import ACME, GLOBEX
from portal.template import TABLE_ARN, boundary, read_template, role_arn, role_policies, trust_policy

NEEDED = ("Query", "DeleteItem")
ORG = str(ACME.org_id)
OWN = [ACME.space.collection("orders"), ACME.space.catalogue, f"{ORG}#orders~07", f"{ORG}#a#b"]
FOREIGN = [GLOBEX.space.collection("orders"), GLOBEX.space.catalogue]
# Keys that a careless comparison would take for Acme's.
LOOKALIKES = [
    ORG,
    f"{ORG}~#orders",
    f"x{ORG}#orders",
    ORG[:-1] + "#orders",
    f"{ORG.upper()}#orders",
    f" {ORG}#orders",
    "#",
]
TEMPLATE = read_template()


def decision(action: str, keys: list[str] | None, *, org: str | None, **more: str) -> Decision:
    context: dict[str, Any] = dict(more) if keys is None else {**more, "dynamodb:LeadingKeys": keys}
    if org is not None:
        context["aws:PrincipalTag/org"] = org
    return decide(
        Request(f"dynamodb:{action}", TABLE_ARN, context),
        identity=role_policies(TEMPLATE, CLOSING),
        boundary=boundary(TEMPLATE, CLOSING),
    )


@pytest.mark.parametrize("action", NEEDED)
def test_the_closing_role_reads_and_deletes_rows_of_its_tag_only(action: str) -> None:
    for key in OWN:
        assert decision(action, [key], org=ORG).allowed, key
    for key in (*FOREIGN, *LOOKALIKES, "PUBLIC#news", "PUBLIC#"):
        assert not decision(action, [key], org=ORG).allowed, key
    assert not decision(action, [OWN[0], FOREIGN[0]], org=ORG).allowed


@pytest.mark.parametrize("action", NEEDED)
@pytest.mark.parametrize("org", [None, "", "*", "?", ORG[:-1], ORG.upper(), "${aws:PrincipalTag/org}"])
def test_another_value_of_the_tag_reaches_no_row(action: str, org: str | None) -> None:
    for key in (*OWN, *FOREIGN, "PUBLIC#news", "#orders", "#"):
        assert not decision(action, [key], org=org).allowed, key


@pytest.mark.parametrize("action", ROW_ACTIONS)
def test_a_request_without_a_key_is_refused(action: str) -> None:
    for tag in (ORG, "PUBLIC", None):
        assert not decision(action, None, org=tag).allowed
        assert not decision(action, [], org=tag).allowed


@pytest.mark.parametrize("action", sorted(set(ROW_ACTIONS) - set(NEEDED)))
def test_only_reading_and_deleting_own_rows_is_allowed(action: str) -> None:
    assert not decision(action, [OWN[0]], org=ORG).allowed
    assert not decision(action, [OWN[0]], org=ORG, **{"dynamodb:EnclosingOperation": "TransactWriteItems"}).allowed


@pytest.mark.parametrize("action", ["Scan", "PartiQLSelect", "PartiQLDelete", "ExportTableToPointInTime"])
def test_actions_without_keys_are_denied_explicitly(action: str) -> None:
    assert decision(action, [OWN[0]], org=ORG).outcome is Outcome.EXPLICITLY_DENIED


def test_the_tag_public_does_not_open_the_public_rows() -> None:
    for action in NEEDED:
        assert decision(action, ["PUBLIC#news"], org="PUBLIC").outcome is Outcome.EXPLICITLY_DENIED


def test_the_boundary_limits_any_policy_attached_to_the_closing_role() -> None:
    everything = parse_policy(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}, name="everything"
    )
    for action in ROW_ACTIONS:
        for keys in ({}, {"dynamodb:LeadingKeys": [FOREIGN[0]]}, {"dynamodb:LeadingKeys": [OWN[0], FOREIGN[0]]}):
            request = Request(f"dynamodb:{action}", TABLE_ARN, {"aws:PrincipalTag/org": ORG, **keys})
            assert not decide(request, identity=[everything], boundary=boundary(TEMPLATE, CLOSING)).allowed
    for other in ("s3:GetObject", "sts:AssumeRole", "iam:CreateUser"):
        request = Request(other, "arn:aws:s3:::any/thing", {"aws:PrincipalTag/org": ORG})
        assert not decide(request, identity=[everything], boundary=boundary(TEMPLATE, CLOSING)).allowed


# ── Who may assume which role ───────────────────────────────────────────────────────────────────────────────────────


def may_assume(role: str, tags: dict[str, str]) -> bool:
    context: dict[str, Any] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    if tags:
        context["aws:TagKeys"] = list(tags)
    who, trust = Principal("AWS", role_arn(role)), trust_policy(TEMPLATE, CLOSING)
    actions = ("sts:AssumeRole", "sts:TagSession") if tags else ("sts:AssumeRole",)
    return all(decide_trust(action, trust, context, principal=who).allowed for action in actions)


def test_only_the_closing_job_may_assume_the_closing_role() -> None:
    roles = [name for name, resource in TEMPLATE["Resources"].items() if resource["Type"] == "AWS::IAM::Role"]
    assert {role for role in roles if may_assume(role, {"org": ORG})} == {CLOSING_JOB}


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"role": "owner"},
        {"Org": ORG},
        {"org": ORG, "role": "owner"},
        {"org": "PUBLIC"},
        {"org": ""},
        {"org": ORG + "0"},
        {"org": ORG.replace("-", "")},
    ],
    ids=str,
)
def test_the_closing_role_needs_one_org_id_as_its_only_tag(tags: dict[str, str]) -> None:
    assert not may_assume(CLOSING_JOB, tags)


def test_the_job_may_only_assume_the_closing_role_with_that_tag() -> None:
    policies = [policy for policy in role_policies(TEMPLATE, CLOSING_JOB) if policy.name != "ExportPolicy"]

    def may(action: str, resource: str, **context: Any) -> bool:
        return decide(Request(action, resource, context), identity=policies).allowed

    for action in ("sts:AssumeRole", "sts:TagSession"):
        assert may(action, role_arn(CLOSING), **TAGGED)
        assert not may(action, role_arn(CLOSING))
        assert not may(action, role_arn(CLOSING), **TAGGED | {"aws:TagKeys": ["org", "role"]})
        assert not may(action, role_arn("TenantRole"), **TAGGED)
    for action in (*(f"dynamodb:{name}" for name in ROW_ACTIONS), "s3:PutObject", "iam:CreatePolicyVersion"):
        assert not may(action, TABLE_ARN, **TAGGED, **{"dynamodb:LeadingKeys": [OWN[0]], "aws:PrincipalTag/org": ORG})


def test_the_job_writes_and_reads_its_bucket_and_deletes_nothing() -> None:
    policies = role_policies(TEMPLATE, CLOSING_JOB)

    def may(action: str, resource: str) -> bool:
        return decide(Request(action, resource, {}), identity=policies).allowed

    inside, bucket = "arn:aws:s3:::ExportBucket/exports/a/manifest.json", "arn:aws:s3:::ExportBucket"
    assert may("s3:PutObject", inside)
    assert may("s3:GetObject", inside)
    assert may("s3:ListBucket", bucket)
    assert not may("s3:DeleteObject", inside)
    assert not may("s3:PutObject", "arn:aws:s3:::another/manifest.json")
    assert not may("s3:PutBucketPolicy", bucket)


def test_no_program_can_assume_another_role_except_the_closing_job() -> None:
    for role in roles_of_programs(TEMPLATE):
        assert assumable_roles(role, TEMPLATE) == ([CLOSING] if role == CLOSING_JOB else []), role


@pytest.mark.parametrize("target", [CLOSING, CLOSING_JOB, "TenantRole"])
@pytest.mark.parametrize("role", ["PortalRole", "ProfileRole"])
def test_the_check_finds_a_program_that_could_assume_another_role(role: str, target: str) -> None:
    widened = copy.deepcopy(TEMPLATE)
    resources = widened["Resources"]
    policies = resources[role]["Properties"].get("Policies") or [resources["ProfilePolicy"]["Properties"]]
    statements = policies[0]["PolicyDocument"]["Statement"]
    statements.append({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": {"GetAtt": f"{target}.Arn"}})
    assert f"sts:AssumeRole for {target}" in excess_permissions(role, widened)


def test_the_check_finds_a_closing_role_that_is_too_open() -> None:
    trusting, loose = copy.deepcopy(TEMPLATE), copy.deepcopy(TEMPLATE)
    (statement,) = trusting["Resources"][CLOSING]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    statement["Principal"]["AWS"] = [{"GetAtt": "ClosingJobRole.Arn"}, {"GetAtt": "PortalRole.Arn"}]
    assert excess_permissions("PortalRole", trusting) == ["sts:AssumeRole for ClosingRole"]
    rows = loose["Resources"][CLOSING]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    rows[0]["Condition"] = {"Null": {"aws:PrincipalTag/org": "false"}}
    assert excess_permissions(CLOSING, loose) == ["Query", "DeleteItem"]


def test_the_check_reads_policies_that_list_the_role() -> None:
    widened = copy.deepcopy(TEMPLATE)
    statements = widened["Resources"]["ClosingJobPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    statements.append({"Effect": "Allow", "Action": "dynamodb:Query", "Resource": {"GetAtt": "Table.Arn"}})
    assert excess_permissions(CLOSING_JOB, widened) == ["Query"]


def test_a_suspended_organisation_can_be_closed() -> None:
    """The Deny on its org id is attached to TenantRole only, not to the roles that close it."""
    attached = {
        name for name, resource in TEMPLATE["Resources"].items()
        if {"Ref": "SuspendedTenants"} in resource["Properties"].get("ManagedPolicyArns", [])
    }  # fmt: skip
    assert attached == {"TenantRole"}
    assert "Roles" not in TEMPLATE["Resources"]["SuspendedTenants"]["Properties"]


def test_neither_closing_role_is_tagged_itself() -> None:
    for role in (CLOSING, CLOSING_JOB):
        assert "Tags" not in TEMPLATE["Resources"][role]["Properties"]
