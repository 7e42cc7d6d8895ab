"""What the policies say of a call, for every role: the text of the template, with the names of a stack in it."""

from __future__ import annotations

import uuid

import pytest

from portal.demo.cast import ACME, GLOBEX
from portal.template import read_template
from tenants.domain.errors import Misconfigured
from tenants.isolation.explain import Policies, Stack, Tags, policies_of

STACK = Stack(
    role_arn="arn:aws:iam::210987654321:role/portal-TenantRole",
    region="eu-central-1",
    table="Records.of-all",
    client="theloginclient",
    api_url="https://abc123.execute-api.eu-central-1.amazonaws.com",
)
OWNER = Tags(str(ACME.org_id), "owner", "theloginclient")
OWN, FOREIGN = ACME.space.collection("orders"), GLOBEX.space.collection("orders")


@pytest.fixture(scope="module")
def policies() -> Policies:
    return policies_of(read_template(), STACK)


def test_references_become_the_names_of_the_stack(policies: Policies) -> None:
    text = str([policy.document for policy in policies.identity])
    assert "arn:aws:dynamodb:eu-central-1:210987654321:table/Records.of-all" in text
    assert "arn:aws:execute-api:eu-central-1:210987654321:abc123/$default/GET/${aws:PrincipalTag/org}/*" in text
    assert "'aws:PrincipalTag/client': 'theloginclient'" in text
    assert STACK.path_arn("GET", "/x/profile").endswith(":abc123/$default/GET/x/profile")


@pytest.mark.parametrize("role", ["owner", "admin", "editor", "viewer", "operator", "", "king"])
def test_a_role_writes_own_rows_as_the_template_says(policies: Policies, role: str) -> None:
    verdict = policies.on_rows(Tags(str(ACME.org_id), role, "theloginclient"), "PutItem", keys=[OWN])
    assert verdict.allowed == (role in {"owner", "admin", "editor"})
    assert verdict.statement == ("WriteOwnRows" if verdict.allowed else "")


def test_another_client_of_the_pool_reads_and_never_writes(policies: Policies) -> None:
    another = Tags(str(ACME.org_id), "owner", "another")
    assert policies.on_rows(another, "Query", keys=[OWN]).allowed
    assert not policies.on_rows(another, "PutItem", keys=[OWN]).allowed


def test_a_call_without_a_key_and_another_organisations_key_are_refused(policies: Policies) -> None:
    scan = policies.on_rows(OWNER, "Scan", keys=None)
    assert (scan.allowed, scan.denied_by_statement, scan.statement) == (False, True, "NothingElse")
    foreign = policies.on_rows(OWNER, "Query", keys=[FOREIGN])
    assert (foreign.allowed, foreign.denied_by_statement) == (False, False)
    assert "dynamodb:LeadingKeys" in foreign.because


def test_the_boundary_counts_too(policies: Policies) -> None:
    nothing = Policies(policies.stack, policies.identity, [])
    assert not nothing.on_rows(OWNER, "Query", keys=[OWN]).allowed


def test_a_suspended_organisation_is_denied_by_its_own_statement(policies: Policies) -> None:
    suspended = policies.suspending([str(ACME.org_id)])
    verdict = suspended.on_rows(OWNER, "Query", keys=["PUBLIC#news"])
    assert (verdict.allowed, verdict.statement, verdict.policy) == (False, "Suspended", "SuspendedTenants")
    others = Tags(str(GLOBEX.org_id), "owner", "theloginclient")
    assert suspended.on_rows(others, "Query", keys=[FOREIGN]).allowed
    assert policies.suspending([str(uuid.UUID(int=5))]).on_rows(OWNER, "Query", keys=[OWN]).allowed


def test_a_role_arn_that_is_none_is_said() -> None:
    with pytest.raises(Misconfigured):
        policies_of(read_template(), Stack("nonsense", "eu-west-1", "t", "c", ""))
