"""Who is mailed when members change, and who is not."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from tenants.domain.actor import WORKER, Actor, ActorKind, at_the_terminal
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.transitions import create_tenant
from tenants.members.roster import add_member, disable, enable, leave, remove, resend, revoke, set_role, transfer
from tenants.models import Member, OutgoingMail, Person, Tenant
from tests.world.stage import SOMEBODY, member_called
from tests.world.use_cases import tenant_in

OWNER, PETER, MILTON = "owner@initech.example", "peter@initech.example", "milton@initech.example"
TERMINAL = at_the_terminal()


@pytest.fixture
def tenant(db: None) -> Tenant:
    """Peter has signed in, Milton never."""
    tenant = tenant_in(TenantState.ACTIVE)
    for email in (PETER, MILTON):
        add_member(tenant=tenant, email=email, name="", role=Role.EDITOR, by=SOMEBODY)
    for email in (OWNER, PETER):
        Person.objects.filter(email=email).update(sub=uuid.uuid4())
        Member.objects.filter(person__email=email).update(signed_in_at=timezone.now())
    return tenant


def acting(email: str) -> Actor:
    member = member_called(email)
    return Actor(str(member.person.sub), email, ActorKind.MEMBER, member.role)


def sent() -> list[tuple[str, str]]:
    return [(mail.kind, mail.to) for mail in OutgoingMail.objects.order_by("created_at", "to")]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda by: set_role(member_called(PETER), Role.ADMIN, by=by), "role_changed"),
        (lambda by: set_role(member_called(PETER), Role.OWNER, by=by), "made_owner"),
        (lambda by: disable(member_called(PETER), by=by, why="on leave"), "disabled"),
        (lambda by: remove(member_called(PETER), by=by), "removed"),
    ],
)
def test_the_person_is_told_what_was_done_to_them(tenant: Tenant, change: Callable[[Actor], Any], kind: str) -> None:
    change(acting(OWNER))
    assert sent() == [(kind, PETER)]
    mail = OutgoingMail.objects.get()
    assert (mail.org, OWNER in mail.text, "Initech" in mail.subject) == (tenant.org_id, True, True)


def test_somebody_enabled_again_is_told(tenant: Tenant) -> None:
    disable(member_called(PETER), by=SOMEBODY)
    OutgoingMail.objects.all().delete()
    enable(member_called(PETER), by=SOMEBODY)
    assert sent() == [("enabled", PETER)]


def test_people_of_the_platform_are_not_named(tenant: Tenant) -> None:
    disable(member_called(PETER), by=SOMEBODY, why="misuse")
    text = OutgoingMail.objects.get().text
    assert "An operator of the platform disabled" in text
    assert "misuse" in text
    assert SOMEBODY.name not in text


def test_somebody_who_never_signed_in_is_not_mailed(tenant: Tenant) -> None:
    set_role(member_called(MILTON), Role.ADMIN, by=acting(OWNER))
    resend(member_called(MILTON), by=acting(OWNER))
    disable(member_called(MILTON), by=acting(OWNER))
    enable(member_called(MILTON), by=acting(OWNER))
    revoke(member_called(MILTON), by=acting(OWNER))
    assert sent() == []


def test_nobody_is_mailed_of_what_they_did_themselves_or_of_no_change(tenant: Tenant) -> None:
    set_role(member_called(PETER), Role.EDITOR, by=acting(OWNER))
    enable(member_called(PETER), by=acting(OWNER))
    leave(member_called(PETER), by=acting(PETER))
    assert sent() == []


def test_both_sides_of_a_transfer_are_told_by_the_other(tenant: Tenant) -> None:
    transfer(member_called(OWNER), to=member_called(PETER), by=acting(OWNER))
    assert sent() == [("made_owner", PETER)]
    OutgoingMail.objects.all().delete()
    transfer(member_called(PETER), to=member_called(OWNER), by=WORKER)
    assert sorted(sent()) == [("made_owner", OWNER), ("role_changed", PETER)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda: add_member(tenant=_tenant(), email="new@initech.example", name="", role="owner", by=TERMINAL),
         "new@initech.example was invited as owner."),
        (lambda: set_role(member_called(PETER), Role.OWNER, by=TERMINAL), f"{PETER} was editor and is owner now."),
        (lambda: disable(member_called(PETER), by=TERMINAL), f"{PETER} was disabled, and cannot sign in."),
        (lambda: remove(member_called(PETER), by=TERMINAL), f"{PETER} was removed."),
        (lambda: resend(member_called(MILTON), by=TERMINAL), f"The invitation of {MILTON} was mailed again."),
        (lambda: revoke(member_called(MILTON), by=TERMINAL), f"The invitation of {MILTON} was taken back."),
        (lambda: transfer(member_called(OWNER), to=member_called(PETER), by=TERMINAL),
         f"{PETER} was made owner in place of {OWNER}."),
    ],
)  # fmt: skip
def test_owners_are_told_what_a_terminal_did_to_people(tenant: Tenant, change: Callable[[], Any], says: str) -> None:
    change()
    told = OutgoingMail.objects.get(kind="changed_at_terminal")
    assert (told.to, says in told.text) == (OWNER, True)
    assert TERMINAL.name not in told.text


def _tenant() -> Tenant:
    return Tenant.objects.get(name="Initech")


def test_an_owner_whom_a_terminal_removes_is_told_as_owner_and_as_person(tenant: Tenant) -> None:
    set_role(member_called(PETER), Role.OWNER, by=acting(OWNER))
    OutgoingMail.objects.all().delete()
    remove(member_called(OWNER), by=TERMINAL)
    assert sorted(sent()) == [("changed_at_terminal", OWNER), ("changed_at_terminal", PETER), ("removed", OWNER)]


@pytest.mark.django_db
def test_nobody_is_told_of_a_tenant_that_a_terminal_creates() -> None:
    create_tenant(name="Hooli", owner_email="owner@hooli.example", by=TERMINAL)
    assert sent() == []


def test_operators_changes_are_not_mailed_to_owners(tenant: Tenant) -> None:
    remove(member_called(PETER), by=SOMEBODY)
    assert sent() == [("removed", PETER)]
