"""`manage.py closing` at a terminal: its output, its exit codes, and wrong input."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from portal.demo.world import World, portal_credentials
from portal.environment import BASE
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.closing import closing_tenants
from tenants.lifecycle.job_lease import SECONDS, WAIT_SECONDS
from tenants.lifecycle.transitions import close
from tenants.models import Lease
from tests.world.closings import COLLECTIONS, ROWS, Closable, closable, sign_as, verified_manifest
from tests.world.faults import Switches
from tests.world.stage import SOMEBODY, Stage, environment_of, recorded_actions

LATER = timedelta(days=30)


@pytest.fixture
def tenant(job: World, tmp_path: Path) -> Closable:
    return closable(job, str(tmp_path))


@dataclass
class Ran:
    code: int
    out: str
    err: str


def ran(*options: str) -> Ran:
    out, err = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command("closing", *options, stdout=out, stderr=err)
    except SystemExit as ended:
        code = int(ended.code or 0)
    except CommandError as error:
        code = error.returncode
        err.write(str(error))
    return Ran(code, out.getvalue(), err.getvalue())


def test_without_a_tenant_to_close_it_says_so(job: World, tmp_path: Path) -> None:
    assert ran("--export-to", str(tmp_path)) == Ran(0, "No tenant is being closed.\n", "")
    assert ran("--export-to", str(tmp_path), "--json") == Ran(0, "", "No tenant is being closed.\n")


def test_from_waiting_to_closed_for_good(tenant: Closable) -> None:
    where, slug = ("--export-to", tenant.export_to), tenant.tenant().slug
    close(tenant.tenant(), by=SOMEBODY, why="Contract ended", grace=LATER)
    waiting = ran(*where)
    assert (waiting.code, waiting.err) == (3, "")
    assert waiting.out.startswith(f"{slug}: waits for its last credentials to be denied")
    tenant.deny()
    exported = ran(*where, "--tenant", slug)
    assert exported.code == 3
    said = exported.out.splitlines()
    assert said[0].startswith(f"{slug}: exported {ROWS} rows to {tenant.export_to}/")
    assert said[1].startswith(f"{slug}: waits for the grace period to end, until ")
    tenant.end_grace()
    closed = ran(*where, "--tenant", str(tenant.org))
    assert (closed.code, closed.err) == (0, "")
    places = f"its catalogue and {len(COLLECTIONS)} collections"
    purged = f"{slug}: purged {ROWS} rows, and found none left in {places}\n"
    assert closed.out == f"{purged}{slug}: closed it for good\n"
    assert ran(*where, "--tenant", slug).out == f"{slug}: is closed for good, and nothing is left to do\n"
    assert list(closing_tenants()) == []


def test_a_dry_run_of_closing_says_what_happens_and_does_nothing(tenant: Closable) -> None:
    slug = tenant.tenant().slug
    tenant.close()
    would = ran("--export-to", str(Path(tenant.export_to) / "new"), "--dry-run")
    assert (would.code, would.err) == (0, "")
    assert would.out.splitlines() == [
        f"{slug}: would export its rows",
        f"{slug}: would purge its rows, and look whether any is left",
        f"{slug}: would close it for good",
    ]
    assert list(Path(tenant.export_to).iterdir()) == []
    assert len(tenant.rows()) == ROWS
    done = ran("--export-to", tenant.export_to)
    assert [line.split()[1] for line in done.out.splitlines()] == ["exported", "purged", "closed"]


def test_json_is_an_object_a_tenant(tenant: Closable, job: World, tmp_path: Path) -> None:
    other = closable(job, str(tmp_path)).close(grace=LATER)
    tenant.close()
    would = [json.loads(line) for line in ran("--without-export", "--dry-run", "--json").out.splitlines()]
    assert {entry["org"]: entry["would"] for entry in would} == {
        str(tenant.org): ["purge its rows, and look whether any is left", "close it for good"],
        str(other.org): [],
    }
    did = ran("--without-export", "--json")
    assert did.code == 3
    entries = {entry["org"]: entry for entry in map(json.loads, did.out.splitlines())}
    closed, waiting = entries[str(tenant.org)], entries[str(other.org)]
    assert (closed["state"], closed["waits_for"], closed["until"]) == ("closed", "", None)
    assert (waiting["state"], waiting["did"]) == ("closing", [])
    assert waiting["until"] == other.tenant().purge_after.isoformat()  # type: ignore[union-attr]


def test_a_failing_tenant_does_not_stop_the_others(tenant: Closable, job: World, tmp_path: Path) -> None:
    tenant.close()
    other = closable(job, str(tmp_path)).close()
    Lease.objects.create(name=f"closing {tenant.org}", holder="another", until=timezone.now() + timedelta(minutes=1))
    result = ran("--without-export")
    assert result.code == 1
    assert f"{tenant.tenant().slug}: Another job is closing" in result.err
    assert "1 of 2 could not go on; nothing is lost, and it can be run again." in result.err
    assert other.tenant().state == TenantState.CLOSED
    failed = ran("--without-export", "--json")
    assert json.loads(failed.out)["error"].startswith("Another job is closing")


def test_with_keys_of_another_role_it_names_what_was_refused(
    tenant: Closable, job: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.close()
    sign_as(portal_credentials(job), monkeypatch)
    result = ran("--without-export")
    assert result.code == 1
    assert "PortalRole" in result.err
    assert "is not authorized to perform: sts:AssumeRole" in result.err
    assert "ClosingRole" in result.err


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--export-to", ""), "Say where the export goes"),
        (("--export-to", "  "), "Say where the export goes"),
        (("--export-to", "/proc/nothing"), "Nothing can be written to /proc/nothing"),
        (("--export-to", "ftp://somewhere"), "neither a directory nor"),
        (("--export-to", "s3://nobodys-bucket-here"), "The bucket nobodys-bucket-here does not exist"),
        (("--without-export", "--tenant", "nobody"), "There is no tenant"),
        (("--without-export", "--tenant", "acme"), "Acme Ltd is not being closed"),
    ],
)
def test_wrong_input_is_one_line_before_anything_begins(tenant: Closable, options: tuple[str, ...], why: str) -> None:
    tenant.close()
    result = ran(*options)
    assert result.code == 1
    assert why in result.err.splitlines()[0]
    assert tenant.tenant().state == TenantState.CLOSING
    assert len(tenant.rows()) == ROWS


def test_without_the_setting_it_says_which(tenant: Closable, settings: Any) -> None:
    settings.CLOSING_ROLE_ARN = ""
    result = ran("--without-export")
    assert (result.code, result.err) == (1, "CLOSING_ROLE_ARN is not set; `manage.py stack_env` prints it.")


@pytest.mark.parametrize("options", [(), ("--export-to", "x", "--without-export"), ("--export-to",)], ids=str)
def test_the_place_of_exports_is_required_or_that_there_are_none(job: World, options: tuple[str, ...]) -> None:
    assert ran(*options).code == 1


# ── In a process of its own ─────────────────────────────────────────────────────────────────────────────────────────


def started(job: World, export_to: str) -> subprocess.Popen[str]:
    environment = environment_of(Stage(job, None))  # type: ignore[arg-type] - only the world is asked
    return subprocess.Popen(
        [sys.executable, "manage.py", "closing", "--export-to", export_to],
        cwd=BASE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_until(process: subprocess.Popen[str], is_there: Callable[[Closable], bool], tenant: Closable) -> None:
    deadline = time.monotonic() + 60
    while not is_there(tenant):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def second_file_is_exported(tenant: Closable) -> bool:
    return bool(list(Path(tenant.export_to).rglob("rows-00001.jsonl")))


def export_is_done(tenant: Closable) -> bool:
    return tenant.closing().exported_at is not None


def purge_has_begun(tenant: Closable) -> bool:
    return tenant.closing().purged_at is not None


def rows_are_purged(tenant: Closable) -> bool:
    return tenant.closing().rows_purged > 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("moment", [second_file_is_exported, export_is_done, purge_has_begun, rows_are_purged])
def test_a_killed_job_is_continued_within_seconds(
    job: World, tmp_path: Path, switches: Switches, moment: Callable[[Closable], bool]
) -> None:
    tenant = closable(job, str(tmp_path)).close()
    for call in ("Query", "DeleteItem"):
        switches.fail(f"DynamoDB.{call}", fault="latency", delay_seconds=0.1, count=None)
    process = started(job, tenant.export_to)
    wait_until(process, moment, tenant)
    process.kill()
    process.communicate(timeout=60)
    switches.mend()
    lease = Lease.objects.get(name=f"closing {tenant.org}")
    assert lease.until - timezone.now() < timedelta(seconds=SECONDS)
    result = ran("--export-to", tenant.export_to)
    assert (result.code, result.err) == (0, "")
    assert_closed_once(tenant)


def assert_closed_once(tenant: Closable) -> None:
    """Nothing is lost, and nothing was done twice."""
    assert tenant.rows() == {}
    assert tenant.tenant().state == TenantState.CLOSED
    (export,) = tenant.exports()
    assert verified_manifest(export)["rows"] == ROWS
    assert tenant.closing().rows_purged <= ROWS
    actions = recorded_actions(tenant.tenant().name)
    assert [actions.count(done) for done in ("tenant.exported", "tenant.purged", "tenant.closed")] == [1, 1, 1]


@pytest.mark.django_db(transaction=True)
def test_a_living_job_keeps_its_lease_during_a_long_call(job: World, tmp_path: Path, switches: Switches) -> None:
    tenant = closable(job, str(tmp_path)).close()
    switches.fail("DynamoDB.Query", fault="latency", delay_seconds=2 * WAIT_SECONDS, count=1)
    with started(job, tenant.export_to) as process:
        wait_until(process, lambda _: Lease.objects.filter(name=f"closing {tenant.org}").exists(), tenant)
        assert "Another job is closing" in ran("--export-to", tenant.export_to).err
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert_closed_once(tenant)


@pytest.mark.django_db(transaction=True)
def test_a_job_that_was_asked_to_stop_is_continued(job: World, tmp_path: Path, switches: Switches) -> None:
    tenant = closable(job, str(tmp_path)).close()
    switches.fail("DynamoDB.Query", fault="latency", delay_seconds=0.1, count=None)
    process = started(job, tenant.export_to)
    wait_until(process, second_file_is_exported, tenant)
    process.terminate()
    _, said = process.communicate(timeout=60)
    switches.mend()
    assert (process.returncode, said) == (1, "CommandError: Stopped. Nothing is lost; run it again and it goes on.\n")
    assert not Lease.objects.filter(name=f"closing {tenant.org}").exists()
    result = ran("--export-to", tenant.export_to)
    assert (result.code, result.err) == (0, "")
    assert_closed_once(tenant)
