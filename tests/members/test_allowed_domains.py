"""The e-mail domains that an organisation may invite: how they are read, and every door that asks them."""

from __future__ import annotations

import pytest

from tenants.audit.actions import Action
from tenants.domain.errors import InvalidInput
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.details import change_invitation_domains
from tenants.members import recovery
from tenants.members.allowed_domains import MOST_DOMAINS, as_lines, read_domains
from tenants.members.invitation_lines import NewInvitation
from tenants.members.invitations import Answered, invite
from tenants.members.joining import take_in
from tenants.members.roster import add_member
from tenants.members.steps import ADD
from tenants.models import Invitation, Member, Tenant
from tests.world.people import signed_in_as
from tests.world.stage import SOMEBODY
from tests.world.use_cases import assert_refused, tenant_in


@pytest.fixture
def tenant(db: None) -> Tenant:
    tenant = tenant_in(TenantState.ACTIVE)
    return change_invitation_domains(tenant, domains="initech.example\nbücher.example", by=SOMEBODY)


def test_domains_are_kept_in_ascii_each_once() -> None:
    domains = read_domains(" Initech.Example,\r\n@bücher.example; initech.example\n\n")
    assert domains == ["initech.example", "xn--bcher-kva.example"]
    assert as_lines(domains) == "initech.example\nbücher.example"
    assert read_domains(as_lines(domains)) == domains
    assert read_domains(" \n") == []


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("a.example\nnot one\nada@b.example", "2 of these are not domains: “not one”, “ada@b.example”."),
        ("*.example.com", "This is not a domain: “[*].example.com”"),
        ("localhost", "This is not a domain"),
        ("\n".join(f"d{n}.example" for n in range(MOST_DOMAINS + 1)), "at most 50 domains"),
        ("x" * 20_000, "at most 50 domains"),
    ],
)
def test_what_is_no_list_of_domains_is_refused_at_its_field(typed: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as raised:
        read_domains(typed)
    assert raised.value.field == "invitation_domains"


def test_only_exactly_these_domains_are_invited(tenant: Tenant) -> None:
    by = signed_in_as("owner@initech.example")
    emails = ["a@initech.example", "b@BÜCHER.example", "c@mail.initech.example", "d@example.com", "e@xinitech.example"]
    answers = invite(tenant, lines=[NewInvitation(email) for email in emails], role="viewer", by=by)
    assert [answer.answered for answer in answers] == [Answered.INVITED] * 2 + [Answered.REFUSED] * 3
    assert "only addresses at initech.example or bücher.example" in answers[3].message


def test_a_member_of_another_domain_stays_and_is_no_mistake(tenant: Tenant) -> None:
    by = signed_in_as("owner@initech.example")
    add_member(tenant=tenant, email="old@other.example", name="", role=Role.VIEWER, by=by)
    (answer,) = invite(tenant, lines=[NewInvitation("old@other.example")], role="viewer", by=by)
    assert answer.answered == Answered.ALREADY
    assert Member.objects.filter(person__email="old@other.example", removed=False).exists()


def test_an_invitation_under_way_is_asked_again(tenant: Tenant) -> None:
    by = signed_in_as("owner@initech.example")
    invite(tenant, lines=[NewInvitation("a@initech.example")], role="viewer", by=by)
    change_invitation_domains(tenant, domains="other.example", by=by)
    take_in()
    assert "only addresses at other.example" in Invitation.objects.get().why


def test_operators_and_terminals_are_refused_too(tenant: Tenant) -> None:
    typed = {"email": "x@other.example", "name": "", "role": "viewer", "reason": ""}
    with assert_refused(InvalidInput, "only addresses at", recorded_as=Action.MEMBER_REFUSED) as raised:
        ADD.does(tenant, typed, SOMEBODY)
    assert raised.value.field == "email"
    assert ADD.does(tenant, {**typed, "email": "x@initech.example"}, SOMEBODY).role == Role.VIEWER


def test_an_owner_can_be_recovered_at_any_domain(tenant: Tenant) -> None:
    recovery.ask(tenant, email="rescue@other.example", why="nobody is left", by=SOMEBODY)
    assert Member.objects.filter(person__email="rescue@other.example", role=Role.OWNER).exists()
