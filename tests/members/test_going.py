"""Leaving, taking back an invitation, sending it again, and handing over ownership."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from tenants.audit.actions import Action
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.errors import InvalidInput, NotAllowed, NotNow, PortalError
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.members.roster import (
    MOST_A_DAY_EACH,
    add_member,
    disable,
    leave,
    remove,
    resend,
    revoke,
    set_role,
    transfer,
)
from tenants.models import AuditEvent, Member, Person, Provisioning, Tenant
from tests.world.stage import SOMEBODY, member_called
from tests.world.use_cases import entries_since, last_entry, run_at_once, tenant_in

S = TenantState
OWNER = "owner@initech.example"


def known(email: str) -> Member:
    """The member, who has signed in."""
    member = member_called(email)
    Person.objects.filter(pk=member.person_id).update(sub=uuid.uuid4())
    Member.objects.filter(pk=member.pk).update(signed_in_at=timezone.now())
    return member_called(email)


def somebody_in(tenant: Tenant, name: str, role: Role, *, signed_in: bool = True) -> Member:
    email = f"{name}@initech.example"
    add_member(tenant=tenant, email=email, name="", role=role, by=SOMEBODY)
    return known(email) if signed_in else member_called(email)


def acting(member: Member) -> Actor:
    return Actor(str(member.person.sub), member.person.email, ActorKind.MEMBER, member.role)


def roles(tenant: Tenant) -> dict[str, str]:
    return dict(Member.objects.filter(tenant=tenant, removed=False).values_list("person__email", "role"))


@pytest.fixture
def tenant(db: None) -> Tenant:
    return tenant_in(S.ACTIVE)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.EDITOR, Role.VIEWER])
def test_everybody_but_the_only_owner_may_leave(tenant: Tenant, role: Role) -> None:
    one, before = somebody_in(tenant, "peter", role), last_entry()
    leave(one, by=acting(one))
    assert member_called("peter@initech.example").removed
    assert [entry.action for entry in entries_since(before)] == [Action.MEMBER_LEFT]
    owner = known(OWNER)
    with pytest.raises(NotNow, match="is the only owner of Initech"):
        leave(owner, by=acting(owner))


def test_nobody_leaves_for_somebody_else(tenant: Tenant) -> None:
    one, owner = somebody_in(tenant, "peter", Role.VIEWER), known(OWNER)
    with pytest.raises(NotAllowed, match="Only they themselves"):
        leave(one, by=acting(owner))
    with pytest.raises(NotAllowed, match="Only they themselves"):
        leave(one, by=SOMEBODY)


@pytest.mark.parametrize("ask", [leave, remove, disable], ids=lambda ask: ask.__name__)
def test_an_owner_who_signed_in_stays_until_another_one_has(tenant: Tenant, ask: Callable[..., Any]) -> None:
    heir, owner = somebody_in(tenant, "peter", Role.OWNER, signed_in=False), known(OWNER)
    by = acting(owner) if ask is leave else SOMEBODY
    with pytest.raises(NotNow, match="the only owner of Initech who has signed in"):
        ask(owner, by=by)
    known(heir.person.email)
    ask(owner, by=by)


def test_an_invitation_is_taken_back_until_they_sign_in(tenant: Tenant) -> None:
    invited = somebody_in(tenant, "peter", Role.VIEWER, signed_in=False)
    assert revoke(invited, by=SOMEBODY).removed
    with pytest.raises(NotNow, match="removed already"):
        revoke(invited, by=SOMEBODY)
    with pytest.raises(NotNow, match="has signed in already"):
        revoke(somebody_in(tenant, "milton", Role.VIEWER), by=SOMEBODY)


def test_an_invitation_is_sent_again_until_they_sign_in(tenant: Tenant) -> None:
    invited = somebody_in(tenant, "peter", Role.VIEWER, signed_in=False)
    Member.objects.filter(pk=invited.pk).update(
        provisioning=Provisioning.SETTLED, due_at=None, mail_invitation=False, seen_status="FORCE_CHANGE_PASSWORD"
    )
    again = resend(invited, by=SOMEBODY)
    assert (again.resend, again.mail_invitation, again.provisioning) == (True, True, Provisioning.DUE)
    disable(invited, by=SOMEBODY)
    with pytest.raises(NotNow, match="is disabled"):
        resend(invited, by=SOMEBODY)
    with pytest.raises(NotNow, match="has signed in already"):
        resend(known(invited.person.email), by=SOMEBODY)


def test_an_organisation_mails_an_address_so_often_a_day_and_no_more(tenant: Tenant) -> None:
    owner, invited = known(OWNER), somebody_in(tenant, "peter", Role.VIEWER, signed_in=False)
    for _ in range(MOST_A_DAY_EACH):
        resend(invited, by=acting(owner))
    before = Member.objects.get(pk=invited.pk).generation
    with pytest.raises(NotNow, match="Invite it again tomorrow"):
        resend(invited, by=acting(owner))
    assert Member.objects.get(pk=invited.pk).generation == before
    # Operators help out.
    resend(invited, by=SOMEBODY)


def test_nobody_is_sent_an_invitation_into_a_suspended_tenant(db: None) -> None:
    tenant_in(S.SUSPENDED)
    with pytest.raises(NotNow, match="is suspended, so nobody is invited now"):
        resend(member_called(OWNER), by=SOMEBODY)


def test_ownership_changes_hands_both_ways_or_not_at_all(tenant: Tenant) -> None:
    heir, owner, before = somebody_in(tenant, "peter", Role.EDITOR), known(OWNER), last_entry()
    transfer(owner, to=heir, by=acting(owner), why="retiring")
    assert roles(tenant) == {OWNER: "admin", heir.person.email: "owner"}
    (entry,) = entries_since(before)
    assert (entry.action, entry.target, entry.why) == (Action.OWNERSHIP_TRANSFERRED, heir.person.email, "retiring")
    assert entry.before == {"owner": OWNER, "role": "editor"}
    # Sent twice, it changes nothing more.
    with pytest.raises(NotAllowed, match="Only owners"):
        transfer(owner, to=heir, by=acting(owner))


@pytest.mark.parametrize(
    ("heir", "says"),
    [
        ("never signed in", "has never signed in"),
        ("disabled", "is disabled"),
        ("owner", "is an owner already"),
        ("themselves", "Choose another member"),
        ("elsewhere", "Choose another member"),
    ],
)
def test_only_an_active_member_who_has_signed_in_inherits(tenant: Tenant, heir: str, says: str) -> None:
    owner = known(OWNER)
    match heir:
        case "never signed in":
            to = somebody_in(tenant, "peter", Role.ADMIN, signed_in=False)
        case "disabled":
            to = disable(somebody_in(tenant, "peter", Role.ADMIN), by=SOMEBODY)
        case "owner":
            to = somebody_in(tenant, "peter", Role.OWNER)
        case "themselves":
            to = owner
        case _:
            tenant_in(S.ACTIVE, name="Umbrella", domain="umbrella.example")
            to = known("owner@umbrella.example")
    before = roles(tenant)
    with pytest.raises(InvalidInput, match=says) as refused:
        transfer(owner, to=to, by=acting(owner))
    assert refused.value.field == "to"
    assert roles(tenant) == before


def test_nobody_hands_over_what_is_not_theirs(tenant: Tenant) -> None:
    owner, admin, heir = known(OWNER), somebody_in(tenant, "peter", Role.ADMIN), somebody_in(tenant, "m", Role.VIEWER)
    for by in (acting(admin), acting(heir), SOMEBODY):
        with pytest.raises(NotAllowed):
            transfer(owner, to=heir, by=by)
    assert roles(tenant)[OWNER] == "owner"


@pytest.mark.django_db(transaction=True)
def test_of_fifty_transfers_at_once_one_succeeds() -> None:
    tenant = tenant_in(S.ACTIVE)
    owner = known(OWNER)
    heirs = [somebody_in(tenant, f"p{number}", Role.VIEWER) for number in range(50)]
    answers: list[PortalError | None] = run_at_once(
        *(lambda heir=heir: transfer(owner, to=heir, by=acting(owner)) for heir in heirs)
    )
    assert len([answer for answer in answers if answer is None]) == 1
    assert all(isinstance(answer, NotAllowed | None) for answer in answers)
    assert list(roles(tenant).values()).count("owner") == 1
    assert roles(tenant)[OWNER] == "admin"
    assert AuditEvent.objects.filter(action=Action.OWNERSHIP_TRANSFERRED).count() == 1


def test_operators_have_no_say_once_a_signed_in_member_becomes_owner(tenant: Tenant) -> None:
    peter = somebody_in(tenant, "peter", Role.EDITOR)
    set_role(peter, Role.OWNER, by=SOMEBODY)
    with pytest.raises(NotAllowed, match="its own people decide"):
        add_member(tenant=tenant, email="new@initech.example", name="", role=Role.VIEWER, by=SOMEBODY)
