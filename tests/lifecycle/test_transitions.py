"""The steps of a tenant's life: which may follow which, what is written down, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tenants.audit.actions import Action
from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.roles import Role
from tenants.domain.tenant_state import STEPS, TenantState
from tenants.lifecycle import details, transitions
from tenants.lifecycle.details import change_metadata, change_plan, change_slug, rename
from tenants.lifecycle.transitions import activate, close, close_for_good, create_tenant, reactivate, reopen, suspend
from tenants.members.roster import add_member, disable
from tenants.models import AuditEvent, Closing, Member, Person, Provisioning, Suspension, Tenant
from tests.world.stage import SOMEBODY
from tests.world.use_cases import at_once, entries_since, last_entry, refused, tenant_in

S = TenantState
Step = Callable[[Tenant], Tenant]
STEPS_ASKED_FOR: dict[str, tuple[Step, TenantState, tuple[TenantState, ...]]] = {
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
EDITS: dict[str, tuple[Step, dict[str, Any]]] = {
    "rename": (lambda tenant: rename(tenant, name="Initrode", by=SOMEBODY, why="sold"), {"name": "Initrode"}),
    "slug": (lambda tenant: change_slug(tenant, slug="initrode", by=SOMEBODY, why="sold"), {"slug": "initrode"}),
    "plan": (lambda tenant: change_plan(tenant, plan="team", by=SOMEBODY, why="sold"), {"plan": "team"}),
    "metadata": (
        lambda tenant: change_metadata(tenant, metadata={"contract": "2026-14"}, by=SOMEBODY, why="sold"),
        {"metadata": {"contract": "2026-14"}},
    ),
}


def created(**given: Any) -> Tenant:
    return create_tenant(**{"name": "Initech", "owner_email": "bill@initech.example", "by": SOMEBODY, **given})


@pytest.mark.django_db
@pytest.mark.parametrize("state", list(TenantState))
@pytest.mark.parametrize("step", list(STEPS_ASKED_FOR))
def test_a_step_is_taken_where_it_may_be_and_refused_everywhere_else(step: str, state: TenantState) -> None:
    take, to, allowed = STEPS_ASKED_FOR[step]
    tenant = tenant_in(state)
    before = last_entry()
    if state not in allowed:
        with refused(NotNow, "Initech", recorded_as=Action.TENANT_REFUSED):
            take(tenant)
        return
    assert take(tenant).state == to
    assert Tenant.objects.get().state == to
    assert to in STEPS[state]
    (entry,) = entries_since(before)
    assert (entry.before["state"], entry.after["state"], entry.org) == (state, to, tenant.org_id)


@pytest.mark.django_db
@pytest.mark.parametrize("state", list(TenantState))
@pytest.mark.parametrize("edit", list(EDITS))
def test_name_slug_plan_and_metadata_change_until_a_tenant_is_closed_and_its_state_never_with_them(
    edit: str, state: TenantState
) -> None:
    change, expected = EDITS[edit]
    tenant = tenant_in(state)
    before = last_entry()
    if state in (S.CLOSING, S.CLOSED):
        with refused(NotNow, "so it stays as it is", recorded_as=Action.TENANT_REFUSED):
            change(tenant)
        return
    change(tenant)
    changed = Tenant.objects.get()
    assert {name: getattr(changed, name) for name in expected} == expected
    assert (changed.state, changed.suspended_at) == (state, tenant.suspended_at)
    (entry,) = entries_since(before)
    assert (dict(entry.after), entry.why) == (expected, "sold")
    assert entry.before == {name: getattr(tenant, name) for name in expected}


@pytest.mark.django_db
def test_what_is_changed_to_what_it_is_leaves_no_entry() -> None:
    tenant = created(metadata={"a": 1})
    before = last_entry()
    rename(tenant, name="Initech ", by=SOMEBODY)
    change_slug(tenant, slug="INITECH", by=SOMEBODY)
    change_metadata(tenant, metadata={"a": 1}, by=SOMEBODY)
    assert entries_since(before) == []


@pytest.mark.django_db
def test_a_new_tenant_is_pending_has_its_owner_and_says_in_the_audit_trail_what_it_began_with() -> None:
    tenant = created(owner_name="Bill Lumbergh", plan="team", metadata={"contract": 1}, why="signed on Monday")
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
def test_what_cannot_be_used_is_named_and_leaves_no_tenant_behind(given: dict[str, Any], says: str, field: str) -> None:
    with refused(InvalidInput, says, recorded_as=Action.TENANT_REFUSED) as told:
        created(**given)
    assert told.value.field == field
    assert told.value.message.isprintable()


@pytest.mark.django_db
@pytest.mark.parametrize("taken_as", ["bill@initech.example", "BILL@Initech.Example"])
def test_an_owner_who_is_in_another_organisation_is_refused_without_saying_in_which(taken_as: str) -> None:
    created()
    with refused(InvalidInput, "in another organisation", recorded_as=Action.TENANT_REFUSED) as told:
        created(name="Umbrella", owner_email=taken_as)
    assert "Initech" not in told.value.message
    assert not Tenant.objects.filter(name="Umbrella").exists()


@pytest.mark.django_db
def test_a_short_name_that_is_taken_is_refused_and_one_made_from_the_name_gives_way() -> None:
    created()
    for taken in ("initech", "INITECH"):
        with refused(InvalidInput, "“initech” is taken", recorded_as=Action.TENANT_REFUSED):
            created(owner_email="peter@initech.example", slug=taken)
    others = [created(owner_email=f"p{number}@initech.example").slug for number in range(10)]
    assert others[:8] == [f"initech-{number}" for number in range(2, 10)]
    assert len(set(others)) == 10
    with refused(InvalidInput, "“initech-2” is taken", recorded_as=Action.TENANT_REFUSED):
        change_slug(Tenant.objects.get(slug="initech"), slug="initech-2", by=SOMEBODY)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_choose_the_same_short_name_at_once_one_is_told() -> None:
    answers = at_once(
        *(lambda number=number: created(owner_email=f"p{number}@initech.example", slug="ini") for number in range(4))
    )
    told = [str(answer) for answer in answers if answer]
    assert told == ["The short name “ini” is taken. Choose another one."] * 3
    assert (Tenant.objects.count(), Person.objects.count()) == (1, 1)
    assert AuditEvent.objects.filter(action=Action.TENANT_REFUSED).count() == 3


@pytest.mark.django_db(transaction=True)
def test_of_many_with_the_same_name_at_once_everybody_gets_a_short_name() -> None:
    answers = at_once(*(lambda number=number: created(owner_email=f"p{number}@initech.example") for number in range(4)))
    assert answers == [None] * 4
    assert {tenant.slug for tenant in Tenant.objects.all()} >= {"initech", "initech-2"}


@pytest.mark.django_db(transaction=True)
def test_of_two_steps_at_once_one_comes_first_and_the_other_is_judged_after_it() -> None:
    tenant = tenant_in(S.ACTIVE)
    answers = at_once(
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
def test_a_tenant_that_is_reopened_is_what_it_was(state: TenantState) -> None:
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
@pytest.mark.parametrize("gone_too_far", [{"rows_purged": 1}, {"purged_at": timezone.now()}])
def test_what_has_been_purged_is_not_reopened(gone_too_far: dict[str, Any]) -> None:
    tenant = tenant_in(S.CLOSING)
    Closing.objects.update(**gone_too_far)
    with refused(NotNow, "The time to reopen Initech ended on", recorded_as=Action.TENANT_REFUSED):
        reopen(tenant, by=SOMEBODY)


@pytest.mark.django_db
def test_after_the_grace_period_nobody_reopens_and_one_of_no_days_is_over_at_once() -> None:
    tenant = close(tenant_in(S.ACTIVE), by=SOMEBODY, why="asked for", grace=timedelta())
    with refused(NotNow, "ended on", recorded_as=Action.TENANT_REFUSED):
        reopen(tenant, by=SOMEBODY)


@pytest.mark.django_db
@pytest.mark.parametrize("grace", [timedelta(seconds=-1), timedelta(days=3651)])
def test_a_grace_period_has_a_length(grace: timedelta) -> None:
    tenant = tenant_in(S.ACTIVE)
    with refused(InvalidInput, "from 0 to 3,650 days", recorded_as=Action.TENANT_REFUSED):
        close(tenant, by=SOMEBODY, why="asked for", grace=grace)


@pytest.mark.django_db
@pytest.mark.parametrize("step", [suspend, close])
@pytest.mark.parametrize(("why", "says"), [("", "Enter a reason"), ("x" * 501, "at most 500"), ("\u202e", "U\\+202E")])
def test_what_needs_a_reason_is_not_done_without_one(step: Any, why: str, says: str) -> None:
    tenant = tenant_in(S.ACTIVE)
    with refused(InvalidInput, says, recorded_as=Action.TENANT_REFUSED):
        step(tenant, by=SOMEBODY, why=why)


@pytest.mark.django_db
def test_nobody_is_buried_whose_rows_were_not_looked_for() -> None:
    tenant = tenant_in(S.CLOSING)
    with refused(NotNow, "not been purged and looked for", recorded_as=Action.TENANT_REFUSED):
        close_for_good(tenant, by=SOMEBODY)


@pytest.mark.django_db
def test_a_tenant_whose_owner_went_past_the_portal_is_not_let_work() -> None:
    tenant = tenant_in(S.SUSPENDED)
    Member.objects.update(enabled=False)
    with refused(NotNow, "Initech has no owner", recorded_as=Action.TENANT_REFUSED):
        reactivate(tenant, by=SOMEBODY)


@pytest.mark.django_db
def test_everybody_in_it_is_to_be_signed_out_of_a_suspended_tenant_and_let_in_again_afterwards() -> None:
    tenant = tenant_in(S.ACTIVE)
    add_member(tenant=tenant, email="peter@initech.example", name="", role=Role.VIEWER, by=SOMEBODY)
    Member.objects.update(provisioning=Provisioning.SETTLED, due_at=None)
    suspend(tenant, by=SOMEBODY, why="not paid")
    assert set(Member.objects.values_list("provisioning", "sign_out")) == {(Provisioning.DUE, True)}
    reactivate(tenant, by=SOMEBODY)
    assert set(Member.objects.values_list("provisioning", "sign_out", "enabled")) == {(Provisioning.DUE, False, True)}


@pytest.mark.django_db
def test_who_was_disabled_one_by_one_is_still_to_be_signed_out_once_their_tenant_is_active_again() -> None:
    tenant = tenant_in(S.ACTIVE)
    peter = add_member(tenant=tenant, email="peter@initech.example", name="", role=Role.VIEWER, by=SOMEBODY)
    disable(peter, by=SOMEBODY)
    reactivate(suspend(tenant, by=SOMEBODY, why="not paid"), by=SOMEBODY)
    assert set(Member.objects.values_list("enabled", "sign_out")) == {(True, False), (False, True)}


def test_every_use_case_is_asked_here() -> None:
    both = vars(transitions) | vars(details)
    ours = {name for name, found in both.items() if getattr(found, "__wrapped__", None)}
    assert {"create_tenant", *(f"change_{name}" for name in ("slug", "plan", "metadata")), "rename"} <= ours
    assert set(STEPS_ASKED_FOR) <= ours
