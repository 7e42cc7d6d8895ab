"""The worker that goes on until it is stopped: while provisioning is halted, and while the database is away."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from emulator.client import seeding
from portal.demo.cast import ACME
from tenants.aws.directory import Directory
from tenants.domain.errors import Misconfigured
from tenants.domain.roles import Role
from tenants.lifecycle.transitions import suspend
from tenants.members.roster import add_member
from tenants.models import AuditEvent, Member, Provisioning, Suspension, Tenant
from tenants.models import Worker as WorkerRow
from tenants.provisioning.halt import halt, is_halted
from tenants.provisioning.worker import Worker
from tests.world.cache_servers import NOBODY_LISTENS, caches_on
from tests.world.faults import Switches
from tests.world.stage import SOMEBODY, Stage, assert_all_agree, tenant_with_people


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TELL_SECONDS", "BEAT_SECONDS", "TICK_SECONDS", "WELL_AFTER_SECONDS"):
        monkeypatch.setattr(f"tenants.provisioning.worker.{name}", 0.05)


def watch(stage: Stage, at_each_moment: Callable[[Worker], bool]) -> Worker:
    """Runs a worker until `at_each_moment` returns True."""

    def tell(*_: int) -> None:
        if at_each_moment(worker):
            worker.stop.set()

    worker = Worker(stage.tools, threading.Event(), threads=2, tell=tell)
    guard = threading.Timer(120, worker.stop.set)
    guard.start()
    worker.work(forever=True)
    assert guard.is_alive(), "it did not get there"
    guard.cancel()
    return worker


def due() -> int:
    return Member.objects.filter(provisioning=Provisioning.DUE).count()


def end_leases() -> None:
    """Ends the leases of members that a worker has abandoned. With others in hand, it would have those twice."""
    Member.objects.exclude(leased_until=None).update(leased_until=timezone.now())


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("nobody_suspended_afterwards")
def test_a_halted_worker_beats_and_carries_out_suspensions(stage: Stage, switches: Switches, domain: str) -> None:
    tenant_with_people("Held up", 3, domain=domain)
    fault = {"code": "ResourceNotFoundException", "message": "User pool x does not exist.", "status": 400}
    switches.fail("CognitoIdentityProvider.*", count=None, **fault)
    acme, seen = Tenant.objects.get(slug=ACME.slug), {}

    def at_each_moment(worker: Worker) -> bool:
        if worker.tally.halted and "halted" not in seen:
            assert is_halted()
            seen["halted"] = timezone.now()
            suspend(acme, by=SOMEBODY, why="not paid")
        if "halted" in seen and "mended" not in seen and Suspension.objects.get(tenant=acme).denied_at:
            assert WorkerRow.objects.get(name=worker.name).beat_at > seen["halted"]
            assert worker.tally.halted.endswith("User pool x does not exist.")
            seen["mended"] = timezone.now()
            switches.mend()
        return due() == 0 and not worker.tally.halted

    worker = watch(stage, at_each_moment)
    assert worker.tally.settled == 6
    assert not is_halted()
    assert AuditEvent.objects.filter(action="provisioning.halted").count() == 1
    assert len(stage.users_of(domain)) == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("nobody_suspended_afterwards")
def test_the_workers_row_says_why_the_suspension_list_is_not_written(stage: Stage, switches: Switches) -> None:
    switches.fail("IAM.CreatePolicyVersion", count=None, code="LimitExceeded", message="Too large.", status=409)
    suspend(Tenant.objects.get(slug=ACME.slug), by=SOMEBODY, why="not paid")
    reasons: list[str] = []

    def at_each_moment(worker: Worker) -> bool:
        reasons.append(WorkerRow.objects.get(name=worker.name).unwritten)
        if reasons[-1]:
            switches.mend()
        return any(reasons) and not reasons[-1]

    watch(stage, at_each_moment)
    assert "The suspension policy (IAM): LimitExceeded" in reasons


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_gets_on_clears_another_processes_halt(stage: Stage, domain: str) -> None:
    tenant = tenant_with_people("Getting on", 1, domain=domain)
    halted: list[bool] = []

    def at_each_moment(worker: Worker) -> bool:
        # Before it is well, it clears the halt anyway.
        if not halted and due() == 0 and worker.is_well:
            halt(Misconfigured("another's keys are wrong"))
            add_member(tenant=tenant, email=f"p1@{domain}", name="", role=Role.VIEWER, by=SOMEBODY)
            halted.append(True)
        return bool(halted) and due() == 0 and not is_halted()

    watch(stage, at_each_moment)
    assert not is_halted()


def test_a_missing_pool_halts_and_its_return_lets_all_be_created(stage: Stage, domain: str) -> None:
    tenant_with_people("Gone", 2, domain=domain)
    before = list(Member.objects.order_by("pk").values())
    as_root = seeding.clients(stage.world.emulator.endpoint_url, stage.world.emulator.root)("cognito-idp")
    gone = replace(stage, tools=replace(stage.tools, directory=Directory(as_root, "eu-west-1_AAAAAAAAA")))
    assert gone.work().halted == (
        "The user pool (Cognito) answered ResourceNotFoundException: User pool eu-west-1_AAAAAAAAA does not exist."
    )
    assert list(Member.objects.order_by("pk").values()) == before
    assert AuditEvent.objects.filter(action="provisioning.halted").count() == 1
    assert stage.work().settled == 2


def take_the_database_away() -> None:
    """For two seconds another connection locks it, or the server ends this connection."""
    if connection.vendor == "sqlite":
        other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 50")
        threading.Timer(2, other.close).start()
        return
    with connection.cursor() as cursor, contextlib.suppress(OperationalError):
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_away_loses_nobody_and_makes_none_twice(
    stage: Stage, domain: str, caplog: pytest.LogCaptureFixture
) -> None:
    tenant_with_people("Interrupted", 12, domain=domain)
    slow, away = stage.at_this_pace(UserCreation=4.0), []

    def at_each_moment(worker: Worker) -> bool:
        if worker.tally.settled and not away:
            away.append(worker.tally.settled)
            take_the_database_away()
            return False
        if away and not worker.tally.in_hand:
            end_leases()
        return due() == 0

    watch(slow, at_each_moment)
    assert "the worker needs is away" in caplog.text
    assert 0 < away[0] < 12
    assert_all_agree(stage, domain, 12)


@pytest.mark.django_db(transaction=True)
def test_a_shared_cache_that_goes_away_holds_up_no_member(
    stage: Stage, domain: str, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    tenant_with_people("Forgetful", 8, domain=domain)
    slow, there, away = stage.at_this_pace(UserCreation=4.0), settings.CACHES, []

    def at_each_moment(worker: Worker) -> bool:
        if worker.tally.settled and not away:
            away.append(worker.tally.settled)
            settings.CACHES = caches_on(NOBODY_LISTENS)
        return due() == 0

    watch(slow, at_each_moment)
    settings.CACHES = there
    assert 0 < away[0] < 8
    assert "the shared cache failed" in caplog.text
    assert "the worker needs is away" not in caplog.text
    assert_all_agree(stage, domain, 8)
