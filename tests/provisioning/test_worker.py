"""The worker as a process: killed at random, asked to stop, halted; the output and exit codes of its command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command
from django.utils import timezone

from portal.environment import BASE
from tenants.domain.errors import Unreachable
from tenants.domain.roles import Role
from tenants.health.worker_metrics import serve_metrics
from tenants.management.commands.provision import Command as ProvisionCommand
from tenants.management.commands.provision import work_once
from tenants.management.periodic import Job
from tenants.members.invitation_state import Invited, invitation_state
from tenants.members.roster import add_member, disable, mark_due, remove, set_role
from tenants.models import Lease, Member, Provisioning, ProvisioningHour
from tenants.models import Worker as WorkerRow
from tenants.provisioning.dispatcher import Tally
from tenants.provisioning.worker import Worker
from tests.world.faults import Switches
from tests.world.stage import (
    SOMEBODY,
    Stage,
    assert_all_agree,
    environment_of,
    member_called,
    recorded_actions,
    tenant_with_people,
)

MANAGE = [sys.executable, str(BASE / "manage.py")]


def provision(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    """The exit code and what was printed."""
    code = 0
    try:
        call_command("provision", *options)
    except SystemExit as ended:
        code = int(str(ended.code))
    return code, capsys.readouterr().out


@pytest.fixture(autouse=True)
def signals_stay_as_they_are() -> Any:
    before = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    yield
    for number, handler in before:
        signal.signal(number, handler)


def kill_workers(stage: Stage, *options: str) -> int:
    """How many workers were killed while they held members. Afterwards no member is due."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.world.kill_workers", *options],
        cwd=BASE,
        env=environment_of(stage, COGNITO_CALLS_PER_SECOND="UserCreation=80,UserUpdate=80,UserRead=80,UserList=80"),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout)


def prepare_members(stage: Stage, domain: str, count: int) -> None:
    """`count` are to be created, and as many exist already, of whom some are to be changed, locked out and deleted."""
    tenant_with_people("Survivors", count, domain=domain)
    stage.work()
    tenant_with_people("More survivors", count, domain=f"more.{domain}")
    for number in range(1, count, 3):
        set_role(member_called(f"p{number}@{domain}"), Role.EDITOR, by=SOMEBODY)
    disable(member_called(f"p2@{domain}"), by=SOMEBODY)
    remove(member_called(f"p3@{domain}"), by=SOMEBODY)


def assert_nothing_is_due(stage: Stage, domain: str, count: int) -> None:
    assert_all_agree(stage, domain, count - 1)
    assert_all_agree(stage, f"more.{domain}", count)
    before = recorded_actions()
    assert stage.work().applied == 0
    assert recorded_actions() == before


@pytest.mark.django_db(transaction=True)
def test_workers_killed_at_random_lose_nothing_and_make_none_twice(stage: Stage, domain: str) -> None:
    prepare_members(stage, domain, 60)
    assert kill_workers(stage, "--kills", "12") > 0, "no worker was killed with a member in hand"
    assert_nothing_is_due(stage, domain, 60)


@pytest.mark.django_db(transaction=True)
def test_workers_killed_line_by_line_lose_nothing_and_make_none_twice(stage: Stage, domain: str) -> None:
    prepare_members(stage, domain, 8)
    assert kill_workers(stage, "--every", "41", "--workers", "1") > 8
    assert_nothing_is_due(stage, domain, 8)


def prepare_invitations(stage: Stage, domain: str) -> list[str]:
    """Half are to be created and mailed, half were mailed a week ago and are to be mailed again. Their addresses."""
    tenant = tenant_with_people("Invited", 1, domain=domain)
    emails = [f"{name}{number}@{domain}" for name in ("new", "again") for number in range(3)]
    add = partial(add_member, tenant=tenant, name="", role=Role.VIEWER, by=SOMEBODY)
    for email in emails[3:]:
        add(email=email)
    stage.work()
    again = Member.objects.filter(person__email__in=emails[3:])
    again.update(mailed_at=timezone.now() - timedelta(days=8))
    mark_due(again, resend=True)
    for email in emails[:3]:
        add(email=email)
    return emails


@pytest.mark.django_db(transaction=True)
def test_workers_killed_line_by_line_mail_everybody_at_least_once(stage: Stage, domain: str) -> None:
    emails = prepare_invitations(stage, domain)
    assert kill_workers(stage, "--every", "67", "--workers", "1") > 8
    assert_all_agree(stage, domain, len(emails) + 1)
    least = {"new": 1, "again": 2}
    assert all(stage.mails_to(email) >= least[email.partition("@")[0][:-1]] for email in emails)
    assert {invitation_state(member_called(email)).name for email in emails} == {Invited.INVITED}
    assert not Member.objects.filter(resend=True).exists()
    assert stage.work().applied == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", ["undelivered-mail", "daily-mail-limit"])
def test_workers_killed_while_mails_fail_make_nobody_twice(
    stage: Stage, switches: Switches, domain: str, fault: str
) -> None:
    emails = prepare_invitations(stage, domain)
    switches.fail("Mail.Send", fault=fault, count=None)
    kill_workers(stage, "--every", "67", "--workers", "1")
    users = [user.email for user in stage.users_of(domain)]
    assert len(users) == len(set(users))
    switches.mend()
    Lease.objects.update(until=timezone.now())
    stage.work()
    assert_all_agree(stage, domain, len(emails) + 1)
    mark_due(Member.objects.filter(person__email__in=emails), resend=True)
    stage.work()
    assert all(stage.mails_to(email) >= 1 for email in emails)
    assert {invitation_state(member_called(email)).name for email in emails} == {Invited.INVITED}


@pytest.mark.django_db(transaction=True)
def test_a_stopping_worker_finishes_its_calls_and_gives_the_rest_back(stage: Stage, domain: str) -> None:
    tenant_with_people("Stopped", 60, domain=domain)
    # So slow that a busy machine has time to stop it.
    pace = "UserCreation=2,UserUpdate=2,UserRead=2,UserList=2"
    worker = subprocess.Popen(
        [*MANAGE, "provision", "--watch", "--json", "--metrics-port", "0"],
        cwd=BASE,
        env=environment_of(stage, COGNITO_CALLS_PER_SECOND=pace),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not Member.objects.exclude(seen_at=None).filter(
        person__email__endswith=domain
    ):
        time.sleep(0.1)
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=60)
    summary = json.loads(out)
    assert 0 < summary["settled"] < 60, err
    assert worker.returncode == 3
    assert len(stage.users_of(domain)) == summary["settled"]
    assert not Member.objects.exclude(leased_by="").exists()
    row = WorkerRow.objects.get()
    assert row.stopped_at
    assert row.applied == summary["changes"]
    assert ProvisioningHour.objects.get().applied == summary["changes"]


def test_the_command_provisions_what_is_due_and_says_so(
    stage: Stage, domain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant_with_people("Commanded", 3, domain=domain)
    code, out = provision(capsys, "--json")
    assert code == 0
    assert json.loads(out) == {
        "settled": 3,
        "changes": 3,
        "throttled": 0,
        "left": {},
        "halted": "",
        "invitations_halted": "",
    }
    code, out = provision(capsys)
    assert (code, out) == (0, "0 members settled with 0 changes in Cognito.\n")


def test_what_another_job_makes_due_is_provisioned_in_the_same_run(stage: Stage, domain: str) -> None:
    tenant = tenant_with_people("Fed by a job", 1, domain=domain)
    to_invite = [f"late{number}@{domain}" for number in range(2)]

    def take_in() -> int:
        if not to_invite:
            return 0
        add_member(tenant=tenant, email=to_invite.pop(), name="", role=Role.VIEWER, by=SOMEBODY)
        return 1

    worker = Worker(stage.tools, threading.Event(), threads=2)
    assert work_once(worker, [Job("invitations", take_in)], threading.Event()) == {}
    assert worker.tally.settled == 3
    assert len(stage.users_of(domain)) == 3


def test_a_job_that_fails_is_named_and_members_are_provisioned(stage: Stage, domain: str) -> None:
    tenant_with_people("Fed by nobody", 1, domain=domain)

    def fails() -> int:
        raise Unreachable("The mail server", "connection refused")

    worker = Worker(stage.tools, threading.Event(), threads=2)
    failed = work_once(worker, [Job("mails", fails)], threading.Event())
    assert worker.tally.settled == 1
    with pytest.raises(CommandError, match=r"job mails failed.*The mail server: connection refused"):
        ProvisionCommand().sum_up(worker.tally, failed, as_json=True)


def test_a_dry_run_says_where_nothing_is_to_do_and_a_mail_did_not_help(
    stage: Stage, domain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant_with_people("Forgetful", 2, domain=domain)
    stage.work()
    members = Member.objects.filter(person__email__endswith=f"@{domain}")
    members.filter(person__email__startswith="p1").update(mailed_at=timezone.now() - timedelta(days=9))
    mark_due(members)
    _, out = provision(capsys, "--dry-run")
    assert f"p0@{domain}: nothing to do\n" in out
    assert f"p1@{domain}: nothing to do, but lapsed on " in out
    assert "`member resend` mails it again" in out


def test_a_run_says_that_invitations_are_halted(
    stage: Stage, switches: Switches, domain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = tenant_with_people("Unmailed", 1, domain=domain)
    add_member(tenant=tenant, email=f"nina@{domain}", name="", role=Role.VIEWER, by=SOMEBODY)
    switches.fail("Mail.Send", fault="daily-mail-limit", count=None)
    code, out = provision(capsys)
    assert code == 3
    assert "1 left: due.\nInvitations are halted. Cognito sends no more mails today" in out


def test_a_dry_run_prints_what_a_run_then_does_and_changes_nothing(
    stage: Stage, switches: Switches, domain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant_with_people("Dry", 2, domain=domain)
    stage.work()
    disable(member_called(f"p1@{domain}"), by=SOMEBODY)
    before = list(Member.objects.order_by("pk").values())
    switches.forget()
    code, out = provision(capsys, "--dry-run", "--json")
    assert code == 0
    (line,) = out.splitlines()
    assert list(Member.objects.order_by("pk").values()) == before
    assert not [name for name in switches.calls() if "Admin" in name]
    stage.work()
    from tenants.models import AuditEvent

    assert AuditEvent.objects.filter(action="member.provisioned").latest("seq").after == {
        "changes": json.loads(line)["would"]
    }


def test_a_dry_run_finds_a_conflict_by_looking(stage: Stage, domain: str, capsys: pytest.CaptureFixture[str]) -> None:
    tenant_with_people("Dry conflict", 1, domain=domain)
    Member.objects.filter(person__email=f"p0@{domain}").update(attempts=1)
    stage.make_by_hand(f"p0@{domain}", org="610be000-0000-4000-8000-00000000006b", role="owner")
    _, out = provision(capsys, "--dry-run")
    assert out.startswith(f"p0@{domain}: conflict: ")


def test_the_exit_code_says_that_members_are_left(
    stage: Stage, domain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant_with_people("Left over", 2, domain=domain)
    stage.make_by_hand(f"p1@{domain}", org="610be000-0000-4000-8000-00000000006b", role="owner")
    code, out = provision(capsys)
    assert code == 3
    assert "1 left: conflict." in out


def test_the_exit_code_says_that_nobody_can_be_provisioned(
    stage: Stage, switches: Switches, domain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant_with_people("Halted", 2, domain=domain)
    switches.fail("CognitoIdentityProvider.AdminCreateUser", fault="expired-credentials", count=None)
    with pytest.raises(CommandError, match=r"nothing is lost: .*ExpiredToken"):
        provision(capsys, "--json")
    assert Member.objects.filter(provisioning=Provisioning.DUE).count() == 2


@pytest.mark.parametrize(
    "options",
    [
        ["--threads", "0"],
        ["--dry-run", "--watch"],
        ["--metrics-port", "9000"],
    ],
)
def test_options_that_make_no_sense_are_refused_in_a_line(stage: Stage, options: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("provision", *options)


def test_metrics_are_served_on_the_loopback_interface_alone(stage: Stage) -> None:
    with serve_metrics(Tally(applied=7), port=0) as port:
        text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 404
    assert "\nprovisioning_changes_total 7\n" in text
    assert "# TYPE provisioning_halted gauge" in text


def test_a_lease_that_was_not_given_back_runs_out(stage: Stage) -> None:
    assert Lease.objects.take("x", holder="dead", seconds=60)
    assert not Lease.objects.take("x", holder="alive", seconds=60)
    Lease.objects.filter(name="x").update(until=timezone.now())
    assert Lease.objects.take("x", holder="alive", seconds=60)
