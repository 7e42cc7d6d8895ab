"""Closing a tenant for good: its plan, its export, reopening without loss, the purge, and other tenants untouched."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.demo.cast import ACME, GLOBEX
from portal.demo.world import World
from tenants.domain.errors import NotNow
from tenants.domain.keys import own_space
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.closing import ClosingStep, begin_purging, plan_closing
from tenants.lifecycle.transitions import close, reopen, suspend
from tenants.models import AuditEvent, Member, Suspension, Tenant
from tests.world.closings import (
    COLLECTIONS,
    ROWS,
    Closable,
    as_root,
    closable,
    everything,
    fill,
    put,
    verified_manifest,
)
from tests.world.stage import SOMEBODY, Stage, recorded_actions

NOW = timedelta(0)
LATER = timedelta(days=30)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each organisation's exports are in a directory named by its id."""
    return tmp_path_factory.mktemp("exports")


@pytest.fixture
def tenant(job: World, exports: Path) -> Closable:
    return closable(job, str(exports))


# ── From closing to the end ─────────────────────────────────────────────────────────────────────────────────────────


def test_worker_and_job_close_a_tenant_each_with_its_own_keys(
    stage: Stage, job: World, tenant: Closable, domain: str
) -> None:
    person = stage.make_by_hand(f"p@{domain}", org=str(tenant.org), role=Role.OWNER)
    owner = Member.objects.get(tenant=tenant.tenant())
    type(owner.person).objects.filter(pk=owner.person_id).update(email=f"p@{domain}", sub=person)
    others = {key: item for key, item in everything(job).items() if not key[0].startswith(str(tenant.org))}
    before = tenant.rows()

    close(tenant.tenant(), by=SOMEBODY, why="Contract ended", grace=NOW)
    assert "denied" in tenant.run().waits_for
    stage.work()
    assert str(tenant.org) in stage.tools.policy.listed()
    waiting = tenant.run()
    assert (waiting.did, waiting.until is not None) == ((), True)
    assert tenant.rows() == before
    tenant.deny()
    result = tenant.run()

    assert result.waits_for == ""
    assert result.tenant.state == TenantState.CLOSED
    assert tenant.rows() == {}
    assert {key: item for key, item in everything(job).items() if not key[0].startswith(str(tenant.org))} == others
    (export,) = tenant.exports()
    manifest = verified_manifest(export)
    assert (manifest["rows"], manifest["org"]) == (ROWS, str(tenant.org))
    stage.work()
    assert stage.user(f"p@{domain}") is None
    assert not type(owner.person).objects.filter(pk=owner.person_id).exists()
    with pytest.raises(IntegrityError), transaction.atomic():
        Tenant.objects.create(name="Another", org_id=str(tenant.org))
    done = [action for action in recorded_actions(result.tenant.name) if action.startswith("tenant.")]
    assert done[-3:] == ["tenant.exported", "tenant.purged", "tenant.closed"]


def test_rows_are_purged_without_export_only_on_request(tenant: Closable) -> None:
    tenant.close(grace=NOW)
    result = tenant.run(export=False)
    assert result.tenant.state == TenantState.CLOSED
    assert tenant.rows() == {}
    assert tenant.closing().exported_at is None
    purged = AuditEvent.objects.get(org=str(tenant.org), action="tenant.purged")
    assert purged.after == {"rows": ROWS, "exported": False, "looked_into": sorted(COLLECTIONS)}


def test_copies_of_deleted_records_are_purged_and_not_exported(tenant: Closable) -> None:
    space = own_space(tenant.org)
    copy = {"pk": {"S": space.deleted}, "sk": {"S": "1"}, "_expires_at": {"N": "1"}, "secret": {"S": "deleted-before"}}
    # Somebody may have written it into the catalogue.
    put(tenant.world, [copy, {"pk": {"S": space.catalogue}, "sk": {"S": "_deleted"}}])
    assert tenant.close(grace=NOW).run().tenant.state == TenantState.CLOSED
    assert tenant.rows() == {}
    exported = "".join(path.read_text() for path in Path(tenant.export_to).rglob("*.jsonl"))
    assert "orders" in exported
    assert "deleted-before" not in exported


def test_a_collection_missing_from_the_catalogue_is_not_purged(tenant: Closable) -> None:
    """As documented: only a scan of the table would find it, and the job may not scan."""
    stray = {"pk": {"S": own_space(tenant.org).collection("stray")}, "sk": {"S": "1"}}
    put(tenant.world, [stray])
    assert tenant.close().run().tenant.state == TenantState.CLOSED
    assert list(tenant.rows()) == [(stray["pk"]["S"], "1")]


# ── What it waits for ───────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_begins_before_credentials_are_denied_everywhere(tenant: Closable) -> None:
    close(tenant.tenant(), by=SOMEBODY, why="Contract ended", grace=NOW)
    for export in (True, False):
        assert "provision --watch" in tenant.run(export=export).waits_for
        tenant.deny(ago=timedelta(seconds=50))
        waiting = tenant.run(export=export)
        assert waiting.waits_for.startswith("all of AWS")
        assert waiting.until is not None
        assert waiting.until > timezone.now()
        Suspension.objects.update(denied_at=None)
    assert len(tenant.rows()) == ROWS
    Suspension.objects.update(deny_until=timezone.now())
    assert plan_closing(tenant.tenant(), export=True).waits_for == ""


def test_the_export_comes_at_once_and_the_purge_after_the_grace_period(tenant: Closable) -> None:
    tenant.close(grace=LATER)
    result = tenant.run()
    assert len(result.did) == 1
    assert (result.waits_for, result.until) == ("the grace period to end", tenant.tenant().purge_after)
    again = tenant.run()
    assert (again.did, again.waits_for) == ((), "the grace period to end")
    assert len(tenant.rows()) == ROWS
    tenant.end_grace()
    assert tenant.run().did[-1] == "closed it for good"
    assert len(tenant.exports()) == 1


def test_the_job_does_what_the_plan_says(tenant: Closable) -> None:
    tenant.close(grace=LATER)
    assert plan_closing(tenant.tenant(), export=True).steps == (ClosingStep.EXPORT,)
    assert plan_closing(tenant.tenant(), export=False).steps == ()
    tenant.end_grace()
    assert plan_closing(tenant.tenant(), export=True).steps == (
        ClosingStep.EXPORT,
        ClosingStep.PURGE,
        ClosingStep.CLOSE_FOR_GOOD,
    )
    assert plan_closing(tenant.tenant(), export=False).steps == (ClosingStep.PURGE, ClosingStep.CLOSE_FOR_GOOD)
    tenant.run()
    assert plan_closing(tenant.tenant(), export=True).steps == ()


def test_a_suspended_tenant_is_closed_the_same_way(tenant: Closable) -> None:
    suspend(tenant.tenant(), by=SOMEBODY, why="Unpaid")
    assert tenant.close().run().tenant.state == TenantState.CLOSED


# ── Reopening ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reopened_tenant_keeps_its_rows_and_is_exported_again_later(tenant: Closable) -> None:
    before = tenant.rows()
    tenant.close(grace=LATER).run()
    reopen(tenant.tenant(), by=SOMEBODY)
    assert tenant.rows() == before
    with pytest.raises(NotNow, match="is not being closed"):
        tenant.run()
    put(tenant.world, [{"pk": {"S": own_space(tenant.org).collection("orders")}, "sk": {"S": "new"}}])
    tenant.close(grace=NOW).run()
    first, second = tenant.exports()
    assert verified_manifest(first)["rows"] == ROWS
    assert verified_manifest(second)["rows"] == ROWS + 1


def test_a_tenant_reopened_during_its_export_is_not_marked_exported(tenant: Closable) -> None:
    tenant.close(grace=LATER)

    def reopen_meanwhile(line: str) -> None:
        if line.startswith("exporting orders") and tenant.tenant().state == TenantState.CLOSING:
            reopen(tenant.tenant(), by=SOMEBODY)

    with pytest.raises(NotNow, match="was reopened while it was being exported"):
        tenant.run(report=reopen_meanwhile)
    assert tenant.tenant().state == TenantState.ACTIVE
    assert len(tenant.rows()) == ROWS
    assert tenant.closing().exported_at is None
    assert "tenant.exported" not in recorded_actions(tenant.tenant().name)


def test_a_purge_is_planned_again_with_the_tenant_locked(tenant: Closable) -> None:
    tenant.close(grace=LATER).run()
    stale = tenant.tenant()
    reopen(tenant.tenant(), by=SOMEBODY)
    stale.purge_after = timezone.now()
    with pytest.raises(NotNow):
        begin_purging(stale, export=False)
    tenant.close(grace=NOW)
    with pytest.raises(NotNow, match="closed anew"):
        begin_purging(stale, export=True)
    begin_purging(stale, export=False)
    Tenant.objects.update(purge_after=timezone.now() + LATER)
    with pytest.raises(NotNow, match="time to reopen"):
        reopen(tenant.tenant(), by=SOMEBODY)


# ── Nothing to do ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_closed_tenant_leaves_nothing_to_do(tenant: Closable) -> None:
    tenant.close().run()
    fill(tenant)
    again = tenant.run()
    assert (again.did, again.waits_for) == ((), "")
    assert len(tenant.rows()) == ROWS
    with pytest.raises(NotNow):
        close(tenant.tenant(), by=SOMEBODY, why="Again")


def test_a_tenant_not_being_closed_is_refused_and_that_is_recorded(
    tenant: Closable, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(NotNow, match="is not being closed"):
        tenant.run()
    assert len(tenant.rows()) == ROWS
    refused = AuditEvent.objects.filter(org=str(tenant.org), action="tenant.refused").get()
    assert "is not being closed" in refused.why


def test_rows_of_other_tenants_stay(tenant: Closable, job: World) -> None:
    mine = f"{tenant.org}#"
    before = {key: item for key, item in everything(job).items() if not key[0].startswith(mine)}
    assert {key[0].partition("#")[0] for key in before} >= {str(ACME.org_id), str(GLOBEX.org_id), "PUBLIC"}
    tenant.close().run()
    assert everything(job) == before
    assert as_root(job).describe_table(TableName=job.settings["RECORDS_TABLE"])["Table"]["TableStatus"] == "ACTIVE"
