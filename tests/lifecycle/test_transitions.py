"""A tenant's transitions: what is allowed in which state, what is recorded, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tenants.audit.actions import Action
from tenants.domain.dates import formatted
from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TRANSITIONS, TenantState
from tenants.lifecycle import details, transitions
from tenants.lifecycle.transitions import activate, close, close_for_good, create_tenant, reactivate, reopen, suspend
from tenants.members.roster import add_member, disable
from tenants.models import AuditEvent, Closing, Member, OutgoingMail, Provisioning, Suspension, Tenant
from tests.world.stage import SOMEBODY
from tests.world.use_cases import assert_refused, entries_since, last_entry, run_at_once, tenant_in

S = TenantState
Change = Callable[[Tenant], Tenant]
TRANSITIONS_TO_TRY: dict[str, tuple[Change, TenantState, tuple[TenantState, ...]]] = {
    "activate": (lambda tenant: activate(tenant, by=SOMEBODY), S.ACTIVE, (S.PENDING,)),
    "suspend": (lambda tenant: suspend(tenant, by=SOMEBODY, why="not paid"), S.SUSPENDED, (S.ACTIVE,)),
    "reactivate": (lambda tenant: reactivate(tenant, by=SOMEBODY), S.ACTIVE, (S.SUSPENDED,)),
    "close": (
        lambda tenant: close(tenant, by=SOMEBODY, why="asked for"),
        S.CLOSING,
        (S.PENDING, S.ACTIVE, S.SUSPENDED),
    ),
    "reopen": (lambda tenant: reopen(tenant, by=SOMEBODY), S.PENDING, (S.CLOSING,)),
    "close_for_good": (lambda tenant: close_for_good(tenant, by=SOMEBODY), S.CLOSED, ()),
}


def create(**given: Any) -> Tenant:
    return create_tenant(**{"name": "Initech", "owner_email": "bill@initech.example", "by": SOMEBODY, **given})


@pytest.mark.django_db
@pytest.mark.parametrize("state", list(TenantState))
@pytest.mark.parametrize("name", list(TRANSITIONS_TO_TRY))
def test_a_transition_is_refused_in_every_other_state(name: str, state: TenantState) -> None:
    change, to, allowed = TRANSITIONS_TO_TRY[name]
    tenant = tenant_in(state)
    before = last_entry()
    if state not in allowed:
        with assert_refused(NotNow, "Initech", recorded_as=Action.TENANT_REFUSED):
            change(tenant)
        return
    assert change(tenant).state == to
    assert Tenant.objects.get().state == to
    assert to in TRANSITIONS[state]
    (entry,) = entries_since(before)
    assert (entry.before["state"], entry.after["state"], entry.org) == (state, to, tenant.org_id)


@pytest.mark.django_db
def test_a_new_tenant_is_pending_and_recorded_with_its_owner() -> None:
    tenant = create(owner_name="Bill Lumbergh", plan="team", metadata={"contract": 1}, why="signed on Monday")
    assert (tenant.state, tenant.slug, tenant.plan) == (S.PENDING, "initech", "team")
    owner = Member.objects.select_related("person").get(tenant=tenant)
    assert (owner.role, owner.provisioning, owner.person.name) == (Role.OWNER, Provisioning.DUE, "Bill Lumbergh")
    made, added = AuditEvent.objects.order_by("seq")
    assert (made.action, added.action) == (Action.TENANT_CREATED, Action.MEMBER_ADDED)
    assert made.after == {"name": "Initech", "slug": "initech", "plan": "team", "metadata": {"contract": 1}}
    assert (made.why, made.actor_name) == ("signed on Monday", SOMEBODY.name)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "says", "field"),
    [
        ({"name": " "}, "Enter a name", "name"),
        ({"name": "Acme\u202egnp"}, r"U\+202E", "name"),
        ({"name": "Ini\x1b[31mtech"}, r"U\+001B", "name"),
        ({"name": "Ini\x00tech"}, r"U\+0000", "name"),
        ({"name": "x" * 121}, "at most 120", "name"),
        ({"owner_name": "Bill\u2066"}, r"U\+2066", "owner_name"),
        ({"owner_email": "bill"}, "with one @", "email"),
        ({"owner_email": "b\u0131ll@initech.example"}, "letters from a to z", "email"),
        ({"slug": "Ini tech"}, "small letters", "slug"),
        ({"slug": "operators"}, "is reserved", "slug"),
        ({"plan": "gold"}, "no plan “gold”", "plan"),
        ({"metadata": {str(number): 1 for number in range(51)}}, "maxProperties", "metadata"),
        ({"why": "\u202e"}, r"U\+202E", "reason"),
    ],
)
def test_input_that_cannot_be_used_is_named_and_makes_no_tenant(given: dict[str, Any], says: str, field: str) -> None:
    with assert_refused(InvalidInput, says, recorded_as=Action.TENANT_REFUSED) as raised:
        create(**given)
    assert raised.value.field == field
    assert raised.value.message.isprintable()


@pytest.mark.django_db
@pytest.mark.parametrize("taken_as", ["bill@initech.example", "BILL@Initech.Example"])
def test_an_owner_from_another_organisation_is_refused_without_its_name(taken_as: str) -> None:
    create()
    with assert_refused(InvalidInput, "in another organisation", recorded_as=Action.TENANT_REFUSED) as raised:
        create(name="Umbrella", owner_email=taken_as)
    assert "Initech" not in raised.value.message
    assert not Tenant.objects.filter(name="Umbrella").exists()


@pytest.mark.django_db(transaction=True)
def test_transitions_at_once_are_checked_one_after_the_other() -> None:
    tenant = tenant_in(S.ACTIVE)
    answers = run_at_once(
        lambda: suspend(tenant, by=SOMEBODY, why="one"),
        lambda: suspend(tenant, by=SOMEBODY, why="two"),
        lambda: close(tenant, by=SOMEBODY, why="three"),
    )
    assert len([answer for answer in answers if answer]) in (1, 2)
    assert Tenant.objects.get().state == S.CLOSING
    assert Suspension.objects.filter(lifted_at=None).count() == 1
    taken = AuditEvent.objects.filter(action__in=[Action.TENANT_SUSPENDED, Action.TENANT_CLOSING])
    assert taken.count() + AuditEvent.objects.filter(action=Action.TENANT_REFUSED).count() == 3


@pytest.mark.django_db
@pytest.mark.parametrize("state", [S.PENDING, S.ACTIVE, S.SUSPENDED])
def test_a_reopened_tenant_is_as_it_was_before_closing(state: TenantState) -> None:
    tenant = tenant_in(state)
    closing = close(tenant, by=SOMEBODY, why="asked for", grace=timedelta(days=3))
    assert closing.purge_after
    assert closing.purge_after - timezone.now() > timedelta(days=2)
    reopened = reopen(closing, by=SOMEBODY, why="asked for it back")
    assert (reopened.state, reopened.closing_at, reopened.purge_after) == (state, None, None)
    assert reopened.reason == ("not paid" if state == S.SUSPENDED else "")
    assert Suspension.objects.filter(lifted_at=None).exists() is (state == S.SUSPENDED)
    assert not Closing.objects.filter(ended_at=None).exists()
    assert close(reopened, by=SOMEBODY, why="really").state == S.CLOSING


@pytest.mark.django_db
@pytest.mark.parametrize("progress", [{"rows_purged": 1}, {"purged_at": timezone.now()}])
def test_a_tenant_is_not_reopened_once_rows_are_purged(progress: dict[str, Any]) -> None:
    tenant = tenant_in(S.CLOSING)
    Closing.objects.update(**progress)
    with assert_refused(NotNow, "The time to reopen Initech ended on", recorded_as=Action.TENANT_REFUSED):
        reopen(tenant, by=SOMEBODY)


@pytest.mark.django_db
def test_a_tenant_is_not_reopened_after_the_grace_period() -> None:
    tenant = close(tenant_in(S.ACTIVE), by=SOMEBODY, why="asked for", grace=timedelta())
    with assert_refused(NotNow, "ended on", recorded_as=Action.TENANT_REFUSED):
        reopen(tenant, by=SOMEBODY)


@pytest.mark.django_db
@pytest.mark.parametrize("grace", [timedelta(seconds=-1), timedelta(days=3651)])
def test_a_grace_period_has_a_shortest_and_a_longest_length(grace: timedelta) -> None:
    tenant = tenant_in(S.ACTIVE)
    with assert_refused(InvalidInput, "from 0 to 3,650 days", recorded_as=Action.TENANT_REFUSED):
        close(tenant, by=SOMEBODY, why="asked for", grace=grace)


@pytest.mark.django_db
@pytest.mark.parametrize("step", [suspend, close])
@pytest.mark.parametrize(("why", "says"), [("", "Enter a reason"), ("x" * 501, "at most 500"), ("\u202e", "U\\+202E")])
def test_suspending_and_closing_need_a_reason(step: Any, why: str, says: str) -> None:
    tenant = tenant_in(S.ACTIVE)
    with assert_refused(InvalidInput, says, recorded_as=Action.TENANT_REFUSED):
        step(tenant, by=SOMEBODY, why=why)


@pytest.mark.django_db
def test_a_tenant_is_not_closed_for_good_before_its_rows_are_checked() -> None:
    tenant = tenant_in(S.CLOSING)
    with assert_refused(NotNow, "not been purged and checked", recorded_as=Action.TENANT_REFUSED):
        close_for_good(tenant, by=SOMEBODY)


@pytest.mark.django_db
def test_a_tenant_without_an_owner_is_not_reactivated() -> None:
    tenant = tenant_in(S.SUSPENDED)
    Member.objects.update(enabled=False)
    with assert_refused(NotNow, "Initech has no owner", recorded_as=Action.TENANT_REFUSED):
        reactivate(tenant, by=SOMEBODY)


@pytest.mark.django_db
def test_suspending_signs_all_members_out_though_soon_reactivated() -> None:
    tenant = tenant_in(S.ACTIVE)
    add_member(tenant=tenant, email="peter@initech.example", name="", role=Role.VIEWER, by=SOMEBODY)
    Member.objects.update(provisioning=Provisioning.SETTLED, due_at=None)
    suspend(tenant, by=SOMEBODY, why="not paid")
    assert set(Member.objects.values_list("provisioning", "sign_out")) == {(Provisioning.DUE, True)}
    reactivate(tenant, by=SOMEBODY)
    assert set(Member.objects.values_list("provisioning", "sign_out", "enabled")) == {(Provisioning.DUE, True, True)}


@pytest.mark.django_db
def test_a_disabled_member_is_still_signed_out_after_reactivation() -> None:
    tenant = tenant_in(S.ACTIVE)
    peter = add_member(tenant=tenant, email="peter@initech.example", name="", role=Role.VIEWER, by=SOMEBODY)
    disable(peter, by=SOMEBODY)
    reactivate(suspend(tenant, by=SOMEBODY, why="not paid"), by=SOMEBODY)
    assert set(Member.objects.values_list("enabled", "sign_out")) == {(True, True), (False, True)}


@pytest.mark.django_db
def test_owners_and_admins_who_have_signed_in_are_mailed_of_a_closing() -> None:
    tenant = tenant_in(S.ACTIVE)
    for name, role in (("admin", Role.ADMIN), ("new", Role.ADMIN), ("gone", Role.OWNER), ("editor", Role.EDITOR)):
        add_member(tenant=tenant, email=f"{name}@initech.example", name="", role=role, by=SOMEBODY)
    members = Member.objects.exclude(person__email="new@initech.example")
    members.update(signed_in_at=timezone.now())
    disable(Member.objects.select_related("person", "tenant").get(person__email="gone@initech.example"), by=SOMEBODY)
    OutgoingMail.objects.all().delete()
    closing = close(tenant, by=SOMEBODY, why="They did not pay.", grace=timedelta(days=3))
    mails = OutgoingMail.objects.order_by("to")
    assert [mail.to for mail in mails] == ["admin@initech.example", "owner@initech.example"]
    assert {(mail.kind, mail.org) for mail in mails} == {("closing", tenant.org_id)}
    assert closing.purge_after
    for words in (formatted(closing.purge_after), "They did not pay.", "An operator of the platform", "“Initech”"):
        assert words in mails[0].text
    assert SOMEBODY.name not in mails[0].text


@pytest.mark.django_db
def test_who_was_mailed_of_a_closing_is_mailed_of_its_end() -> None:
    tenant = tenant_in(S.ACTIVE)
    Member.objects.update(signed_in_at=timezone.now())
    reopen(close(tenant, by=SOMEBODY, why="They did not pay."), by=SOMEBODY)
    assert list(OutgoingMail.objects.order_by("created_at").values_list("kind", flat=True)) == ["closing", "reopened"]


@pytest.mark.django_db
def test_a_closing_that_is_refused_mails_nobody() -> None:
    tenant = tenant_in(S.CLOSING)
    Member.objects.update(signed_in_at=timezone.now())
    with assert_refused(NotNow, "being closed already", recorded_as=Action.TENANT_REFUSED):
        close(tenant, by=SOMEBODY, why="again")
    assert not OutgoingMail.objects.exists()


@pytest.mark.django_db
def test_a_suspension_mails_nobody() -> None:
    """The portal says so on every page, and many are lifted within the hour."""
    tenant = tenant_in(S.ACTIVE)
    Member.objects.update(signed_in_at=timezone.now())
    reactivate(suspend(tenant, by=SOMEBODY, why="an attack"), by=SOMEBODY)
    assert not OutgoingMail.objects.exists()


def test_every_use_case_has_a_test_here() -> None:
    both = vars(transitions) | vars(details)
    ours = {name for name, found in both.items() if getattr(found, "__wrapped__", None)}
    assert {"create_tenant", *(f"change_{name}" for name in ("slug", "plan", "metadata")), "rename"} <= ours
    assert set(TRANSITIONS_TO_TRY) <= ours
