"""Owner recovery: who is told, how it is stopped, when it is carried out, and that nothing operators do beats it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from tenants.audit.actions import Action
from tenants.domain.actor import WORKER, Actor, ActorKind, at_the_terminal
from tenants.domain.errors import InvalidInput, NotAllowed, NotNow
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.details import change_slug, rename
from tenants.lifecycle.transitions import close, reactivate, reopen, suspend
from tenants.members.recovery import (
    ask,
    cancel,
    carry_out_due,
    find_by_key,
    open_recovery,
    veto,
    veto_by_key,
)
from tenants.members.roster import add_member, disable, enable, remove, set_role
from tenants.models import AuditEvent, Member, OutgoingMail, OwnerRecovery, Person, RecoveryResult, Tenant
from tests.world.stage import SOMEBODY, member_called
from tests.world.use_cases import assert_refused, entries_since, last_entry, run_at_once, tenant_in

S, R = TenantState, RecoveryResult
OWNER, PARTNER, ADMIN = "owner@initech.example", "partner@initech.example", "admin@initech.example"
NEW = "new@initech.example"
BREAK_GLASS = Actor("break-glass 1", "break-glass link of root", ActorKind.BREAK_GLASS)
ALREADY = timedelta(hours=73)


def sign_in(member: Member) -> None:
    Person.objects.filter(pk=member.person_id).update(sub=uuid.uuid4())
    Member.objects.filter(pk=member.pk).update(signed_in_at=timezone.now())
    if member.role == Role.OWNER:
        Tenant.objects.filter(pk=member.tenant_id).update(owner_signed_in_at=timezone.now())


@pytest.fixture
def tenant(db: None, settings: Any) -> Tenant:
    """Two owners and an admin, who have signed in, and an editor who has not."""
    settings.OWNER_RECOVERY_HOURS = 72
    tenant = tenant_in(S.ACTIVE)
    for email, role in ((PARTNER, Role.OWNER), (ADMIN, Role.ADMIN), ("editor@initech.example", Role.EDITOR)):
        add_member(tenant=tenant, email=email, name="", role=role, by=SOMEBODY)
    for email in (OWNER, PARTNER, ADMIN):
        sign_in(member_called(email))
    return Tenant.objects.get(pk=tenant.pk)


def acting(email: str) -> Actor:
    member = member_called(email)
    return Actor(str(member.person.sub), email, ActorKind.MEMBER, member.role)


def mails(kind: str) -> list[str]:
    return sorted(OutgoingMail.objects.filter(kind=kind).values_list("to", flat=True))


def asked(tenant: Tenant, email: str = NEW, by: Actor = SOMEBODY) -> OwnerRecovery:
    recovery = ask(tenant, email=email, why="their owner left", by=by)
    assert recovery is not None
    return recovery


def key_in_the_mail() -> str:
    found = re.search(r"/recovery/([\w-]+)/", OutgoingMail.objects.filter(kind="recovery_asked")[0].text)
    assert found
    return found[1]


def deliver() -> None:
    """All mails leave at once, and the worker sees it."""
    OutgoingMail.objects.update(due_at=None, sent_at=timezone.now())
    assert carry_out_due() == 0


def let_time_pass(recovery: OwnerRecovery, by: timedelta = ALREADY) -> None:
    """As if it had been asked so long ago."""
    rows = OwnerRecovery.objects.filter(pk=recovery.pk)
    now = rows.get()
    rows.update(asked_at=now.asked_at - by, due_at=now.due_at - by, told_at=now.told_at and now.told_at - by)


def wait_until_due(recovery: OwnerRecovery) -> None:
    deliver()
    let_time_pass(recovery)


def owners(tenant: Tenant) -> set[str]:
    rows = Member.objects.filter(tenant=tenant, role=Role.OWNER, removed=False)
    return set(rows.values_list("person__email", flat=True))


def outcome(recovery: OwnerRecovery) -> tuple[str, str]:
    now = OwnerRecovery.objects.get(pk=recovery.pk)
    return now.result, now.why


def test_every_owner_and_admin_is_told_and_only_the_keys_hash_is_kept(tenant: Tenant) -> None:
    before = last_entry()
    recovery = asked(tenant)
    assert mails("recovery_asked") == sorted([OWNER, PARTNER, ADMIN])
    key = key_in_the_mail()
    assert len(key) == 43
    assert key not in str(OwnerRecovery.objects.values()[0])
    (entry,) = entries_since(before)
    assert (entry.action, entry.org, entry.target) == (Action.RECOVERY_ASKED, tenant.org_id, NEW)
    assert key not in str(entry.content())
    assert recovery.due_at - recovery.asked_at == timedelta(hours=72)


def test_the_worker_makes_the_owner_when_the_time_is_over_and_not_before(tenant: Tenant) -> None:
    recovery = asked(tenant)
    deliver()
    let_time_pass(recovery, timedelta(hours=71))
    assert carry_out_due() == 0
    assert owners(tenant) == {OWNER, PARTNER}
    let_time_pass(recovery, timedelta(hours=2))
    before = last_entry()
    assert carry_out_due() == 1
    assert owners(tenant) == {OWNER, PARTNER, NEW}
    assert outcome(recovery)[0] == R.DONE
    assert [(entry.action, entry.actor) for entry in entries_since(before)] == [
        (Action.MEMBER_ADDED, WORKER.id),
        (Action.RECOVERY_DONE, WORKER.id),
    ]
    assert mails("recovery_ended") == sorted([OWNER, PARTNER, ADMIN, NEW])
    assert carry_out_due() == 0


def test_a_member_is_raised_if_they_are_enabled(tenant: Tenant) -> None:
    recovery = asked(tenant, ADMIN)
    wait_until_due(recovery)
    assert carry_out_due() == 1
    assert owners(tenant) == {OWNER, PARTNER, ADMIN}
    assert ADMIN in mails("made_owner")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda: disable(member_called(ADMIN), by=acting(OWNER)), "is disabled"),
        (lambda: remove(member_called(ADMIN), by=acting(OWNER)), "was removed"),
        (lambda: set_role(member_called(ADMIN), Role.OWNER, by=acting(OWNER)), "is an owner of Initech already"),
    ],
)
def test_it_ends_if_the_address_cannot_become_owner_any_more(
    tenant: Tenant, change: Callable[[], Any], says: str
) -> None:
    recovery = asked(tenant, ADMIN)
    change()
    wait_until_due(recovery)
    assert carry_out_due() == 1
    result, why = outcome(recovery)
    assert (result, says in why) == (R.ENDED, True)


def test_an_address_of_another_organisation_is_refused_or_ends_it(tenant: Tenant) -> None:
    recovery = asked(tenant)
    other = tenant_in(S.ACTIVE, name="Umbrella", domain="umbrella.example")
    add_member(tenant=other, email=NEW, name="", role=Role.VIEWER, by=SOMEBODY)
    wait_until_due(recovery)
    assert carry_out_due() == 1
    result, why = outcome(recovery)
    assert (result, "in another organisation" in why, "Umbrella" in why) == (R.ENDED, True, False)
    assert NEW not in owners(tenant)
    with pytest.raises(InvalidInput, match="in another organisation"):
        ask(tenant, email=NEW, why="again", by=SOMEBODY)


def test_one_waits_at_a_time(tenant: Tenant) -> None:
    recovery = asked(tenant)
    with assert_refused(NotNow, "waits already", recorded_as=Action.RECOVERY_REFUSED):
        ask(tenant, email="other@initech.example", why="again", by=SOMEBODY)
    with pytest.raises(IntegrityError), transaction.atomic():
        OwnerRecovery.objects.create(tenant=tenant, email=NEW, reason="x", due_at=recovery.due_at, key_hash="x")
    cancel(tenant, by=SOMEBODY, why="found them")
    asked(tenant)


def test_operators_can_take_it_back(tenant: Tenant) -> None:
    recovery = asked(tenant)
    assert cancel(tenant, by=SOMEBODY, why="found them").result == R.CANCELLED
    wait_until_due(recovery)
    assert carry_out_due() == 0
    assert mails("recovery_ended") == sorted([OWNER, PARTNER, ADMIN])
    with pytest.raises(NotNow, match="No owner recovery of Initech waits"):
        cancel(tenant, by=SOMEBODY)


@pytest.mark.parametrize("email", [OWNER, PARTNER, ADMIN])
def test_owners_and_admins_stop_it(tenant: Tenant, email: str) -> None:
    recovery, before = asked(tenant), last_entry()
    assert veto(tenant, by=acting(email)).result == R.VETOED
    (entry,) = entries_since(before)
    assert (entry.action, entry.actor_name, entry.org) == (Action.RECOVERY_VETOED, email, tenant.org_id)
    wait_until_due(recovery)
    assert carry_out_due() == 0
    assert owners(tenant) == {OWNER, PARTNER}


def test_nobody_else_stops_it(tenant: Tenant) -> None:
    recovery = asked(tenant)
    sign_in(member_called("editor@initech.example"))
    tenant_in(S.ACTIVE, name="Umbrella", domain="umbrella.example")
    sign_in(member_called("owner@umbrella.example"))
    for by in (acting("editor@initech.example"), acting("owner@umbrella.example"), SOMEBODY, BREAK_GLASS):
        with pytest.raises(NotAllowed):
            veto(tenant, by=by)
    assert outcome(recovery)[0] == R.WAITING


def test_the_mails_link_stops_it_once_and_a_forged_one_nothing(tenant: Tenant) -> None:
    recovery = asked(tenant)
    key = key_in_the_mail()
    for forged in (key[:-1], key.swapcase(), recovery.key_hash, "", "\x00", "\udc80"):
        assert veto_by_key(forged) is None
    before = last_entry()
    stopped = veto_by_key(key)
    assert stopped is not None
    assert (stopped.pk, stopped.result) == (recovery.pk, R.VETOED)
    again = veto_by_key(key)
    assert again is not None
    assert again.ended_at == stopped.ended_at
    assert [entry.action for entry in entries_since(before)] == [Action.RECOVERY_VETOED]
    # A later recovery has a key of its own.
    later = asked(tenant)
    assert veto_by_key(key) is not None
    assert outcome(later)[0] == R.WAITING


@pytest.mark.django_db(transaction=True)
def test_a_veto_at_the_last_moment_and_two_workers_leave_one_result(settings: Any) -> None:
    settings.OWNER_RECOVERY_HOURS = 72
    tenant = tenant_in(S.ACTIVE)
    sign_in(member_called(OWNER))
    recovery = asked(tenant)
    key = key_in_the_mail()
    wait_until_due(recovery)
    before = last_entry()
    assert run_at_once(carry_out_due, carry_out_due, lambda: veto_by_key(key), lambda: veto_by_key(key)) == [None] * 4
    result, _ = outcome(recovery)
    assert result in (R.DONE, R.VETOED)
    assert (NEW in owners(tenant)) is (result == R.DONE)
    ends = (Action.RECOVERY_DONE, Action.RECOVERY_VETOED)
    assert len([entry for entry in entries_since(before) if entry.action in ends]) == 1


# What operators could try, while it waits. None of it may bring the owner.
def _suspend(tenant: Tenant) -> None:
    suspend(tenant, by=SOMEBODY, why="x")


def _suspend_and_reactivate(tenant: Tenant) -> None:
    reactivate(suspend(tenant, by=SOMEBODY, why="x"), by=SOMEBODY)


def _close_and_reopen(tenant: Tenant) -> None:
    reopen(close(tenant, by=SOMEBODY, why="x"), by=SOMEBODY)


def _disable_an_owner(tenant: Tenant) -> None:
    disable(member_called(PARTNER), by=SOMEBODY)


def _disable_and_enable_an_owner(tenant: Tenant) -> None:
    enable(disable(member_called(PARTNER), by=SOMEBODY), by=SOMEBODY)


def _disable_by_break_glass(tenant: Tenant) -> None:
    disable(member_called(PARTNER), by=BREAK_GLASS)


def _remove_an_owner(tenant: Tenant) -> None:
    remove(member_called(PARTNER), by=SOMEBODY)


def _remove_an_owner_for_good(tenant: Tenant) -> None:
    remove(member_called(PARTNER), by=SOMEBODY).delete()


def _demote_at_a_terminal(tenant: Tenant) -> None:
    set_role(member_called(PARTNER), Role.VIEWER, by=at_the_terminal())


AGAINST_THE_CONDITIONS = [
    _suspend, _suspend_and_reactivate, _close_and_reopen, _disable_an_owner, _disable_and_enable_an_owner,
    _disable_by_break_glass, _remove_an_owner, _remove_an_owner_for_good, _demote_at_a_terminal,
]  # fmt: skip


@pytest.mark.parametrize("attempt", AGAINST_THE_CONDITIONS, ids=lambda attempt: attempt.__name__.strip("_"))
def test_what_operators_do_to_the_tenant_or_its_owners_ends_it(
    tenant: Tenant, attempt: Callable[[Tenant], None]
) -> None:
    recovery = asked(tenant)
    deliver()
    attempt(tenant)
    assert outcome(recovery)[0] == R.ENDED
    assert OWNER in mails("recovery_ended")
    let_time_pass(recovery)
    assert carry_out_due() == 0
    assert NEW not in owners(tenant)


@pytest.mark.parametrize("attempt", AGAINST_THE_CONDITIONS, ids=lambda attempt: attempt.__name__.strip("_"))
def test_it_is_not_carried_out_either_if_only_the_rows_tell(tenant: Tenant, attempt: Callable[[Tenant], None]) -> None:
    """As if a program of an earlier release had done it, which ends no recovery."""
    recovery = asked(tenant)
    deliver()
    attempt(tenant)
    OwnerRecovery.objects.filter(pk=recovery.pk).update(result=R.WAITING, ended_at=None, why="")
    let_time_pass(recovery)
    assert carry_out_due() == 1
    assert outcome(recovery)[0] == R.ENDED
    assert NEW not in owners(tenant)


@pytest.mark.parametrize(
    "attempt",
    [attempt for attempt in AGAINST_THE_CONDITIONS if attempt not in (_suspend_and_reactivate, _close_and_reopen)],
    ids=lambda attempt: attempt.__name__.strip("_"),
)
def test_none_can_be_asked_for_just_after_it(tenant: Tenant, attempt: Callable[[Tenant], None]) -> None:
    attempt(tenant)
    with assert_refused(NotNow, r"An owner recovery|No owner recovery", recorded_as=Action.RECOVERY_REFUSED):
        ask(tenant, email=NEW, why="x", by=SOMEBODY)


def test_an_owner_disabled_before_and_enabled_after_the_asking_is_no_end(tenant: Tenant) -> None:
    disable(member_called(PARTNER), by=SOMEBODY)
    with pytest.raises(NotNow, match="has disabled an owner"):
        ask(tenant, email=NEW, why="x", by=SOMEBODY)
    enable(member_called(PARTNER), by=SOMEBODY)
    with pytest.raises(NotNow, match="can be asked for from"):
        ask(tenant, email=NEW, why="x", by=SOMEBODY)
    Tenant.objects.update(owner_lost_at=timezone.now() - ALREADY)
    asked(tenant)
    assert PARTNER in mails("recovery_asked")


def test_another_name_and_short_name_change_nothing(tenant: Tenant) -> None:
    recovery = asked(tenant)
    key = key_in_the_mail()
    rename(tenant, name="Something Else", by=SOMEBODY)
    change_slug(Tenant.objects.get(pk=tenant.pk), slug="something-else", by=SOMEBODY)
    assert open_recovery(tenant) == recovery
    assert carry_out_due() == 0
    stopped = veto_by_key(key)
    assert stopped is not None
    assert stopped.result == R.VETOED


def at(offset: timedelta) -> Callable[[], datetime]:
    """The clock of a machine that is so far ahead."""
    return lambda: timezone.now() + offset


def test_the_clock_of_the_workers_machine_brings_no_owner_early(tenant: Tenant) -> None:
    recovery = asked(tenant)
    deliver()
    assert carry_out_due(clock=at(timedelta(days=30))) == 0
    assert outcome(recovery)[0] == R.WAITING


@pytest.mark.parametrize("days", [-30, 30])
def test_the_clock_of_the_web_machine_brings_no_owner_early(tenant: Tenant, days: int) -> None:
    recovery = ask(tenant, email=NEW, why="x", by=SOMEBODY, clock=at(timedelta(days=days)))
    assert recovery is not None
    assert recovery.due_at >= timezone.now() + timedelta(hours=71)
    deliver()
    assert carry_out_due() == 0


def test_the_time_begins_when_the_mails_have_left(tenant: Tenant) -> None:
    """Otherwise stopping the worker until it is over would leave owners no time."""
    recovery = asked(tenant)
    # The worker looks at it at once, while the mails are still here.
    assert carry_out_due() == 0
    let_time_pass(recovery)
    assert carry_out_due() == 0
    assert outcome(recovery)[0] == R.WAITING
    deliver()
    assert carry_out_due() == 0
    now = OwnerRecovery.objects.get(pk=recovery.pk)
    assert now.due_at >= timezone.now() + timedelta(hours=71)
    let_time_pass(recovery)
    assert carry_out_due() == 1
    assert outcome(recovery)[0] == R.DONE


def test_break_glass_and_members_cannot_ask(tenant: Tenant) -> None:
    for by in (BREAK_GLASS, acting(OWNER), acting(ADMIN)):
        with pytest.raises(NotAllowed):
            ask(tenant, email=NEW, why="x", by=by)
        with pytest.raises(NotAllowed):
            cancel(tenant, by=by)
    assert OwnerRecovery.objects.count() == 0


@pytest.mark.parametrize("given", [{"email": "x"}, {"why": " "}, {"why": "a\u202eb"}, {"name": "a\u202eb"}])
def test_input_that_cannot_be_used_is_named(tenant: Tenant, given: dict[str, str]) -> None:
    with assert_refused(InvalidInput, ".", recorded_as=Action.RECOVERY_REFUSED):
        ask(tenant, **{"email": NEW, "why": "x", **given}, by=SOMEBODY)  # type: ignore[arg-type]


def test_a_terminal_waits_too_unless_it_says_now(tenant: Tenant) -> None:
    by = at_the_terminal()
    recovery = asked(tenant, by=by)
    assert outcome(recovery)[0] == R.WAITING
    with pytest.raises(NotAllowed, match="Only a terminal"):
        ask(tenant, email=NEW, why="x", by=SOMEBODY, at_once=True)
    assert ask(tenant, email=NEW, why="court order", by=by, at_once=True) is None
    assert owners(tenant) == {OWNER, PARTNER, NEW}
    assert outcome(recovery)[0] == R.CANCELLED
    assert mails("changed_at_terminal") == sorted([OWNER, PARTNER])


@pytest.mark.django_db
@pytest.mark.parametrize("state", [S.PENDING, S.ACTIVE, S.SUSPENDED])
def test_until_an_owner_signs_in_they_are_replaced_at_once(state: TenantState) -> None:
    tenant, before = tenant_in(state), last_entry()
    assert ask(tenant, email=NEW, why="a wrong letter", by=SOMEBODY) is None
    assert owners(tenant) == {NEW}
    assert member_called(OWNER).removed
    actions = [entry.action for entry in entries_since(before)]
    assert actions == [Action.MEMBER_ADDED, Action.MEMBER_REMOVED, Action.OWNER_REPLACED]
    assert OutgoingMail.objects.count() == 0
    assert Tenant.objects.get(pk=tenant.pk).owner_lost_at is None


@pytest.mark.django_db
def test_replacing_the_owner_needs_another_address_and_an_operator() -> None:
    tenant = tenant_in(S.PENDING)
    with pytest.raises(InvalidInput, match="is an owner already"):
        ask(tenant, email=OWNER, why="x", by=SOMEBODY)
    with pytest.raises(NotAllowed, match="makes, raises and enables nobody"):
        ask(tenant, email=NEW, why="x", by=BREAK_GLASS)
    assert owners(tenant) == {OWNER}


@pytest.mark.django_db
def test_nothing_is_half_done_where_the_new_owner_cannot_be_invited() -> None:
    tenant = tenant_in(S.PENDING)
    tenant_in(S.ACTIVE, name="Umbrella", domain="umbrella.example")
    with assert_refused(InvalidInput, "in another organisation", recorded_as=Action.RECOVERY_REFUSED):
        ask(tenant, email="owner@umbrella.example", why="x", by=SOMEBODY)
    assert owners(tenant) == {OWNER}


@pytest.mark.django_db
@pytest.mark.parametrize("state", [S.CLOSING, S.CLOSED])
def test_a_tenant_that_is_being_closed_gets_no_owner(state: TenantState) -> None:
    tenant = tenant_in(state)
    with assert_refused(NotNow, "so its members stay as they are", recorded_as=Action.RECOVERY_REFUSED):
        ask(tenant, email=NEW, why="x", by=SOMEBODY)


def test_a_removed_recovery_is_found_by_no_key(tenant: Tenant) -> None:
    asked(tenant)
    key = key_in_the_mail()
    assert find_by_key(key) is not None
    OwnerRecovery.objects.all().delete()
    assert find_by_key(key) is None
    assert AuditEvent.objects.filter(action=Action.RECOVERY_ASKED).exists()
