"""How far an invitation has come, from a member's row alone."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.utils import timezone

from portal.environment import BASE
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.domain.user_plan import INVITATION_LASTS
from tenants.members.invitation_state import (
    CLOCKS_DIFFER,
    InvitationState,
    Invited,
    in_state,
    invitation_state,
    needing_a_resend,
)
from tenants.models import Member, Person, Provisioning, Tenant

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAY = timedelta(days=1)
USER = {"seen_enabled": True, "seen_status": "FORCE_CHANGE_PASSWORD", "provisioning": Provisioning.SETTLED}


def state_of(*, tenant_state: str = TenantState.ACTIVE, now: datetime = NOW, **fields: Any) -> InvitationState:
    person = Person(email="nina@acme.example", sub=uuid.uuid4())
    tenant = Tenant(name="Acme", state=tenant_state)
    return invitation_state(Member(person=person, tenant=tenant, role=Role.EDITOR, **fields), now=now)


@pytest.mark.parametrize(
    ("fields", "name", "words", "can_be_resent"),
    [
        ({}, Invited.BEING_CREATED, "being created", False),
        ({"provisioning": Provisioning.STUCK}, Invited.NOT_CREATED, "not created yet", False),
        ({"enabled": False}, Invited.NOT_CREATED, "not created yet", False),
        (USER, Invited.NOT_MAILED, "not mailed", True),
        (
            {**USER, "mailed_at": NOW - DAY},
            Invited.INVITED,
            "invited, expires on 4 December 2026, 12:00 UTC",
            True,
        ),
        ({**USER, "mailed_at": NOW - 8 * DAY}, Invited.LAPSED, "lapsed on 27 November 2026", True),
        (
            {**USER, "mailed_at": NOW - DAY, "mail_problem": "Mailbox full."},
            Invited.NOT_DELIVERED,
            "mail not delivered: Mailbox full.",
            True,
        ),
        ({**USER, "seen_status": "CONFIRMED", "mailed_at": NOW - 8 * DAY}, Invited.SIGNED_IN, "has signed in", False),
        (
            {**USER, "mailed_at": NOW - 8 * DAY, "signed_in_at": NOW - 2 * DAY},
            Invited.SIGNED_IN,
            "has signed in, last on 26 November 2026",
            False,
        ),
    ],
)
def test_a_row_says_how_far_the_invitation_has_come(
    fields: dict[str, Any], name: Invited, words: str, can_be_resent: bool
) -> None:
    assert state_of(**fields) == InvitationState(name, words, can_be_resent)


@pytest.mark.parametrize(
    ("age", "name"),
    [
        (-timedelta(hours=2), Invited.INVITED),
        (INVITATION_LASTS, Invited.INVITED),
        (INVITATION_LASTS + CLOCKS_DIFFER, Invited.INVITED),
        (INVITATION_LASTS + CLOCKS_DIFFER + timedelta(seconds=1), Invited.LAPSED),
    ],
)
def test_an_invitation_has_lapsed_once_every_clock_says_so(age: timedelta, name: Invited) -> None:
    assert state_of(**USER, mailed_at=NOW - age).name == name


def test_a_mail_that_is_owed_is_mentioned() -> None:
    assert state_of(**USER, mailed_at=NOW - 8 * DAY, resend=True).in_words.endswith("; to be mailed again")
    assert "again" not in state_of(**{**USER, "seen_status": "CONFIRMED"}, resend=True).in_words


@pytest.mark.parametrize(
    "fields", [{"removed": True}, {"enabled": False}, {"tenant_state": TenantState.SUSPENDED}], ids=lambda one: str(one)
)
def test_nobody_is_mailed_who_may_not_sign_in(fields: dict[str, Any]) -> None:
    assert not state_of(**USER, mailed_at=NOW - 8 * DAY, **fields).can_be_resent


def test_only_a_lapsed_or_undelivered_mail_needs_another_one() -> None:
    lapsed, lost = state_of(**USER, mailed_at=NOW - 8 * DAY), state_of(**USER, mail_problem="Mailbox full.")
    silent, waits = state_of(**USER), state_of(**USER, mailed_at=NOW)
    assert [one.needs_a_resend for one in (lapsed, lost, silent, waits)] == [True, True, False, False]


def test_an_invitation_lasts_as_long_as_the_template_lets_it() -> None:
    template = (BASE / "infra" / "template.yaml").read_text()
    (days,) = re.findall(r"TemporaryPasswordValidityDays: (\d+)", template)
    assert timedelta(days=int(days)) == INVITATION_LASTS


def every_row(tenant: Tenant) -> list[Member]:
    """A member for every combination of what decides the state."""
    now, rows = timezone.now(), list[Member]()
    statuses = ("", "FORCE_CHANGE_PASSWORD", "CONFIRMED", "RESET_REQUIRED", "UNCONFIRMED")
    mailed = (None, now, now - INVITATION_LASTS - timedelta(minutes=1), now - INVITATION_LASTS - DAY)
    for status, mailed_at, problem, signed_in_at, sub in product(
        statuses, mailed, ("", "Full."), (None, now), (None, True)
    ):
        person = Person.objects.create(email=f"p{len(rows)}@acme.example", sub=sub and uuid.uuid4())
        rows.append(
            Member(
                person=person,
                tenant=tenant,
                role=Role.EDITOR,
                seen_status=status,
                seen_enabled=True if status else None,
                mailed_at=mailed_at,
                mail_problem=problem,
                signed_in_at=signed_in_at,
            )
        )
    return Member.objects.bulk_create(rows)


@pytest.mark.django_db
def test_filters_find_the_members_whose_pages_say_so() -> None:
    tenant = Tenant.objects.create(name="Acme", slug="acme-of-filters")
    states = {member.pk: invitation_state(member) for member in every_row(tenant)}
    members = Member.objects.filter(tenant=tenant)
    for name in (Invited.SIGNED_IN, Invited.LAPSED, Invited.NOT_DELIVERED):
        found = set(members.filter(in_state(name)).values_list("pk", flat=True))
        assert found == {pk for pk, state in states.items() if state.name == name}
        assert found
    stranded = set(needing_a_resend(members).values_list("pk", flat=True))
    assert stranded == {pk for pk, state in states.items() if state.needs_a_resend}
    signed_in = {member.pk for member in members if member.has_signed_in}
    assert signed_in == {pk for pk, state in states.items() if state.name == Invited.SIGNED_IN}
