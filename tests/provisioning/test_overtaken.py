"""Members that are changed, suspended or taken over by another worker while a worker has them in hand."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from tenants.domain.errors import Misconfigured, Unreachable
from tenants.domain.roles import Role
from tenants.domain.user_plan import Quota
from tenants.lifecycle.transitions import suspend
from tenants.members.roster import add_member, disable, enable, set_role
from tenants.models import Member, Provisioning
from tenants.provisioning.finish import finish, release
from tenants.provisioning.member_rows import mark_stuck
from tenants.provisioning.one_member import apply_answer, make_call, provision_member_now
from tenants.provisioning.queue import Claim, claim, hold
from tenants.provisioning.results import Outcome
from tests.world.stage import SOMEBODY, Stage, make_all_calls, member_called, recorded_actions, tenant_with_people


def test_a_role_changed_during_an_attempt_is_not_lost(stage: Stage, domain: str) -> None:
    tenant_with_people("Overtaken", 2, domain=domain)
    claimed = next(one for one in claim("slow", most=10) if one.member.person.email == f"p1@{domain}")
    make_all_calls(stage, claimed)
    set_role(member_called(f"p1@{domain}"), Role.EDITOR, by=SOMEBODY)
    assert finish(claimed) == Outcome.OVERTAKEN
    between = member_called(f"p1@{domain}")
    assert (between.provisioning, between.seen_role, between.leased_by) == (Provisioning.DUE, "viewer", "")
    stage.work()
    user = stage.user(between)
    assert user is not None
    assert user.role == "editor"


def test_a_member_is_handed_out_once_until_its_lease_runs_out(stage: Stage, domain: str) -> None:
    tenant_with_people("Leased", 4, domain=domain)
    first, second = claim("one", most=2), claim("another", most=10)
    assert len(first) == 2
    assert len(second) == 2
    assert not {one.member.pk for one in first} & {one.member.pk for one in second}
    Member.objects.filter(leased_by="one").update(leased_until=timezone.now() - timedelta(seconds=1))
    third = claim("another", most=10)
    assert {one.member.pk for one in third} == {one.member.pk for one in first}
    assert all(one.attempt.must_look for one in third)
    release(third[0])
    assert Member.objects.get(pk=third[0].member.pk).leased_by == ""


def test_a_holder_that_lost_the_lease_does_not_overwrite_the_next(stage: Stage, domain: str) -> None:
    tenant_with_people("Stale", 1, domain=domain)
    (claimed,) = claim("slow", most=10)
    make_all_calls(stage, claimed)
    Member.objects.filter(pk=claimed.member.pk).update(leased_by="fast")
    assert finish(claimed) == Outcome.OVERTAKEN
    member = Member.objects.get(pk=claimed.member.pk)
    assert (member.provisioning, member.leased_by, member.seen_at) == (Provisioning.DUE, "fast", None)
    assert member.person.sub is None
    # The call was made all the same.
    assert recorded_actions(f"p0@{domain}")[-1] == "member.provisioned"


def test_a_holder_that_lost_the_lease_cannot_extend_it(stage: Stage, domain: str) -> None:
    tenant_with_people("Late", 1, domain=domain)
    (claimed,) = claim("slow", most=10)
    rows = Member.objects.filter(pk=claimed.member.pk)
    rows.update(leased_by="fast")
    before = rows.get().leased_until
    claimed.held_until = time.time()
    assert not hold(claimed, at=time.time() + 300)
    assert (rows.get().leased_by, rows.get().leased_until) == ("fast", before)


def test_a_holder_that_lost_the_lease_marks_nobody_stuck(stage: Stage, domain: str) -> None:
    tenant_with_people("Broken", 1, domain=domain)
    (claimed,) = claim("slow", most=10)
    rows = Member.objects.filter(pk=claimed.member.pk)
    rows.update(leased_by="fast")
    assert not mark_stuck(claimed, why="It cannot be written down.")
    assert (rows.get().provisioning, rows.get().leased_by) == (Provisioning.DUE, "fast")


@pytest.mark.parametrize("the_other_is_done", [True, False])
@pytest.mark.parametrize("answer_is_lost", [True, False])
def test_a_change_by_a_worker_that_was_held_up_is_looked_at_again(
    stage: Stage, domain: str, the_other_is_done: bool, answer_is_lost: bool
) -> None:
    """It enables a user whom another worker disabled in the meantime."""
    tenant_with_people("Held up", 2, domain=domain)
    stage.work()
    member = member_called(f"p1@{domain}")
    disable(member, by=SOMEBODY)
    stage.work()
    enable(member, by=SOMEBODY)
    (slow,) = claim("slow", most=10)
    Member.objects.filter(pk=member.pk).update(leased_until=timezone.now() - timedelta(seconds=1))
    disable(member, by=SOMEBODY)
    (fast,) = claim("fast", most=10)
    make_all_calls(stage, fast)
    if the_other_is_done:
        assert finish(fast) == Outcome.SETTLED
    if answer_is_lost:
        stage.tools.directory.enable(str(member.person.sub))
        assert finish(slow, Unreachable("Cognito", "lost")) == Outcome.OVERTAKEN
    else:
        make_all_calls(stage, slow)
        assert finish(slow) == Outcome.OVERTAKEN
    if not the_other_is_done:
        assert finish(fast) == Outcome.OVERTAKEN
    stage.work()
    user = stage.user(member)
    assert user is not None
    assert not user.enabled
    settled = member_called(f"p1@{domain}")
    assert (settled.provisioning, settled.last_error) == (Provisioning.SETTLED, "")


@pytest.mark.parametrize("failure", [Misconfigured("no"), Unreachable("Cognito", "gone")])
def test_changes_made_before_a_failure_are_written_down(stage: Stage, domain: str, failure: Exception) -> None:
    tenant_with_people("Half", 2, domain=domain)
    claimed = next(one for one in claim("worker", most=10) if one.member.person.email == f"p1@{domain}")
    call = claimed.attempt.next_call()
    assert call is not None
    assert call.category == Quota.CREATION
    assert apply_answer(claimed, call, make_call(stage.tools.directory, call, None)) is None
    if isinstance(failure, Misconfigured):
        release(claimed)
    else:
        assert isinstance(failure, Unreachable)
        finish(claimed, failure)
    member = member_called(f"p1@{domain}")
    assert member.person.sub
    assert member.seen_enabled is True
    assert member.provisioning == Provisioning.DUE
    assert recorded_actions(f"p1@{domain}")[-1] == "member.provisioned"


def test_a_tenant_suspended_during_an_attempt_ends_with_all_disabled(stage: Stage, domain: str) -> None:
    tenant = tenant_with_people("Cut short", 1, domain=domain)
    stage.work()
    tenant.refresh_from_db()
    add_member(tenant=tenant, email=f"p1@{domain}", name="", role=Role.VIEWER, by=SOMEBODY, mail_invitation=False)
    (claimed,) = claim("in the middle of it", most=10)
    suspend(tenant, by=SOMEBODY, why="not paid")
    make_all_calls(stage, claimed)
    finish(claimed)
    assert member_called(f"p1@{domain}").provisioning == Provisioning.DUE
    stage.work()
    assert [user.enabled for user in stage.users_of(domain)] == [False, False]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_lease_lost_between_two_changes_leads_to_another_look(
    stage: Stage, domain: str, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    """The holder that took the member over settled what it had seen."""
    tenant_with_people("Between", 2, domain=domain)
    stage.work()
    member = member_called(f"p1@{domain}")
    disable(member, by=SOMEBODY)
    stage.work()
    set_role(member, Role.EDITOR, by=SOMEBODY)
    enable(member, by=SOMEBODY)
    lost: list[Claim] = []

    def lose_once(claimed: Claim, *, at: float) -> bool:
        if not claimed.attempt.done or lost:
            return hold(claimed, at=at)
        lost.append(claimed)
        free = {"leased_by": "", "leased_until": None}
        Member.objects.filter(pk=member.pk).update(provisioning=Provisioning.SETTLED, **free)
        return False

    for where in ("tenants.provisioning.dispatcher.hold", "tenants.provisioning.one_member.hold"):
        monkeypatch.setattr(where, lose_once)
    if at_once:
        tools = stage.tools
        provision_member_now(member, directory=tools.directory, pacer=tools.pacer, holder="a request")
    stage.work()
    assert lost
    user = stage.user(member)
    assert user is not None
    assert (user.role, user.enabled) == ("editor", True)
