"""The comparison that a worker makes by itself: when, by whom, how fast, and what tells of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from portal.environment import BASE
from tenants.drift import schedule
from tenants.drift.run_lock import GIVES_WAY, LEASE, RunLock
from tenants.health.overview import overview
from tenants.management.periodic import comparison
from tenants.models import AuditEvent, Drift, Lease, Reconciliation
from tests.world.faults import Switches
from tests.world.fixtures import Browser
from tests.world.pages import text_of
from tests.world.pool import compare_pool, set_by_hand, settled_tenant
from tests.world.stage import Stage, environment_of

pytestmark = pytest.mark.usefixtures("only_the_cast_in_the_pool")
HOURLY = timedelta(hours=1)


def compare(stage: Stage, *, stop: threading.Event | None = None, every: timedelta = HOURLY) -> int:
    stop = stop or threading.Event()
    return schedule.compare_when_due(stage.tools, stop, every=every, hosted_sign_ups=False)


def next_turn() -> None:
    """As if the newest comparison and the last try were long ago."""
    Lease.objects.filter(name="scheduled-reconciliation").delete()
    Reconciliation.objects.update(started_at=F("started_at") - 2 * HOURLY)


def finished() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action="reconciliation.finished"))


def test_a_comparison_is_made_when_it_is_due_and_by_one_worker(stage: Stage) -> None:
    assert compare(stage) == 1
    assert compare(stage) == 0, "another worker, or the same one a moment later"
    next_turn()
    assert compare(stage) == 1
    assert [run.repairing for run in Reconciliation.objects.all()] == [False, False]


def test_a_comparison_by_hand_counts_as_well(stage: Stage) -> None:
    compare_pool(stage)
    assert compare(stage) == 0


def test_it_repairs_nothing(stage: Stage, domain: str, switches: Switches) -> None:
    settled_tenant(stage, "Left alone", 2, domain=domain)
    set_by_hand(stage, f"p1@{domain}", role="owner")
    switches.forget()
    assert compare(stage) == 1
    assert {name.partition(".")[2] for name in switches.calls()} <= {"ListUsers", "AdminGetUser"}
    assert Drift.objects.get().kind == "role"
    assert stage.attributes_of(f"p1@{domain}")["custom:role"] == "owner"


def test_the_trail_hears_of_news_only(stage: Stage, domain: str) -> None:
    compare(stage)
    assert len(finished()) == 1
    next_turn()
    compare(stage)
    assert len(finished()) == 1, "nothing is new"
    stage.make_by_hand(f"new@{domain}", role="operator")
    next_turn()
    compare(stage)
    assert len(finished()) == 2
    told = AuditEvent.objects.get(action="user.unknown")
    assert (told.target, told.actor, told.after["role"]) == (f"new@{domain}", "worker", "operator")
    next_turn()
    compare(stage)
    assert AuditEvent.objects.filter(action="user.unknown").count() == 1


def test_somebody_at_a_terminal_does_not_wait_for_it(stage: Stage) -> None:
    own, scheduled = RunLock("console", threading.Event()), RunLock(f"{GIVES_WAY}x", threading.Event())
    scheduled.take()
    own.take()
    assert Lease.objects.get(name=LEASE).holder == "console"
    with pytest.raises(Exception, match="has taken over"):
        scheduled.keep()
    with pytest.raises(Exception, match="Another reconciliation is running"):
        scheduled.take()
    with pytest.raises(Exception, match="Another reconciliation is running"):
        RunLock("another console", threading.Event()).take()


def test_it_takes_a_quarter_of_each_quota(stage: Stage, domain: str, switches: Switches) -> None:
    paced = stage.at_this_pace(UserList=20.0)
    for number in range(150):
        stage.make_by_hand(f"u{number}@{domain}")
    switches.forget()
    began = time.monotonic()
    assert compare(paced) == 1
    pages = switches.calls()["CognitoIdentityProvider.ListUsers"]
    assert pages >= 3
    assert time.monotonic() - began > (pages - 1) * 4 / 20


def test_cognito_away_is_tried_again_later_and_tells_the_log_alone(
    stage: Stage, switches: Switches, caplog: pytest.LogCaptureFixture
) -> None:
    switches.fail("CognitoIdentityProvider.ListUsers", code="NotAuthorizedException", status=400)
    assert compare(stage) == 0
    assert "the scheduled comparison could not go on" in caplog.text
    assert compare(stage) == 0
    assert not AuditEvent.objects.filter(action__startswith="reconciliation").exists()
    assert Reconciliation.objects.get().last_error
    switches.mend()
    Lease.objects.filter(name="scheduled-reconciliation").delete()
    assert compare(stage) == 1
    assert Reconciliation.objects.get().finished_at is not None, "it went on with the same"


def test_a_worker_that_stops_leaves_it_to_the_next_at_once(stage: Stage) -> None:
    stop = threading.Event()
    stop.set()
    assert compare(stage, stop=stop) == 0
    assert Reconciliation.objects.get().finished_at is None
    assert compare(stage) == 1
    assert Reconciliation.objects.count() == 1


def test_the_setting_turns_it_off(stage: Stage, settings: Any) -> None:
    settings.RECONCILE_EVERY = None
    assert comparison(stage.tools, threading.Event()) == ()
    settings.RECONCILE_EVERY = timedelta(seconds=2)
    (job,) = comparison(stage.tools, threading.Event())
    assert job.every == 2


def test_the_overview_counts_users_that_the_portal_did_not_make(
    stage: Stage, operator: Browser, domain: str, settings: Any
) -> None:
    settings.RECONCILE_EVERY = HOURLY
    for name in ("a", "b"):
        stage.make_by_hand(f"{name}@{domain}", role="operator")
    stage.by_hand.admin_disable_user(UserPoolId=stage.tools.directory.pool_id, Username=f"b@{domain}")
    compare(stage)
    assert (overview().strangers.enabled.value, overview().strangers.disabled.value) == (1, 1)
    page = text_of(operator.get("/operators/"))
    assert "Cognito has 1 user that the portal did not make." in page
    assert "/operators/drift/?kind=unknown-user" in page
    # A comparison that has just begun knows nothing yet.
    Reconciliation.objects.create()
    assert overview().strangers.enabled.value == 1
    assert "was last compared" not in page
    Reconciliation.objects.filter(finished_at__isnull=False).update(finished_at=timezone.now() - 4 * HOURLY)
    assert "The user pool was last compared 4 hours ago." in text_of(operator.get("/operators/"))


def wait_until(true: Callable[[], bool], *, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


@pytest.mark.django_db(transaction=True)
def test_a_running_worker_finds_a_stranger_by_itself(stage: Stage, domain: str) -> None:
    stage.make_by_hand(f"stranger@{domain}", role="operator")
    command = [sys.executable, str(BASE / "manage.py"), "provision", "--watch"]
    environment = environment_of(stage, RECONCILE_EVERY="1")
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as worker:
        try:
            wait_until(lambda: AuditEvent.objects.filter(action="user.unknown").exists())
        finally:
            os.kill(worker.pid, signal.SIGTERM)
            output, _ = worker.communicate(timeout=60)
            assert worker.returncode == 0, output
