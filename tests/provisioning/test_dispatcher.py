"""Members in hand: throttled ones, ones that cannot be written down, and that none holds up the others."""

from __future__ import annotations

import threading
from dataclasses import replace

from tenants.domain.steps import possible_steps
from tenants.members.roster import try_now
from tenants.members.steps import MEMBER_STEPS, TRY_NOW
from tenants.models import Member, Provisioning, QuotaSlot
from tenants.provisioning.dispatcher import Dispatcher, Tally
from tenants.provisioning.finish import finish_or_mark_stuck
from tenants.provisioning.queue import claim
from tenants.provisioning.results import Attempted, Outcome
from tests.world.faults import Switches
from tests.world.stage import SOMEBODY, Stage, make_all_calls, member_called, recorded_actions, tenant_with_people


def test_a_throttled_member_stays_in_hand_and_has_not_failed(stage: Stage, switches: Switches, domain: str) -> None:
    tenant_with_people("Throttled", 3, domain=domain)
    switches.fail("CognitoIdentityProvider.AdminCreateUser", fault="throttling", count=3)
    tally = stage.work()
    assert (tally.throttled, tally.failed, tally.settled) == (3, 0, 3)
    assert "member.stuck" not in recorded_actions()


def test_a_member_that_is_throttled_too_often_stays_due_for_later(
    stage: Stage, switches: Switches, domain: str
) -> None:
    tenant_with_people("Always throttled", 1, domain=domain)
    switches.fail("CognitoIdentityProvider.AdminCreateUser", fault="throttling", count=None)
    tally, stop = Tally(), threading.Event()
    dispatcher = Dispatcher(stage.tools, holder="a worker", threads=1, stop=stop, tally=tally)
    while not tally.failed:
        QuotaSlot.objects.update(next_at=0)
        dispatcher.run_once()
    dispatcher.drain()
    dispatcher.close()
    member = member_called(f"p0@{domain}")
    assert tally.throttled == 4
    assert (member.provisioning, member.attempts, member.leased_by) == (Provisioning.DUE, 1, "")
    assert "TooManyRequests" in member.last_error


def test_a_member_that_cannot_be_written_down_holds_up_no_others(stage: Stage, domain: str) -> None:
    tenant_with_people("Odd one out", 3, domain=domain)
    claims = claim("worker", most=10)
    for claimed in claims:
        make_all_calls(stage, claimed)
    odd = claims[1]
    assert odd.attempt.seen is not None
    odd.attempt.seen = replace(odd.attempt.seen, sub="no UUID at all")
    outcomes = finish_or_mark_stuck([Attempted(one) for one in claims])
    assert outcomes == [Outcome.SETTLED, Outcome.STUCK, Outcome.SETTLED]
    member = Member.objects.get(pk=odd.member.pk)
    assert (member.provisioning, member.leased_by) == (Provisioning.STUCK, "")
    assert "Its log says how" in member.last_error
    assert recorded_actions(odd.member.person.email)[-1] == "member.stuck"
    try_now(member, by=SOMEBODY)
    stage.work()
    assert Member.objects.get(pk=odd.member.pk).provisioning == Provisioning.SETTLED


def test_stuck_members_are_settled_after_try_now(stage: Stage, switches: Switches, domain: str) -> None:
    tenant_with_people("Tried again", 2, domain=domain)
    fault = {"code": "UserLambdaValidationException", "message": "PreSignUp failed with error no.", "status": 400}
    switches.fail("CognitoIdentityProvider.AdminCreateUser", count=None, **fault)
    stage.work()
    switches.mend()
    stuck = Member.objects.filter(provisioning=Provisioning.STUCK).select_related("person", "tenant")
    assert len(stuck) == 2
    for member in stuck:
        assert TRY_NOW in possible_steps(MEMBER_STEPS, member, SOMEBODY)
        TRY_NOW.does(member, {}, SOMEBODY)
    assert stage.work().settled == 2
    settled = member_called(f"p1@{domain}")
    assert (settled.provisioning, settled.last_error, settled.attempts) == (Provisioning.SETTLED, "", 0)
    assert recorded_actions(f"p1@{domain}") == ["member.added", "member.stuck", "member.retried", "member.provisioned"]
    assert TRY_NOW not in possible_steps(MEMBER_STEPS, settled, SOMEBODY)
