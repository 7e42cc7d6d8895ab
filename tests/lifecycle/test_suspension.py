"""The three rings of a suspension, and the list of suspended organisations in the policy."""

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
from tenants.lifecycle.suspension_list import ThirdRing, orgs_to_list, write_list
from tenants.lifecycle.transitions import close, reactivate, suspend
from tenants.models import AuditEvent, Lease, Suspension, Tenant
from tests.world.faults import Switches
from tests.world.stage import SOMEBODY, Stage, recorded_actions
from tests.world.use_cases import acme, run_at_once, tenant_in

pytestmark = pytest.mark.usefixtures("nobody_suspended_afterwards")
ACME_ID, GLOBEX_ID = str(ACME.org_id), str(GLOBEX.org_id)


def suspended(tenant: Tenant) -> Suspension:
    suspend(tenant, by=SOMEBODY, why="not paid")
    return Suspension.objects.get(tenant=tenant, lifted_at=None)


def again(suspension: Suspension) -> Suspension:
    return Suspension.objects.get(pk=suspension.pk)


def many_suspended(count: int) -> None:
    """Before all others, as rows alone: the tenants have no members."""
    made = Tenant.objects.bulk_create(
        Tenant(org_id=uuid.uuid4(), name=f"Old {number}", slug=f"old-{number}") for number in range(count)
    )
    began = timezone.now() - timedelta(days=1)
    Suspension.objects.bulk_create(Suspension(tenant=tenant, began_at=began) for tenant in made)


def test_all_three_rings_are_reached_and_recorded(stage: Stage) -> None:
    suspension = suspended(acme())
    before = rings(suspension)
    assert (before.signed_out_at, before.denied_at, before.ended_at, before.members_left) == (None, None, None, 3)
    assert "3 members have not been" in before.sentences[1]
    stage.work()
    after = rings(again(suspension))
    assert after.denied_at
    assert after.signed_out_at
    assert after.ended_at == after.signed_out_at + OUTLIVES
    assert stage.tools.policy.listed() == {ACME_ID}
    assert {"tenant.suspended", "tenant.denied", "tenant.signed-out"} <= set(recorded_actions("Acme Ltd"))
    assert after.all_reached
    assert not before.all_reached
    assert all("since" in sentence for sentence in after.sentences[:3])
    assert "issued before expire by" in after.sentences[3]
    assert "within 75 minutes after all members are signed out" in before.sentences[3]


def test_two_suspensions_are_both_in_the_list(stage: Stage) -> None:
    suspended(acme())
    suspended(Tenant.objects.get(slug=GLOBEX.slug))
    assert write_list(stage.tools.policy, holder="one") == {ACME_ID, GLOBEX_ID}
    assert stage.tools.policy.listed() == {ACME_ID, GLOBEX_ID}


class WithSomebodySuspendedMeanwhile(SuspensionPolicy):
    """A policy for which Globex is suspended between reading the rows and writing it."""

    def write(self, orgs: Iterable[str]) -> None:
        globex = Tenant.objects.get(slug=GLOBEX.slug)
        if globex.state == TenantState.ACTIVE:
            suspend(globex, by=SOMEBODY, why="not paid either")
        super().write(orgs)


def test_a_tenant_suspended_during_the_write_is_in_the_list_after_it(stage: Stage) -> None:
    suspended(acme())
    slow = WithSomebodySuspendedMeanwhile(stage.tools.policy.client, stage.tools.policy.arn)
    assert write_list(slow, holder="one") == {ACME_ID, GLOBEX_ID}
    assert stage.tools.policy.listed() == {ACME_ID, GLOBEX_ID}
    assert not Suspension.objects.filter(denied_at=None).exists()


def test_listed_tenants_stay_and_one_that_begins_again_waits_for_room(stage: Stage) -> None:
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


def test_a_reactivated_tenant_leaves_the_list_at_once(stage: Stage) -> None:
    suspension = suspended(acme())
    stage.work()
    reactivate(acme(), by=SOMEBODY)
    stage.work()
    assert stage.tools.policy.listed() == frozenset()
    assert "Lifted" in rings(again(suspension)).sentences[3]


def test_a_tenant_leaves_the_list_once_its_credentials_have_expired(stage: Stage) -> None:
    suspension = suspended(acme())
    stage.work()
    Suspension.objects.filter(pk=suspension.pk).update(deny_until=timezone.now() - timedelta(seconds=1))
    stage.work()
    assert stage.tools.policy.listed() == frozenset()
    assert not to_deny().exists()
    assert again(suspension).lifted_at is None


def test_a_member_who_is_not_signed_out_keeps_the_tenant_listed(stage: Stage, switches: Switches) -> None:
    suspension = suspended(acme())
    switches.fail("CognitoIdentityProvider.AdminDisableUser", code="InvalidParameterException", status=400, count=1)
    stage.work()
    assert again(suspension).denied_at
    assert again(suspension).signed_out_at is None
    assert "1 member has not been" in rings(again(suspension)).sentences[1]
    assert note_signed_out() == 0


def test_an_overwritten_list_is_repaired_at_the_next_look(stage: Stage) -> None:
    suspended(acme())
    ring = ThirdRing(stage.tools.policy, "one")
    ring.tick()
    stage.tools.policy.write([GLOBEX_ID])
    ring.tick()
    assert stage.tools.policy.listed() == {GLOBEX_ID}, "it is compared once a minute"
    replace(ring, next_look_at=0.0).tick()
    assert stage.tools.policy.listed() == {ACME_ID}


def test_a_foreign_policy_text_is_replaced(stage: Stage) -> None:
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


class ReadsAreOld(SuspensionPolicy):
    """IAM is eventually consistent: what is read may be the list of an earlier suspension."""

    def listed(self) -> frozenset[str]:
        return frozenset({ACME_ID})


def test_an_old_list_that_was_read_counts_nobody_as_denied(stage: Stage) -> None:
    suspension = suspended(acme())
    assert stage.tools.policy.listed() == frozenset()
    write_list(ReadsAreOld(stage.tools.policy.client, stage.tools.policy.arn), holder="one")
    assert again(suspension).denied_at
    assert stage.tools.policy.listed() == {ACME_ID}


def test_a_full_list_keeps_the_oldest_and_the_others_wait_for_room(stage: Stage) -> None:
    many_suspended(ROOM)
    suspension = suspended(acme())
    assert ACME_ID not in orgs_to_list()
    assert len(write_list(stage.tools.policy, holder="one") or ()) == ROOM
    reached = rings(again(suspension))
    assert reached.waits_for_room
    assert reached.denied_at is None
    assert "full" in reached.sentences[2]
    Suspension.objects.filter(tenant__slug="old-0").update(lifted_at=timezone.now())
    assert ACME_ID in (write_list(stage.tools.policy, holder="one") or ())
    assert not rings(again(suspension)).waits_for_room


def test_a_refused_policy_write_is_repeated_and_stops_no_provisioning(stage: Stage, switches: Switches) -> None:
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
def test_nothing_counts_as_denied_until_a_failed_write_succeeds(
    stage: Stage, switches: Switches, operation: str, fault: dict[str, Any]
) -> None:
    suspension = suspended(acme())
    switches.fail(f"IAM.{operation}", count=None, **fault)
    ring = ThirdRing(stage.tools.policy, "one")
    ring.tick()
    assert ring.problem
    assert again(suspension).denied_at is None
    switches.mend()
    replace(ring, next_look_at=0.0).tick()
    assert again(suspension).denied_at
    assert stage.tools.policy.listed() == {ACME_ID}


def test_the_write_of_a_delayed_worker_is_corrected(stage: Stage) -> None:
    """It read the rows, slept for longer than its lease, and writes a list that is out of date."""
    first = ThirdRing(stage.tools.policy, "asleep")
    suspended(acme())
    second = ThirdRing(stage.tools.policy, "awake")
    second.tick()
    stage.tools.policy.write([])
    replace(second, next_look_at=0.0).tick()
    assert stage.tools.policy.listed() == {ACME_ID}
    first.tick()
    assert stage.tools.policy.listed() == {ACME_ID}


def test_credentials_that_expired_before_there_was_room_are_reported(stage: Stage) -> None:
    many_suspended(ROOM)
    suspension = suspended(acme())
    stage.work()
    reached = rings(again(suspension))
    assert (reached.waits_for_room, reached.all_reached) == (True, False)
    Suspension.objects.filter(pk=suspension.pk).update(deny_until=timezone.now())
    reached = rings(again(suspension))
    assert (reached.waits_for_room, reached.all_reached, reached.denied_at) == (False, True, None)
    assert "expired before AWS had room" in reached.sentences[2]
    assert "All credentials issued before had expired by" in reached.sentences[3]


@pytest.mark.django_db(transaction=True)
def test_many_suspensions_and_workers_at_once_end_in_one_list(stage: Stage) -> None:
    tenants = [tenant_in(TenantState.ACTIVE, name=f"T {number}", domain=f"t{number}.example") for number in range(8)]
    workers = [ThirdRing(stage.tools.policy, f"worker {number}") for number in range(3)]

    def keep_writing(ring: ThirdRing) -> None:
        until = time.monotonic() + 120
        while len(stage.tools.policy.listed()) < len(tenants) and time.monotonic() < until:
            replace(ring, next_look_at=0.0).tick()

    answers = run_at_once(
        *(lambda tenant=tenant: suspend(tenant, by=SOMEBODY, why="not paid") for tenant in tenants),
        *(lambda ring=ring: keep_writing(ring) for ring in workers),
    )
    assert answers == [None] * 11
    workers[0].tick()
    assert stage.tools.policy.listed() == {str(tenant.org_id) for tenant in tenants}
    assert Suspension.objects.filter(denied_at=None).count() == 0
    assert AuditEvent.objects.filter(action=Action.TENANT_DENIED).count() == len(tenants)
