"""Workers that are killed, stopped or slow while they write the suspension list, and others that go on meanwhile.

Nobody touches a row: what is measured is what members of a suspended tenant can still do.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections

from emulator.client import seeding
from portal.demo.cast import ACME, ACME_OWNER, GLOBEX, GLOBEX_OWNER
from portal.environment import BASE
from tenants.aws.suspension_policy import MOST_VERSIONS
from tenants.domain.suspension_policy import document
from tenants.lifecycle.suspension_list import LEASE_SECONDS, ThirdRing
from tenants.lifecycle.transitions import reactivate, suspend
from tenants.models import Lease, Suspension, Tenant
from tenants.provisioning.worker import Worker
from tests.lifecycle.test_three_rings import reader
from tests.world.faults import Switches
from tests.world.stage import SOMEBODY, Stage, environment_of
from tests.world.use_cases import acme

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nobody_suspended_afterwards")]
ACME_ID, GLOBEX_ID = str(ACME.org_id), str(GLOBEX.org_id)
DENIED = "AccessDeniedException"
WHOLE_WORKER, LIST_WRITER = ("manage.py", "provision", "--watch"), ("-m", "tests.world.list_writer")
# Longer than the lease and the time in which another worker writes, also on a busy machine.
HANGS_SECONDS = 15.0
# For a tenant that is new in the list, the policy is not read.
CALLS = ["CreatePolicyVersion", "DeletePolicyVersion", "ListPolicyVersions"]


@pytest.fixture(autouse=True)
def policy_is_full(stage: Stage, switches: Switches) -> None:
    stage.tools.policy.write([])
    switches.forget()


def globex() -> Tenant:
    return Tenant.objects.get(slug=GLOBEX.slug)


@contextmanager
def worker_process(stage: Stage, *program: str) -> Iterator[subprocess.Popen[bytes]]:
    command, quiet = [sys.executable, *program], subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment_of(stage), cwd=BASE, stdout=quiet, stderr=quiet)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def another_worker(stage: Stage) -> Iterator[None]:
    worker = Worker(stage.tools, threading.Event(), threads=2)

    def work() -> None:
        worker.work(forever=True)
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        worker.stop.set()
        thread.join()


def wait_for(happens: Callable[[], object], *, most: float = 120.0) -> None:
    until = time.monotonic() + most
    while not happens():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def calls(switches: Switches, operation: str) -> int:
    return switches.calls().get(f"IAM.{operation}", 0)


@pytest.mark.parametrize("operation", CALLS)
def test_a_worker_killed_in_a_call_delays_the_denial_by_seconds(
    stage: Stage, switches: Switches, operation: str
) -> None:
    read = reader(stage.world, stage.world.credentials_of(ACME_OWNER), ACME)
    suspend(acme(), by=SOMEBODY, why="not paid")
    switches.fail(f"IAM.{operation}", delay_seconds=HANGS_SECONDS, count=1)
    with worker_process(stage, *WHOLE_WORKER) as process:
        # The other one starts after that, or it might be the one that hangs.
        wait_for(lambda: calls(switches, operation))
        began = time.monotonic()
        process.kill()
        assert read() == ""
        with another_worker(stage):
            wait_for(lambda: read() == DENIED, most=HANGS_SECONDS - 1)
    # The call that hung is carried out in the end, too late.
    time.sleep(began + HANGS_SECONDS + 1 - time.monotonic())
    assert (read(), stage.tools.policy.listed()) == (DENIED, {ACME_ID})


@pytest.mark.parametrize("operation", CALLS)
def test_a_worker_that_was_stopped_and_goes_on_writes_no_old_list(
    stage: Stage, switches: Switches, operation: str
) -> None:
    own = reader(stage.world, stage.world.credentials_of(ACME_OWNER), ACME)
    others = reader(stage.world, stage.world.credentials_of(GLOBEX_OWNER), GLOBEX)
    suspend(acme(), by=SOMEBODY, why="not paid")
    switches.fail(f"IAM.{operation}", delay_seconds=2.0, count=1)
    with worker_process(stage, *LIST_WRITER) as process:
        wait_for(lambda: calls(switches, operation))
        process.send_signal(signal.SIGSTOP)
        suspend(globex(), by=SOMEBODY, why="not paid either")
        with another_worker(stage):
            wait_for(lambda: (own(), others()) == (DENIED, DENIED))
            process.send_signal(signal.SIGCONT)
            until = time.monotonic() + 4
            while time.monotonic() < until:
                assert others() == DENIED, "the list from before was written"
        assert process.poll() is None
    assert stage.tools.policy.listed() == {ACME_ID, GLOBEX_ID}


def test_taking_over_takes_the_former_writers_place_also_without_a_change(stage: Stage, switches: Switches) -> None:
    """What it wants to write may be wanted no more, and the list be right as it is."""
    read = reader(stage.world, stage.world.credentials_of(ACME_OWNER), ACME)
    suspend(acme(), by=SOMEBODY, why="not paid")
    switches.fail("IAM.ListPolicyVersions", delay_seconds=2.0, count=1)
    with worker_process(stage, *LIST_WRITER) as process:
        wait_for(lambda: calls(switches, "ListPolicyVersions"))
        process.send_signal(signal.SIGSTOP)
        reactivate(acme(), by=SOMEBODY)
        switches.forget()
        with another_worker(stage):
            wait_for(lambda: calls(switches, "CreatePolicyVersion"))
            wait_for(lambda: not Lease.objects.exists())
            process.send_signal(signal.SIGCONT)
            until = time.monotonic() + 3
            while time.monotonic() < until:
                assert read() == ""


def test_while_nobody_writes_no_other_version_can_be_added(stage: Stage) -> None:
    root = seeding.clients(stage.world.emulator.endpoint_url, stage.world.emulator.root)("iam")
    arn = stage.tools.policy.arn
    for version in root.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            root.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    ThirdRing(stage.tools.policy, "one").tick()
    assert len(root.list_policy_versions(PolicyArn=arn)["Versions"]) == MOST_VERSIONS
    with pytest.raises(root.exceptions.LimitExceededException):
        root.create_policy_version(PolicyArn=arn, PolicyDocument=document([ACME_ID]), SetAsDefault=True)


def test_a_living_worker_that_was_slow_reads_the_rows_again(stage: Stage, switches: Switches) -> None:
    """Its lease ran out and another worker wrote: its own call finds no room, and it asks for the lease again."""
    suspend(acme(), by=SOMEBODY, why="not paid")
    switches.fail("IAM.CreatePolicyVersion", delay_seconds=2.5, count=1)
    slow, answers = ThirdRing(stage.tools.policy, "slow"), []
    thread = threading.Thread(target=lambda: (slow.tick(), answers.append(slow.problem), connections.close_all()))
    thread.start()
    wait_for(lambda: calls(switches, "CreatePolicyVersion"))
    # Another machine's clock may be far ahead; the database's decides.
    Lease.objects.update(holder="another")
    suspend(globex(), by=SOMEBODY, why="not paid either")
    stage.tools.policy.write([ACME_ID, GLOBEX_ID])
    thread.join()
    assert answers == [None], "that is no failure"
    assert stage.tools.policy.listed() == {ACME_ID, GLOBEX_ID}
    assert not Suspension.objects.exclude(denied_at=None).exists(), "the holder of the lease notes it"


def test_the_log_says_whom_the_living_worker_waits_for(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    assert Lease.objects.take("suspension-list", holder="dead", seconds=LEASE_SECONDS)
    suspend(acme(), by=SOMEBODY, why="not paid")
    ring = ThirdRing(stage.tools.policy, "alive")
    with caplog.at_level("INFO"):
        ring.tick()
    (waits,) = [vars(record) for record in caplog.records if "waiting for another worker" in record.getMessage()]
    assert (waits["holder"], waits["until"]) == ("dead", Lease.objects.get().until.isoformat())


@pytest.mark.parametrize("fault", [{"fault": "throttling"}, {"code": "AccessDenied", "status": 403}])
def test_after_failed_writes_the_next_one_is_a_few_seconds_away(
    stage: Stage, switches: Switches, fault: dict[str, Any]
) -> None:
    suspend(acme(), by=SOMEBODY, why="not paid")
    switches.fail("IAM.CreatePolicyVersion", count=None, **fault)
    ring = ThirdRing(stage.tools.policy, "one")
    for _ in range(10):
        ring.next_look_at = 0.0
        ring.tick()
    assert ring.problem is not None
    assert ring.next_look_at - time.monotonic() <= 4
    switches.mend()


def test_a_lease_runs_out_by_the_databases_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Lease.objects.take("x", holder="one", seconds=0.3)
    monkeypatch.setattr("django.utils.timezone.now", lambda: pytest.fail("this machine's clock was asked"))
    assert not Lease.objects.take("x", holder="two", seconds=60)
    time.sleep(0.35)
    assert Lease.objects.take("x", holder="two", seconds=60)
    assert not Lease.objects.renew("x", holder="one", seconds=60)
