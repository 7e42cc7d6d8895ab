"""The sentences about what keeps a suspension from its next ring."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tenants.domain.errors import Misconfigured
from tenants.domain.tenant_state import TenantState
from tenants.health.blockers import blockers
from tenants.models import Member, Provisioning, Suspension, Worker
from tenants.provisioning.halt import clear_halt, halt, halt_invitations
from tests.world.use_cases import tenant_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def suspension() -> Suspension:
    return Suspension.objects.get(tenant=tenant_in(TenantState.SUSPENDED))


@pytest.fixture
def worker() -> Worker:
    return Worker.objects.create(name="one")


def test_with_a_running_worker_nothing_blocks(suspension: Suspension, worker: Worker) -> None:
    assert blockers(suspension) == ()


@pytest.mark.parametrize("ended", [{"beat_at": timezone.now() - timedelta(minutes=1)}, {"stopped_at": timezone.now()}])
def test_a_missing_worker_blocks(suspension: Suspension, worker: Worker, ended: dict[str, object]) -> None:
    Worker.objects.update(**ended)
    assert blockers(suspension) == ("No worker is running. Start one: manage.py provision --watch.",)


def test_a_policy_that_stays_unwritten_blocks(suspension: Suspension, worker: Worker) -> None:
    suspension.deny_since -= timedelta(minutes=1)
    (sentence,) = blockers(suspension)
    assert sentence == "The worker has not written the policy SuspendedTenants; its log says why."
    Worker.objects.update(unwritten="IAM answered LimitExceeded")
    assert blockers(suspension) == (
        "The worker has not written the policy SuspendedTenants: IAM answered LimitExceeded",
    )
    suspension.denied_at = timezone.now()
    assert blockers(suspension) == ()


def test_a_halt_blocks_and_its_reason_is_named(suspension: Suspension, worker: Worker) -> None:
    halt(Misconfigured("the user pool is gone"))
    assert blockers(suspension) == ("Cognito does not let the worker go on: the user pool is gone",)
    clear_halt()
    assert blockers(suspension) == ()


def test_halted_invitations_block_no_suspension(suspension: Suspension, worker: Worker) -> None:
    halt_invitations(holder="a worker")
    assert blockers(suspension) == ()


def test_stuck_members_block_and_the_command_to_see_why_is_named(suspension: Suspension, worker: Worker) -> None:
    Member.objects.update(provisioning=Provisioning.STUCK, last_error="no")
    (sentence,) = blockers(suspension)
    assert sentence.startswith("1 member is stuck: they cannot be disabled in Cognito")
    assert "member list --tenant initech --state stuck" in sentence


@pytest.mark.parametrize("over", ["lifted", "reached"])
def test_nothing_blocks_a_suspension_that_is_over(suspension: Suspension, over: str) -> None:
    now = timezone.now()
    if over == "lifted":
        suspension.lifted_at = now
    else:
        suspension.signed_out_at = suspension.denied_at = now
    assert blockers(suspension) == ()
