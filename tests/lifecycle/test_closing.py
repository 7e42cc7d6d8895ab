"""A tenant closed for good: exported whole, reopened without loss, purged to the last row, and nobody else touched."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.demo.cast import ACME, GLOBEX
from portal.demo.world import World, portal_credentials
from tenants.aws.export_store import DirectoryStore
from tenants.domain.errors import Misconfigured, NotNow, PortalError
from tenants.domain.keys import own_space
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle import closing as closing_module
from tenants.lifecycle import export as export_module
from tenants.lifecycle.closing import Step, plan
from tenants.lifecycle.transitions import close, reopen, suspend
from tenants.models import AuditEvent, Lease, Member, Suspension, Tenant
from tests.world.closing_jobs import as_root, become_the_job, everything, put, rows_of, sign_as
from tests.world.closings import COLLECTIONS, ROWS, Closable, Killed, closable, fill, lines_of, verified
from tests.world.faults import Switches
from tests.world.stage import SOMEBODY, Stage, recorded_actions

NOW = timedelta(0)
LATER = timedelta(days=30)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each organisation's own are beneath its id."""
    return tmp_path_factory.mktemp("exports")


@pytest.fixture
def tenant(job: World, exports: Path) -> Closable:
    return closable(job, str(exports))


# ── The whole way ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_from_the_freeze_to_the_tombstone_with_the_worker_and_the_job_each_with_its_own_keys(
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
    outcome = tenant.run()

    assert outcome.waits_for == ""
    assert outcome.tenant.state == TenantState.CLOSED
    assert tenant.rows() == {}
    assert {key: item for key, item in everything(job).items() if not key[0].startswith(str(tenant.org))} == others
    (export,) = tenant.exports()
    manifest = verified(export)
    assert (manifest["rows"], manifest["org"]) == (ROWS, str(tenant.org))
    stage.work()
    assert stage.user(f"p@{domain}") is None
    assert not type(owner.person).objects.filter(pk=owner.person_id).exists()
    with pytest.raises(IntegrityError), transaction.atomic():
        Tenant.objects.create(name="Another", org_id=str(tenant.org))
    done = [action for action in recorded_actions(outcome.tenant.name) if action.startswith("tenant.")]
    assert done[-3:] == ["tenant.exported", "tenant.purged", "tenant.closed"]


def test_rows_that_nobody_exported_go_only_where_that_was_asked_for(tenant: Closable) -> None:
    tenant.close(grace=NOW)
    outcome = tenant.run(export=False)
    assert outcome.tenant.state == TenantState.CLOSED
    assert tenant.rows() == {}
    assert tenant.closing().exported_at is None
    purged = AuditEvent.objects.get(org=str(tenant.org), action="tenant.purged")
    assert purged.after == {"rows": ROWS, "exported": False, "looked_into": sorted(COLLECTIONS)}


def test_a_collection_that_the_catalogue_does_not_know_is_not_found(tenant: Closable) -> None:
    """As the documentation says: to find it somebody has to scan the table, which nothing here may do."""
    stray = {"pk": {"S": own_space(tenant.org).collection("stray")}, "sk": {"S": "1"}}
    put(tenant.world, [stray])
    assert tenant.close().run().tenant.state == TenantState.CLOSED
    assert list(tenant.rows()) == [(stray["pk"]["S"], "1")]


# ── What it waits for ───────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_begins_before_the_last_credentials_are_denied_everywhere(tenant: Closable) -> None:
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
    assert plan(tenant.tenant(), export=True).waits_for == ""


def test_the_export_comes_at_once_and_the_purge_after_the_grace_period(tenant: Closable) -> None:
    tenant.close(grace=LATER)
    outcome = tenant.run()
    assert len(outcome.did) == 1
    assert (outcome.waits_for, outcome.until) == ("the grace period to end", tenant.tenant().purge_after)
    again = tenant.run()
    assert (again.did, again.waits_for) == ((), "the grace period to end")
    assert len(tenant.rows()) == ROWS
    tenant.end_grace()
    assert tenant.run().did[-1] == "closed it for good"
    assert len(tenant.exports()) == 1


def test_what_is_planned_is_what_is_done(tenant: Closable) -> None:
    tenant.close(grace=LATER)
    assert plan(tenant.tenant(), export=True).steps == (Step.EXPORT,)
    assert plan(tenant.tenant(), export=False).steps == ()
    tenant.end_grace()
    assert plan(tenant.tenant(), export=True).steps == (Step.EXPORT, Step.PURGE, Step.BURY)
    assert plan(tenant.tenant(), export=False).steps == (Step.PURGE, Step.BURY)
    tenant.run()
    assert plan(tenant.tenant(), export=True).steps == ()


def test_a_tenant_that_was_suspended_before_is_closed_just_the_same(tenant: Closable) -> None:
    suspend(tenant.tenant(), by=SOMEBODY, why="Unpaid")
    assert tenant.close().run().tenant.state == TenantState.CLOSED


# ── Reopening ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_tenant_reopened_in_time_has_lost_nothing_and_is_exported_anew_when_it_is_closed_again(
    tenant: Closable,
) -> None:
    before = tenant.rows()
    tenant.close(grace=LATER).run()
    reopen(tenant.tenant(), by=SOMEBODY)
    assert tenant.rows() == before
    with pytest.raises(NotNow, match="is not being closed"):
        tenant.run()
    put(tenant.world, [{"pk": {"S": own_space(tenant.org).collection("orders")}, "sk": {"S": "new"}}])
    tenant.close(grace=NOW).run()
    first, second = tenant.exports()
    assert verified(first)["rows"] == ROWS
    assert verified(second)["rows"] == ROWS + 1


def test_a_tenant_reopened_while_it_is_exported_is_not_called_exported(tenant: Closable) -> None:
    tenant.close(grace=LATER)

    def reopen_meanwhile(line: str) -> None:
        if line.startswith("exporting orders") and tenant.tenant().state == TenantState.CLOSING:
            reopen(tenant.tenant(), by=SOMEBODY)

    with pytest.raises(NotNow, match="was reopened while it was being exported"):
        tenant.run(tell=reopen_meanwhile)
    assert tenant.tenant().state == TenantState.ACTIVE
    assert len(tenant.rows()) == ROWS
    assert tenant.closing().exported_at is None
    assert "tenant.exported" not in recorded_actions(tenant.tenant().name)


def test_a_purge_is_decided_anew_where_nobody_can_reopen_any_more(tenant: Closable) -> None:
    tenant.close(grace=LATER).run()
    stale = tenant.tenant()
    reopen(tenant.tenant(), by=SOMEBODY)
    stale.purge_after = timezone.now()
    with pytest.raises(NotNow):
        closing_module._begun_purging(stale, export=False)
    tenant.close(grace=NOW)
    with pytest.raises(NotNow, match="closed anew"):
        closing_module._begun_purging(stale, export=True)
    closing_module._begun_purging(stale, export=False)
    Tenant.objects.update(purge_after=timezone.now() + LATER)
    with pytest.raises(NotNow, match="time to reopen"):
        reopen(tenant.tenant(), by=SOMEBODY)


# ── Killed, failed, and run again ───────────────────────────────────────────────────────────────────────────────────


def test_killed_at_any_step_it_goes_on_and_ends_the_same(tenant: Closable, monkeypatch: pytest.MonkeyPatch) -> None:
    before, kills = tenant.rows(), 0
    # Every file is written down at once, so that each can be gone on after.
    monkeypatch.setattr(export_module, "_WRITTEN_DOWN_EVERY_BYTES", 0)
    tenant.close()
    while tenant.tenant().state != TenantState.CLOSED:
        # Each time a step further than the time before.
        steps = iter(range(kills + 1))

        def tell(_: str, steps: Any = steps) -> None:
            if next(steps, None) is None:
                raise Killed

        try:
            tenant.run(tell=tell, holder=f"job-{kills}")
        except Killed:
            kills += 1
    assert kills > 15
    assert tenant.rows() == {}
    (export,) = tenant.exports()
    manifest = verified(export)
    exported = {line["Item"]["sk"]["S"] for name in COLLECTIONS for line in lines_of(export, manifest, "rows", name)}
    assert manifest["rows"] == len(before)
    assert exported == {key[1] for key in before if not key[0].endswith("#")}
    kept = tenant.closing()
    assert kept.rows_purged <= ROWS
    assert recorded_actions(tenant.tenant().name).count("tenant.exported") == 1
    assert recorded_actions(tenant.tenant().name).count("tenant.closed") == 1


def test_rows_that_somebody_writes_behind_the_purges_back_are_found_and_why_is_kept(
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
        tenant.run(tell=write_late)
    assert "are left in" in tenant.closing().last_error
    assert tenant.closing().verified_at is None
    assert (own_space(tenant.org).catalogue, "orders") in tenant.rows()
    assert "tenant.refused" in recorded_actions(tenant.tenant().name)
    assert tenant.run().tenant.state == TenantState.CLOSED
    assert tenant.closing().last_error == ""
    assert tenant.rows() == {}
    assert tenant.closing().rows_purged == ROWS + 1


def test_with_the_portals_keys_it_cannot_and_says_so(
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


def test_what_aws_does_not_answer_for_a_while_costs_nothing(tenant: Closable, switches: Switches) -> None:
    tenant.close()
    switches.fail("DynamoDB.DeleteItem", fault="throttling", rate=0.1)
    assert tenant.run().tenant.state == TenantState.CLOSED
    assert tenant.rows() == {}


def test_a_mistake_of_our_own_is_kept_too_and_says_no_more_than_its_kind(tenant: Closable) -> None:
    tenant.close()

    def wrong(_: str) -> DirectoryStore:
        raise LookupError("secret")

    with pytest.raises(LookupError):
        tenant.run(store=wrong)
    assert "LookupError" in tenant.closing().last_error
    assert "secret" not in tenant.closing().last_error


# ── One job at a time, and only where there is something to close ───────────────────────────────────────────────────


def test_another_job_is_let_finish_and_a_dead_ones_place_is_taken(tenant: Closable) -> None:
    tenant.close()
    lease = f"closing {tenant.org}"
    assert Lease.objects.take(lease, holder="another", seconds=60)
    with pytest.raises(NotNow, match="Another job is closing"):
        tenant.run()
    assert tenant.closing().last_error == ""
    Lease.objects.filter(name=lease).update(until=timezone.now())
    assert tenant.run().tenant.state == TenantState.CLOSED
    assert not Lease.objects.filter(name=lease).exists()


def test_a_job_that_slept_too_long_stops_where_another_has_taken_over(tenant: Closable) -> None:
    tenant.close()
    lease = f"closing {tenant.org}"

    def sleep_too_long(line: str) -> None:
        if line.startswith("purging"):
            Lease.objects.filter(name=lease).update(holder="another", until=timezone.now() + timedelta(minutes=1))

    with pytest.raises(NotNow, match="Another job has taken over"):
        tenant.run(tell=sleep_too_long)
    assert Lease.objects.get(name=lease).holder == "another"
    assert tenant.closing().last_error == ""
    assert tenant.tenant().state == TenantState.CLOSING


def test_closed_for_good_there_is_nothing_left_to_do(tenant: Closable) -> None:
    tenant.close().run()
    fill(tenant)
    again = tenant.run()
    assert (again.did, again.waits_for) == ((), "")
    assert len(tenant.rows()) == ROWS
    with pytest.raises(NotNow):
        close(tenant.tenant(), by=SOMEBODY, why="Again")


def test_a_tenant_that_is_not_being_closed_is_left_alone_and_the_attempt_recorded(
    tenant: Closable, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(NotNow, match="is not being closed"):
        tenant.run()
    assert len(tenant.rows()) == ROWS
    refused = AuditEvent.objects.filter(org=str(tenant.org), action="tenant.refused").get()
    assert "is not being closed" in refused.why


def test_others_rows_are_as_they_were(tenant: Closable, job: World) -> None:
    mine = f"{tenant.org}#"
    before = {key: item for key, item in everything(job).items() if not key[0].startswith(mine)}
    assert {key[0].partition("#")[0] for key in before} >= {str(ACME.org_id), str(GLOBEX.org_id), "PUBLIC"}
    tenant.close().run()
    assert everything(job) == before
    assert as_root(job).describe_table(TableName=job.settings["RECORDS_TABLE"])["Table"]["TableStatus"] == "ACTIVE"
