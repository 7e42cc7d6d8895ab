"""Members in hand: who is put off, who is set aside, and that nobody holds up the others."""

from __future__ import annotations

import threading
from dataclasses import replace

from tenants.domain.roles import Role
from tenants.domain.steps import possible_steps
from tenants.members.roster import try_now
from tenants.members.steps import MEMBER_STEPS, TRY_NOW
from tenants.models import Member, Provisioning, QuotaSlot
from tenants.provisioning.dispatcher import Dispatcher, Tally
from tenants.provisioning.queue import claim
from tenants.provisioning.results import Attempted, Outcome, finish_whatever_happens
from tests.world.faults import Switches
from tests.world.stage import SOMEBODY, Stage, in_one_go, member_called, recorded, tenant_with_people


def test_that_cognito_is_too_busy_is_no_failure_of_the_member_who_stays_in_hand(
    stage: Stage, switches: Switches, domain: str
) -> None:
    tenant_with_people("Throttled", 3, domain=domain)
    switches.fail("CognitoIdentityProvider.AdminCreateUser", fault="throttling", count=3)
    tally = stage.work()
    assert (tally.throttled, tally.failed, tally.settled) == (3, 0, 3)
    assert "member.stuck" not in recorded()


def test_a_member_that_is_throttled_again_and_again_lets_others_go_first_and_stays_due(
    stage: Stage, switches: Switches, domain: str
) -> None:
    tenant_with_people("Always throttled", 1, domain=domain)
    switches.fail("CognitoIdentityProvider.AdminCreateUser", fault="throttling", count=None)
    tally, stop = Tally(), threading.Event()
    crew = Dispatcher(stage.tools, holder="crew", threads=1, stop=stop, tally=tally)
    while not tally.failed:
        QuotaSlot.objects.update(next_at=0)
        crew.turn()
    crew.let_go()
    crew.close()
    member = member_called(f"p0@{domain}")
    assert tally.throttled == 4
    assert (member.provisioning, member.attempts, member.leased_by) == (Provisioning.DUE, 1, "")
    assert "TooManyRequests" in member.last_error


def test_one_who_cannot_be_written_down_is_set_aside_and_the_others_are_not_held_up(stage: Stage, domain: str) -> None:
    tenant_with_people("Odd one out", 3, domain=domain)
    claims = claim("worker", most=10)
    for claimed in claims:
        in_one_go(stage, claimed)
    odd = claims[1]
    assert odd.attempt.seen is not None
    odd.attempt.seen = replace(odd.attempt.seen, sub="no UUID at all")
    outcomes = finish_whatever_happens([Attempted(one) for one in claims])
    assert outcomes == [Outcome.SETTLED, Outcome.STUCK, Outcome.SETTLED]
    member = Member.objects.get(pk=odd.member.pk)
    assert (member.provisioning, member.leased_by) == (Provisioning.STUCK, "")
    assert "Its log says how" in member.last_error
    assert recorded(odd.member.person.email)[-1] == "member.stuck"
    try_now(member, by=SOMEBODY)
    stage.work()
    assert Member.objects.get(pk=odd.member.pk).provisioning == Provisioning.SETTLED


def test_stuck_members_are_done_after_try_now_in_the_operators_portal(
    stage: Stage, switches: Switches, domain: str
) -> None:
    tenant_with_people("Tried again", 2, domain=domain)
    fault = {"code": "UserLambdaValidationException", "message": "PreSignUp failed with error no.", "status": 400}
    switches.fail("CognitoIdentityProvider.AdminCreateUser", count=None, **fault)
    stage.work()
    switches.mend()
    stuck = Member.objects.filter(provisioning=Provisioning.STUCK).select_related("person", "tenant")
    assert len(stuck) == 2
    for member in stuck:
        assert TRY_NOW in possible_steps(MEMBER_STEPS, member, Role.OPERATOR)
        TRY_NOW.does(member, {}, SOMEBODY)
    assert stage.work().settled == 2
    settled = member_called(f"p1@{domain}")
    assert (settled.provisioning, settled.last_error, settled.attempts) == (Provisioning.SETTLED, "", 0)
    assert recorded(f"p1@{domain}") == ["member.added", "member.stuck", "member.retried", "member.provisioned"]
    assert TRY_NOW not in possible_steps(MEMBER_STEPS, settled, Role.OPERATOR)
