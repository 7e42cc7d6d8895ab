"""The second and third ring around a suspended tenant, and how long credentials that are alive stay good."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from emulator.client import seeding
from portal.demo.cast import ACME, GLOBEX
from tenants.audit.actions import Action
from tenants.aws.suspension_policy import SuspensionPolicy
from tenants.domain.suspension_policy import ROOM
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.suspension import OUTLIVES, note_signed_out, rings, to_deny
from tenants.lifecycle.suspension_list import ThirdRing, listed_orgs, write_list
from tenants.lifecycle.transitions import close, reactivate, suspend
from tenants.models import AuditEvent, Lease, Suspension, Tenant
from tests.world.faults import Switches
from tests.world.stage import SOMEBODY, Stage, recorded_actions
from tests.world.use_cases import acme, at_once, tenant_in

pytestmark = pytest.mark.usefixtures("nobody_suspended_afterwards")
ACME_ID, GLOBEX_ID = str(ACME.org_id), str(GLOBEX.org_id)


def suspended(tenant: Tenant) -> Suspension:
    suspend(tenant, by=SOMEBODY, why="not paid")
    return Suspension.objects.get(tenant=tenant, lifted_at=None)


def again(suspension: Suspension) -> Suspension:
    return Suspension.objects.get(pk=suspension.pk)


def many_suspended(count: int) -> None:
    """Before all others. As rows alone: nobody is in them."""
    made = Tenant.objects.bulk_create(
        Tenant(org_id=uuid.uuid4(), name=f"Old {number}", slug=f"old-{number}") for number in range(count)
    )
    began = timezone.now() - timedelta(days=1)
    Suspension.objects.bulk_create(Suspension(tenant=tenant, began_at=began) for tenant in made)


def test_all_three_rings_are_reached_written_down_and_told(stage: Stage) -> None:
    suspension = suspended(acme())
    before = rings(suspension)
    assert (before.signed_out_at, before.denied_at, before.ended_at, before.members_left) == (None, None, None, 3)
    assert "3 members have not been" in before.in_words[1]
    stage.work()
    after = rings(again(suspension))
    assert after.denied_at
    assert after.signed_out_at
    assert after.ended_at == after.signed_out_at + OUTLIVES
    assert stage.tools.policy.listed() == {ACME_ID}
    assert {"tenant.suspended", "tenant.denied", "tenant.signed-out"} <= set(recorded_actions("Acme Ltd"))
    assert after.all_reached
    assert not before.all_reached
    assert all("since" in sentence for sentence in after.in_words[:3])
    assert "can be alive after" in after.in_words[3]
    assert "longer than 75 minutes after everybody is signed out" in before.in_words[3]


def test_suspensions_at_the_same_time_do_not_lose_each_other(stage: Stage) -> None:
    suspended(acme())
    suspended(Tenant.objects.get(slug=GLOBEX.slug))
    assert write_list(stage.tools.policy, holder="one") == {ACME_ID, GLOBEX_ID}
    assert stage.tools.policy.listed() == {ACME_ID, GLOBEX_ID}


class WithSomebodySuspendedMeanwhile(SuspensionPolicy):
    """Between reading the rows and writing the policy."""

    def write(self, orgs: Iterable[str]) -> None:
        globex = Tenant.objects.get(slug=GLOBEX.slug)
        if globex.state == TenantState.ACTIVE:
            suspend(globex, by=SOMEBODY, why="not paid either")
        super().write(orgs)


def test_who_is_suspended_while_the_list_is_written_is_in_it_before_the_writer_is_done(stage: Stage) -> None:
    suspended(acme())
    slow = WithSomebodySuspendedMeanwhile(stage.tools.policy.client, stage.tools.policy.arn)
    assert write_list(slow, holder="one") == {ACME_ID, GLOBEX_ID}
    assert stage.tools.policy.listed() == {ACME_ID, GLOBEX_ID}
    assert not Suspension.objects.filter(denied_at=None).exists()


def test_who_is_in_the_list_stays_in_it_and_who_begins_again_waits_for_room(stage: Stage) -> None:
    first = suspended(acme())
    Suspension.objects.filter(pk=first.pk).update(began_at=timezone.now() - timedelta(days=30))
    stage.work()
    Suspension.objects.filter(pk=first.pk).update(deny_until=timezone.now())
    many_suspended(ROOM - 1)
    last = suspended(Tenant.objects.get(slug=GLOBEX.slug))
    stage.work()
    assert GLOBEX_ID in stage.tools.policy.listed()
    close(acme(), by=SOMEBODY, why="gone")
    stage.work()
    assert GLOBEX_ID in stage.tools.policy.listed()
    assert again(last).denied_at is not None
    assert ACME_ID not in stage.tools.policy.listed()
    assert again(first).denied_at is None
    assert rings(again(first)).waits_for_room


def test_only_one_worker_writes_at_a_time(stage: Stage) -> None:
    assert Lease.objects.take("suspension-list", holder="another", seconds=60)
    suspended(acme())
    assert write_list(stage.tools.policy, holder="one") is None
    Lease.objects.give_back("suspension-list", holder="another")
    assert write_list(stage.tools.policy, holder="one") == {ACME_ID}


def test_who_is_let_work_again_leaves_the_list_at_once(stage: Stage) -> None:
    suspension = suspended(acme())
    stage.work()
    reactivate(acme(), by=SOMEBODY)
    stage.work()
    assert stage.tools.policy.listed() == frozenset()
    assert "Lifted" in rings(again(suspension)).in_words[3]


def test_who_has_nothing_alive_any_more_leaves_the_list_and_stays_suspended(stage: Stage) -> None:
    suspension = suspended(acme())
    stage.work()
    Suspension.objects.filter(pk=suspension.pk).update(deny_until=timezone.now() - timedelta(seconds=1))
    stage.work()
    assert stage.tools.policy.listed() == frozenset()
    assert not to_deny().exists()
    assert again(suspension).lifted_at is None


def test_somebody_whom_cognito_could_not_sign_out_keeps_the_tenant_in_the_list(
    stage: Stage, switches: Switches
) -> None:
    suspension = suspended(acme())
    switches.fail("CognitoIdentityProvider.AdminDisableUser", code="InvalidParameterException", status=400, count=1)
    stage.work()
    assert again(suspension).denied_at
    assert again(suspension).signed_out_at is None
    assert "1 member has not been" in rings(again(suspension)).in_words[1]
    assert note_signed_out() == 0


def test_a_list_that_somebody_overwrote_heals_when_it_is_looked_at(stage: Stage) -> None:
    suspended(acme())
    ring = ThirdRing(stage.tools.policy, "one")
    ring.tick()
    stage.tools.policy.write([GLOBEX_ID])
    ring.tick()
    assert stage.tools.policy.listed() == {GLOBEX_ID}, "looked at every minute only"
    replace(ring, _look_at=0.0).tick()
    assert stage.tools.policy.listed() == {ACME_ID}


def test_a_policy_that_somebody_rewrote_altogether_heals_too(stage: Stage) -> None:
    suspended(acme())
    policies = seeding.clients(stage.world.emulator.endpoint_url, stage.world.emulator.root)("iam")
    allow = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
    for version in policies.list_policy_versions(PolicyArn=stage.tools.policy.arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            policies.delete_policy_version(PolicyArn=stage.tools.policy.arn, VersionId=version["VersionId"])
    made = policies.create_policy_version(PolicyArn=stage.tools.policy.arn, PolicyDocument=allow, SetAsDefault=True)
    assert made["PolicyVersion"]["IsDefaultVersion"]
    stage.work()
    assert stage.tools.policy.listed() == {ACME_ID}


def test_where_there_is_no_room_the_oldest_stay_and_who_waits_is_told(stage: Stage) -> None:
    many_suspended(ROOM)
    suspension = suspended(acme())
    assert ACME_ID not in listed_orgs()
    assert len(write_list(stage.tools.policy, holder="one") or ()) == ROOM
    told = rings(again(suspension))
    assert told.waits_for_room
    assert told.denied_at is None
    assert "full" in told.in_words[2]
    Suspension.objects.filter(tenant__slug="old-0").update(lifted_at=timezone.now())
    assert ACME_ID in (write_list(stage.tools.policy, holder="one") or ())
    assert not rings(again(suspension)).waits_for_room


def test_a_policy_that_cannot_be_written_is_tried_again_and_stops_nobody_from_being_provisioned(
    stage: Stage, switches: Switches
) -> None:
    suspension = suspended(acme())
    switches.fail("IAM.CreatePolicyVersion", code="AccessDenied", status=403, count=None)
    tally = stage.work()
    assert "AccessDenied" in tally.halted
    assert tally.settled == 3
    assert again(suspension).denied_at is None
    switches.mend()
    stage.work()
    assert again(suspension).denied_at


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("CreatePolicyVersion", {"code": "ConcurrentModification", "status": 409}),
        ("CreatePolicyVersion", {"code": "LimitExceeded", "status": 409}),
        ("CreatePolicyVersion", {"drop": True}),
        ("CreatePolicyVersion", {"code": "NoSuchEntity", "status": 404}),
        ("ListPolicyVersions", {"code": "InvalidInput"}),
    ],
    ids=lambda value: str(value),
)
def test_a_write_that_fails_is_made_again_and_nobody_is_said_to_be_denied_before(
    stage: Stage, switches: Switches, operation: str, fault: dict[str, Any]
) -> None:
    suspension = suspended(acme())
    switches.fail(f"IAM.{operation}", count=None, **fault)
    ring = ThirdRing(stage.tools.policy, "one")
    ring.tick()
    assert ring.problem
    assert again(suspension).denied_at is None
    switches.mend()
    replace(ring, _look_at=0.0).tick()
    assert again(suspension).denied_at
    assert stage.tools.policy.listed() == {ACME_ID}


def test_a_write_of_a_worker_that_was_held_up_for_long_does_not_stay(stage: Stage) -> None:
    """It read who is suspended, was asleep for longer than its lease, and writes what was true before."""
    first = ThirdRing(stage.tools.policy, "asleep")
    suspended(acme())
    second = ThirdRing(stage.tools.policy, "awake")
    second.tick()
    stage.tools.policy.write([])
    replace(second, _look_at=0.0).tick()
    assert stage.tools.policy.listed() == {ACME_ID}
    first.tick()
    assert stage.tools.policy.listed() == {ACME_ID}


def test_who_waited_for_room_until_everything_had_run_out_is_told_so(stage: Stage) -> None:
    many_suspended(ROOM)
    suspension = suspended(acme())
    stage.work()
    told = rings(again(suspension))
    assert (told.waits_for_room, told.all_reached) == (True, False)
    Suspension.objects.filter(pk=suspension.pk).update(deny_until=timezone.now())
    told = rings(again(suspension))
    assert (told.waits_for_room, told.all_reached, told.denied_at) == (False, True, None)
    assert "ran out before AWS had room" in told.in_words[2]
    assert "Nothing issued before has been alive since" in told.in_words[3]


@pytest.mark.django_db(transaction=True)
def test_many_suspensions_and_several_workers_at_once_end_in_one_list(stage: Stage) -> None:
    tenants = [tenant_in(TenantState.ACTIVE, name=f"T {number}", domain=f"t{number}.example") for number in range(8)]
    workers = [ThirdRing(stage.tools.policy, f"worker {number}") for number in range(3)]

    def go_on(ring: ThirdRing) -> None:
        until = time.monotonic() + 20
        while len(stage.tools.policy.listed()) < len(tenants) and time.monotonic() < until:
            replace(ring, _look_at=0.0).tick()

    answers = at_once(
        *(lambda tenant=tenant: suspend(tenant, by=SOMEBODY, why="not paid") for tenant in tenants),
        *(lambda ring=ring: go_on(ring) for ring in workers),
    )
    assert answers == [None] * 11
    workers[0].tick()
    assert stage.tools.policy.listed() == {str(tenant.org_id) for tenant in tenants}
    assert Suspension.objects.filter(denied_at=None).count() == 0
    assert AuditEvent.objects.filter(action=Action.TENANT_DENIED).count() == len(tenants)
