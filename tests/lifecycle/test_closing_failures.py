"""The closing job killed, refused, or run twice at once: nothing is lost, and the reason is kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from portal.demo.cast import GLOBEX
from portal.demo.world import World, portal_credentials
from tenants.aws.export_store import DirectoryStore
from tenants.domain.errors import Misconfigured, NotNow, PortalError
from tenants.domain.keys import own_space
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle import export as export_module
from tenants.models import Lease
from tests.world.closings import (
    COLLECTIONS,
    ROWS,
    Closable,
    Killed,
    become_the_job,
    closable,
    lines_of,
    put,
    rows_of,
    sign_as,
    verified_manifest,
)
from tests.world.faults import Switches
from tests.world.stage import recorded_actions


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each organisation's exports are in a directory named by its id."""
    return tmp_path_factory.mktemp("exports")


@pytest.fixture
def tenant(job: World, exports: Path) -> Closable:
    return closable(job, str(exports))


def test_a_job_killed_anywhere_is_resumed_to_the_same_end(tenant: Closable, monkeypatch: pytest.MonkeyPatch) -> None:
    before, kills = tenant.rows(), 0
    # Progress is saved after each file, so that the export can be resumed after each.
    monkeypatch.setattr(export_module, "PROGRESS_EVERY_BYTES", 0)
    tenant.close()
    while tenant.tenant().state != TenantState.CLOSED:
        # Each job lives for one report more than the one before it.
        left = iter(range(kills + 1))

        def report(_: str, left: Any = left) -> None:
            if next(left, None) is None:
                raise Killed

        try:
            tenant.run(report=report, holder=f"job-{kills}")
        except Killed:
            kills += 1
    assert kills > 15
    assert tenant.rows() == {}
    (export,) = tenant.exports()
    manifest = verified_manifest(export)
    exported = {line["Item"]["sk"]["S"] for name in COLLECTIONS for line in lines_of(export, manifest, "rows", name)}
    assert manifest["rows"] == len(before)
    assert exported == {key[1] for key in before if not key[0].endswith("#")}
    kept = tenant.closing()
    assert kept.rows_purged <= ROWS
    assert recorded_actions(tenant.tenant().name).count("tenant.exported") == 1
    assert recorded_actions(tenant.tenant().name).count("tenant.closed") == 1


def test_rows_written_during_the_purge_stop_the_job_with_a_reason(
    tenant: Closable, django_capture_on_commit_callbacks: Any
) -> None:
    tenant.close()
    late = {"pk": {"S": own_space(tenant.org).collection("orders")}, "sk": {"S": "late"}}

    def write_late(line: str) -> None:
        if line.startswith("looking into"):
            put(tenant.world, [late])

    with (
        django_capture_on_commit_callbacks(execute=True),
        pytest.raises(NotNow, match=r"Rows of .* are left in orders"),
    ):
        tenant.run(report=write_late)
    assert "are left in" in tenant.closing().last_error
    assert tenant.closing().verified_at is None
    assert (own_space(tenant.org).catalogue, "orders") in tenant.rows()
    assert "tenant.refused" in recorded_actions(tenant.tenant().name)
    assert tenant.run().tenant.state == TenantState.CLOSED
    assert tenant.closing().last_error == ""
    assert tenant.rows() == {}
    assert tenant.closing().rows_purged == ROWS + 1


def test_the_portals_keys_are_refused_with_a_reason(
    tenant: Closable, job: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.close()
    sign_as(portal_credentials(job), monkeypatch)
    with pytest.raises(Misconfigured):
        tenant.run(export=False)
    assert "is not authorized to perform: sts:AssumeRole" in tenant.closing().last_error
    assert len(tenant.rows()) == ROWS
    become_the_job(job, monkeypatch)
    assert tenant.run(export=False).tenant.state == TenantState.CLOSED


def test_credentials_of_one_tenant_are_refused_for_another(tenant: Closable, job: World) -> None:
    tenant.close()
    with pytest.raises(PortalError):
        tenant.run(export=False, rows=lambda _: rows_of(job, GLOBEX.org_id))
    assert "is not authorized to perform: dynamodb:Query" in tenant.closing().last_error
    assert len(tenant.rows()) == ROWS


def test_throttled_deletions_are_repeated(tenant: Closable, switches: Switches) -> None:
    tenant.close()
    switches.fail("DynamoDB.DeleteItem", fault="throttling", rate=0.1)
    assert tenant.run().tenant.state == TenantState.CLOSED
    assert tenant.rows() == {}


def test_a_mistake_in_the_job_is_kept_with_its_type_alone(tenant: Closable) -> None:
    tenant.close()

    def wrong(_: str) -> DirectoryStore:
        raise LookupError("secret")

    with pytest.raises(LookupError):
        tenant.run(store=wrong)
    assert "LookupError" in tenant.closing().last_error
    assert "secret" not in tenant.closing().last_error


def test_a_job_is_refused_while_another_has_the_lease(tenant: Closable) -> None:
    tenant.close()
    lease = f"closing {tenant.org}"
    assert Lease.objects.take(lease, holder="another", seconds=60)
    with pytest.raises(NotNow, match="Another job is closing"):
        tenant.run()
    assert tenant.closing().last_error == ""
    Lease.objects.filter(name=lease).update(until=timezone.now())
    assert tenant.run().tenant.state == TenantState.CLOSED
    assert not Lease.objects.filter(name=lease).exists()


def test_a_job_that_slept_too_long_stops_if_another_took_over(tenant: Closable) -> None:
    tenant.close()
    lease = f"closing {tenant.org}"

    def sleep_too_long(line: str) -> None:
        if line.startswith("purging"):
            Lease.objects.filter(name=lease).update(holder="another", until=timezone.now() + timedelta(minutes=1))

    with pytest.raises(NotNow, match="Another job has taken over"):
        tenant.run(report=sleep_too_long)
    assert Lease.objects.get(name=lease).holder == "another"
    assert tenant.closing().last_error == ""
    assert tenant.tenant().state == TenantState.CLOSING
