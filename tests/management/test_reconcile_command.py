"""`manage.py reconcile` at a terminal: its output, its exit codes, wrong input, and runs that are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from portal.environment import BASE
from tenants.aws.directory import PAGE
from tenants.models import AuditEvent, Lease, Member, Reconciliation
from tests.world.faults import Switches
from tests.world.pool import by_hand, crowd, make_by_hand, set_by_hand, settled_tenant, with_the_cast_only
from tests.world.stage import Stage, environment_of


@pytest.fixture(autouse=True)
def pool(stage: Stage) -> Iterator[None]:
    before = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    with_the_cast_only(stage)
    yield
    with_the_cast_only(stage)
    for number, handler in before:
        signal.signal(number, handler)


class Ran:
    """The command run in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *options: str) -> None:
        self.code, self.error = 0, ""
        try:
            call_command("reconcile", *options)
        except SystemExit as ended:
            self.code = int(str(ended.code))
        except CommandError as error:
            self.code, self.error = 1, str(error)
        printed = capsys.readouterr()
        self.out, self.err = printed.out, printed.err

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


NO_ROW = "AWS gives anybody who has the temporary password of this user no row: it has no role."


def lets(tenant: str) -> str:
    who = "anybody who has the temporary password of this user"
    return f"AWS lets {who} read and write the rows of {tenant} and read the public rows, whatever the portal decides."


def test_the_exit_code_says_whether_differences_are_left(
    stage: Stage, domain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settled_tenant(stage, "Printed", 3, domain=domain)
    ran = Ran(capsys)
    assert (ran.code, ran.out, ran.err) == (0, "8 users compared. Nothing differs.\n", "")
    set_by_hand(stage, f"p1@{domain}", role="admin")
    set_by_hand(stage, f"p0@{domain}", email=f"new@{domain}")
    make_by_hand(stage, f"x1@{domain}")
    ran = Ran(capsys)
    assert ran.code == 3
    lines = ran.out.splitlines()
    end = f"{NO_ROW} Shown only. Disable it now: manage.py member disable-user {stage.sub_of(f'x1@{domain}')}"
    assert sorted(lines[:-1]) == [
        f"p0@{domain}: has the address new@{domain} in Cognito. Nothing is repaired for that.",
        f"p1@{domain}: another role in Cognito. Should be: viewer. In Cognito: admin. {lets('Printed')}",
        f"x1@{domain}: a user the portal does not know. In Cognito: no role, enabled, of no organisation. {end}",
    ]
    assert lines[-1] == "9 users compared. 2 differences, 0 repaired, 2 left."
    ran = Ran(capsys, "--repair")
    assert ran.code == 3, "somebody unknown is left"
    assert f"p1@{domain}: another role in Cognito. Should be: viewer. In Cognito: admin. Repaired." in ran.out
    by_hand(stage, "admin_delete_user", f"x1@{domain}")
    by_hand(stage, "admin_disable_user", f"p1@{domain}")
    ran = Ran(capsys, "--repair")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "8 users compared. 1 difference, 1 repaired, 0 left.")


def test_a_dry_run_says_what_repairing_does_and_changes_nothing(
    stage: Stage, switches: Switches, domain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = settled_tenant(stage, "Dry", 5, domain=domain)
    set_by_hand(stage, f"p1@{domain}", role="admin")
    by_hand(stage, "admin_disable_user", f"p1@{domain}")
    for number in (2, 3):
        by_hand(stage, "admin_delete_user", f"p{number}@{domain}")
    stage.make_by_hand(f"p3@{domain}", org=str(tenant.org_id), role="owner")
    by_hand(stage, "admin_delete_user", f"p4@{domain}")
    make_by_hand(stage, f"p4@{domain}")
    before = list(Member.objects.order_by("pk").values("pk", "provisioning", "generation"))
    switches.forget()
    ran = Ran(capsys, "--dry-run", "--repair", "--json")
    assert ran.code == 3
    changing = ("Create", "Update", "Disable", "Enable", "Delete", "SignOut")
    assert not [name for name in switches.calls() if any(word in name for word in changing)]
    assert list(Member.objects.order_by("pk").values("pk", "provisioning", "generation")) == before
    *told, summary = ran.objects
    assert (summary["found"], summary["repaired"], summary["left"]) == (5, 0, 5)
    would = {drift["email"]: drift["would"] for drift in told}
    shown_only = {drift["email"] for drift in told if drift["outlook"] == "shown only"}
    assert shown_only == {f"p4@{domain}"}
    assert Ran(capsys, "--repair").code == 3
    done = AuditEvent.objects.filter(action="member.provisioned", actor="command").order_by("seq")
    happened = {event.target: event.after["changes"] for event in done}
    assert happened == {email: changes for email, changes in would.items() if email not in shown_only}


def test_json_has_an_object_a_difference_and_one_at_the_end(
    stage: Stage, domain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = settled_tenant(stage, "Machine", 2, domain=domain)
    set_by_hand(stage, f"p1@{domain}", role="admin")
    ran = Ran(capsys, "--tenant", tenant.slug, "--json")
    run = Reconciliation.objects.latest("started_at")
    assert ran.objects == [
        {
            "kind": "role",
            "email": f"p1@{domain}",
            "org": str(tenant.org_id),
            "sub": str(Member.objects.get(person__email=f"p1@{domain}").person.sub),
            "wanted": "viewer",
            "seen": "admin",
            "reaches": lets("Machine"),
            "would": [],
            "outlook": "to be repaired",
        },
        {
            "tenant": str(tenant.org_id),
            "users": 2,
            "found": 1,
            "repaired": 0,
            "left": 1,
            "kinds": {"role": 1},
            "waiting": 0,
            "to_resend": 0,
            "run": run.pk,
        },
    ]
    assert Ran(capsys, "--tenant", str(tenant.org_id), "--repair", "--json").code == 0


def test_people_who_need_another_mail_are_named_with_the_remedy(
    stage: Stage, domain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settled_tenant(stage, "Forgetful", 3, domain=domain)
    members = Member.objects.filter(person__email__endswith=f"@{domain}")
    members.filter(person__email__startswith="p1").update(mailed_at=timezone.now() - timedelta(days=9))
    members.filter(person__email__startswith="p2").update(mail_problem="Mailbox full.")
    ran = Ran(capsys)
    assert ran.code == 0
    assert f"p1@{domain}: lapsed on " in ran.out
    assert f"p2@{domain}: mail not delivered: Mailbox full. Mail it again: manage.py member resend p2@" in ran.out
    assert "Invitations that lapsed or were not delivered: 2." in ran.out
    *notes, summary = Ran(capsys, "--json").objects
    assert [(note["note"], note["invitation"]) for note in notes] == [
        ("invitation", "lapsed"),
        ("invitation", "not-delivered"),
    ]
    assert summary["to_resend"] == 2


def test_who_signed_up_is_listed_and_the_exit_code_is_0(
    stage: Stage, domain: str, capsys: pytest.CaptureFixture[str], settings: Any
) -> None:
    stage.make_by_hand(f"hank@{domain}", org=str(uuid.uuid4()), role="owner")
    assert Ran(capsys).code == 3
    settings.SIGN_UP = "hosted-ui"
    ran = Ran(capsys)
    assert ran.code == 0
    assert f"hank@{domain}: signed up, and has not named the organisation yet. This is no difference." in ran.out
    waiting, summary = Ran(capsys, "--json").objects
    assert (waiting["kind"], waiting["email"], waiting["outlook"]) == ("waiting", f"hank@{domain}", "nothing to do")
    assert (summary["found"], summary["kinds"], summary["waiting"]) == (0, {}, 1)


def test_too_many_missing_users_are_shown_and_refused_with_what_to_type(
    stage: Stage, domain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settled_tenant(stage, "Many", 8, domain=domain)
    for number in range(1, 7):
        by_hand(stage, "admin_delete_user", f"p{number}@{domain}")
    for option in ("--repair", "--dry-run"):
        ran = Ran(capsys, option)
        assert ran.code == 1
        assert "6 differences, 0 repaired, 6 left" in ran.out
        assert ran.error.endswith("`manage.py reconcile --repair --recreate 6`.")
    assert Ran(capsys, "--repair", "--recreate", "6").code == 0


def test_an_empty_pool_of_a_new_installation_is_no_difference(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    Member.objects.update(provisioning="due", due_at=timezone.now(), seen_at=None)
    ran = Ran(capsys)
    assert (ran.code, ran.out) == (0, "5 users compared. Nothing differs.\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tenant", "nobody"], "There is no tenant"),
        (["--tenant", str(uuid.UUID(int=7))], "There is no tenant"),
        (["--recreate", "5"], "goes with --repair or --dry-run"),
        (["--repair", "--recreate", "0"], "number from 1 on"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_begun(
    stage: Stage, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    ran = Ran(capsys, *options)
    assert ran.code == 1
    assert said in ran.error
    assert not Reconciliation.objects.exists()


def test_a_pool_that_is_not_there_is_named_and_nothing_changes(
    stage: Stage, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    before = list(Member.objects.order_by("pk").values())
    settings.COGNITO_USER_POOL_ID = f"{settings.AWS_REGION}_gone12345"
    ran = Ran(capsys, "--repair")
    assert ran.code == 1
    # AWS answers either way: PortalRole may not know whether a foreign pool exists.
    assert "AccessDenied" in ran.error or "ResourceNotFound" in ran.error
    assert list(Member.objects.order_by("pk").values()) == before
    assert AuditEvent.objects.get(action="reconciliation.stopped").why == ran.error


@pytest.mark.django_db(transaction=True)
def test_a_killed_run_is_continued_and_repairs_everything_once(
    stage: Stage, domain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = settled_tenant(stage, "Killed", 2, domain=domain)
    crowd(stage, tenant, 4 * PAGE, domain=domain)
    for number in range(0, 4 * PAGE, 30):
        set_by_hand(stage, f"c{number}@{domain}", role="admin")
    _killed_once(stage, lambda run: run.users_seen >= 2 * PAGE, UserList=1)
    assert "Another reconciliation is running" in Ran(capsys, "--repair").error
    _lease_ran_out()
    # Killed with a member in hand, and once it is through with some.
    _killed_once(stage, lambda run: run.repaired >= 2, UserUpdate=3)
    _lease_ran_out()
    last = Ran(capsys, "--repair", "--json")
    assert (last.code, last.error) == (0, "")
    assert "Going on with the comparison of" in last.err
    run = Reconciliation.objects.get()
    assert (run.users_seen, run.found, run.repaired) == (4 * PAGE + 7, 8, 8)
    assert {user.role for user in stage.users_of(domain)} == {"owner", "viewer"}
    targets = [event.target for event in AuditEvent.objects.filter(action="drift.repaired")]
    assert len(targets) == len(set(targets)) == 8


def _killed_once(stage: Stage, ripe: Callable[[Reconciliation], bool], **pace: int) -> None:
    process = _started(stage, "--repair", **pace)
    _wait_until(process, ripe)
    process.kill()
    process.communicate()


def _started(stage: Stage, *options: str, **pace: int) -> subprocess.Popen[str]:
    paces = {"UserCreation": 500, "UserUpdate": 500, "UserRead": 500, "UserList": 500, **pace}
    written = ",".join(f"{category}={calls}" for category, calls in paces.items())
    return subprocess.Popen(
        [sys.executable, str(BASE / "manage.py"), "reconcile", *options],
        cwd=BASE,
        env=environment_of(stage, COGNITO_CALLS_PER_SECOND=written),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_until(process: subprocess.Popen[str], ripe: Callable[[Reconciliation], bool]) -> None:
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        run = Reconciliation.objects.first()
        if run is not None and ripe(run):
            return
        time.sleep(0.02)
    process.kill()
    raise AssertionError(f"It ended too early: {process.communicate()}")


def _lease_ran_out() -> None:
    """As if a minute had passed."""
    Lease.objects.filter(name="reconciliation").update(until=timezone.now())
    Member.objects.exclude(leased_by="").update(leased_until=timezone.now())


def test_a_stopped_run_says_that_the_next_one_continues(
    stage: Stage, switches: Switches, settings: Any, domain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = settled_tenant(stage, "Asked", 1, domain=domain)
    crowd(stage, tenant, 3 * PAGE, domain=domain)
    settings.COGNITO_CALLS_PER_SECOND = {**settings.COGNITO_CALLS_PER_SECOND, "UserList": 0.5}
    switches.forget()

    def ask() -> None:
        while "CognitoIdentityProvider.ListUsers" not in switches.calls():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    with ThreadPoolExecutor(1) as somebody:
        somebody.submit(ask)
        ran = Ran(capsys)
    assert ran.code == 1
    assert ran.error == "It was interrupted. Nothing is lost: run it again, and it goes on where it stopped."
    assert Reconciliation.objects.get().users_seen < 3 * PAGE
    assert not Lease.objects.filter(name="reconciliation").exists()
    settings.COGNITO_CALLS_PER_SECOND = {**settings.COGNITO_CALLS_PER_SECOND, "UserList": 500.0}
    assert Ran(capsys).out == "186 users compared. Nothing differs.\n"
