"""Closing a tenant for good: export, grace period, purge, a look whether anything is left, tombstone.

Every step can be taken up again where it was left. Rows are reached with credentials of ClosingRole that carry this one
organisation's tag, so a mistake here cannot reach another tenant's either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from tenants.audit import audit_refusals, record
from tenants.audit.actions import Action
from tenants.aws.export_store import ExportStore
from tenants.aws.tenant_rows import TenantRows
from tenants.domain.actor import Actor
from tenants.domain.errors import NotNow, PortalError
from tenants.domain.keys import own_space
from tenants.domain.org_id import OrgId
from tenants.domain.tenant_state import TenantState
from tenants.leases import give_back, take
from tenants.lifecycle.export import Tell, export_tenant, is_whole
from tenants.lifecycle.transitions import close_for_good
from tenants.models import Closing, Suspension, Tenant

# IAM takes some seconds to tell all of its machines of a denial.
_SPREADS = timedelta(seconds=60)
_LEASE_SECONDS = 300
_MOST_ERROR = 500
_MOST_NAMED = 50


class Step(StrEnum):
    EXPORT = "export its rows"
    PURGE = "purge its rows, and look whether any is left"
    BURY = "close it for good"


@dataclass(frozen=True, slots=True)
class Reach:
    """What the job reaches a tenant's rows and its export with: made anew for each organisation and export.

    Without `store`, rows that were never exported are purged.
    """

    rows: Callable[[OrgId], TenantRows]
    store: Callable[[str], ExportStore] | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What can be done now. `waits_for` says what has to come before the rest, "" where there is no rest."""

    steps: tuple[Step, ...] = ()
    waits_for: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`did` is in words; `waits_for` and `until` are as in the plan for what is left."""

    tenant: Tenant
    did: tuple[str, ...] = ()
    waits_for: str = ""
    until: datetime | None = None


def closing_tenants() -> Iterator[Tenant]:
    yield from Tenant.objects.filter(state=TenantState.CLOSING).order_by("closing_at", "pk")


def plan(tenant: Tenant, *, export: bool) -> Plan:
    """What the job does, decided from the database alone. Without `export` rows that were never exported are purged.

    Raises NotNow for a tenant that is not being closed; there is nothing to do for one that is closed.
    """
    if tenant.state == TenantState.CLOSED:
        return Plan()
    closing, now = _closing_of(tenant), timezone.now()
    alive = _until_nobody_can_write(tenant, now)
    if alive is not None:
        return alive
    # What is left while rows are being purged would pass for all of them.
    wanted = export and closing.exported_at is None and closing.purged_at is None
    first = (Step.EXPORT,) if wanted else ()
    if tenant.purge_after is None or now < tenant.purge_after:
        return Plan(first, "the grace period to end", tenant.purge_after)
    purge = (Step.PURGE,) if closing.verified_at is None else ()
    return Plan((*first, *purge, Step.BURY))


def go_on_closing(tenant: Tenant, *, reach: Reach, holder: str, by: Actor, tell: Tell) -> Outcome:
    """As far as the plan goes. `holder` is this job's alone.

    Raises NotNow where another job works on it, it is not being closed, or rows are left after the purge, and what AWS
    and the export's store answer; why is kept with the closing until it goes on.
    """
    lease = f"closing {tenant.org_id}"
    if not take(lease, holder=holder, seconds=_LEASE_SECONDS):
        raise NotNow(f"Another job is closing {tenant} right now.")

    def go_on(line: str) -> None:
        if not take(lease, holder=holder, seconds=_LEASE_SECONDS):
            raise NotNow(f"Another job has taken over closing {tenant}: this one did not tell of itself for too long.")
        tell(line)

    try:
        return _close(tenant=tenant, reach=reach, by=by, go_on=go_on)
    except Exception as error:
        with suppress(DatabaseError):
            # A job that has taken over has its own to tell.
            if take(lease, holder=holder, seconds=_LEASE_SECONDS):
                _note_error(tenant, why_failed(error))
        raise
    finally:
        give_back(lease, holder=holder)


def why_failed(error: Exception) -> str:
    """For operators. An error that is not the portal's own is a mistake in the job."""
    if isinstance(error, PortalError):
        return error.for_operators
    return f"A mistake in the closing job itself ({type(error).__name__}). What it printed says more."


@audit_refusals(Action.TENANT_REFUSED)
def _close(*, tenant: Tenant, reach: Reach, by: Actor, go_on: Tell) -> Outcome:
    tenant.refresh_from_db()
    did: list[str] = []
    ahead = plan(tenant, export=reach.store is not None)
    _note_error(tenant, "")
    if Step.PURGE in ahead.steps and Step.EXPORT not in ahead.steps and not _has_its_export(tenant, reach, go_on):
        ahead = plan(tenant, export=True)
    if Step.EXPORT in ahead.steps:
        did.append(_export(tenant, reach, by=by, go_on=go_on))
        tenant.refresh_from_db()
        ahead = plan(tenant, export=True)
    if Step.PURGE in ahead.steps:
        did.append(_purge(tenant, reach, by=by, go_on=go_on))
    if Step.BURY in ahead.steps:
        tenant = close_for_good(tenant, by=by)
        did.append("closed it for good")
    return Outcome(tenant, tuple(did), ahead.waits_for, ahead.until)


def _until_nobody_can_write(tenant: Tenant, now: datetime) -> Plan | None:
    """None once no credentials that a member holds can write: behind the export's back, or after the purge."""
    frozen = Suspension.objects.filter(tenant=tenant, lifted_at=None).first()
    if frozen is not None and frozen.deny_until is not None and frozen.deny_until <= now:
        return None
    if frozen is None or frozen.denied_at is None:
        return Plan((), "its last credentials to be denied: is `manage.py provision --watch` running?")
    settled = frozen.denied_at + _SPREADS
    return None if settled <= now else Plan((), "all of AWS to know that its last credentials are denied", settled)


def _has_its_export(tenant: Tenant, reach: Reach, go_on: Tell) -> bool:
    """Whether what was exported is still where it is asked for. Where it is not, it counts as not exported.

    Once rows have been purged there is nothing to export again.
    """
    closing = _closing_of(tenant)
    if reach.store is None or closing.exported_at is None or closing.purged_at is not None:
        return True
    if is_whole(_store_of(closing, reach.store), manifest_sha256=closing.manifest_hash, tell=go_on):
        return True
    go_on("its export is not there any more as it was written: exporting again")
    Closing.objects.filter(pk=closing.pk, purged_at=None).update(exported_at=None)
    return False


def _store_of(closing: Closing, stores: Callable[[str], ExportStore]) -> ExportStore:
    # A tenant that was reopened and is closed again has other rows.
    anew = f"-{closing.exports}" if closing.exports > 1 else ""
    return stores(f"{closing.tenant.org_id}/{closing.began_at:%Y%m%dT%H%M%S%f}Z{anew}")


def _export(tenant: Tenant, reach: Reach, *, by: Actor, go_on: Tell) -> str:
    if reach.store is None:
        raise ValueError("There is nowhere to export to.")
    closing, org = _closing_of(tenant), OrgId(str(tenant.org_id))
    store = _store_of(closing, reach.store)
    done = export_tenant(closing, rows=reach.rows(org), space=own_space(org), store=store, tell=go_on)
    facts = {"manifest_hash": done.manifest_sha256, "export_url": store.url, "rows_exported": done.rows}
    with transaction.atomic():
        if not Closing.objects.filter(pk=closing.pk, ended_at=None).update(exported_at=timezone.now(), **facts):
            raise NotNow(f"{tenant} was reopened while it was being exported. Its rows are as they were.")
        after = {"rows": done.rows, "to": store.url, "manifest_sha256": done.manifest_sha256}
        record(Action.TENANT_EXPORTED, by=by, org=tenant.org_id, target=tenant.name, after=after)
    return f"exported {done.rows:,} rows to {store.url}"


def _purge(tenant: Tenant, reach: Reach, *, by: Actor, go_on: Tell) -> str:
    """Collection by collection, from the catalogue, which goes once nothing is left that is found by it."""
    org = OrgId(str(tenant.org_id))
    closing = _begun_purging(tenant, export=reach.store is not None)
    rows, space = reach.rows(org), own_space(org)

    def delete(partition: str, called: str) -> None:
        go_on(f"purging {called}")
        rows.delete_partition(partition, on_page=lambda count: _count_purged(closing, called, count, go_on))

    partitions = {space.collection(name): name for name in rows.collections(space)}
    for partition, name in partitions.items():
        delete(partition, name)
    _check_empty(tenant, rows, partitions, go_on)
    delete(space.catalogue, "the catalogue")
    _check_empty(tenant, rows, {space.catalogue: "the catalogue"}, go_on)
    closing.refresh_from_db()
    closing.purged_at = closing.verified_at = timezone.now()
    with transaction.atomic():
        closing.save(update_fields=["purged_at", "verified_at"])
        looked_into = sorted(partitions.values())
        after = {
            "rows": closing.rows_purged,
            "exported": closing.exported_at is not None,
            "looked_into": looked_into[:_MOST_NAMED],
        }
        record(Action.TENANT_PURGED, by=by, org=tenant.org_id, target=tenant.name, after=after)
    collections = "1 collection" if len(partitions) == 1 else f"{len(partitions):,} collections"
    return f"purged {closing.rows_purged:,} rows, and found none left in its catalogue and {collections}"


def _begun_purging(tenant: Tenant, *, export: bool) -> Closing:
    """From here on nobody can reopen it: decided anew while nobody else can change the tenant."""
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
        if plan(tenant, export=export).steps[:1] != (Step.PURGE,):
            raise NotNow(f"{tenant} was reopened meanwhile and is being closed anew. Nothing was purged.")
        closing = _closing_of(tenant)
        closing.purged_at = closing.purged_at or timezone.now()
        closing.save(update_fields=["purged_at"])
    return closing


def _count_purged(closing: Closing, called: str, count: int, go_on: Tell) -> None:
    """Page by page: a job that is killed leaves one page uncounted at the most."""
    Closing.objects.filter(pk=closing.pk).update(rows_purged=F("rows_purged") + count)
    closing.refresh_from_db(fields=["rows_purged"])
    go_on(f"purging {called}: {closing.rows_purged:,} rows so far")


def _check_empty(tenant: Tenant, rows: TenantRows, partitions: Mapping[str, str], go_on: Tell) -> None:
    """`partitions` with what people call them."""
    left = []
    for partition, called in partitions.items():
        go_on(f"looking into {called}")
        if not rows.is_empty(partition):
            left.append(called)
    if left:
        raise NotNow(f"Rows of {tenant} are left in {', '.join(left)}. Run the job again.")


def _note_error(tenant: Tenant, why: str) -> None:
    Closing.objects.filter(tenant=tenant, ended_at=None).update(last_error=why[:_MOST_ERROR])


def _closing_of(tenant: Tenant) -> Closing:
    closing = Closing.objects.select_related("tenant").filter(tenant=tenant, ended_at=None).first()
    if closing is None:
        raise NotNow(f"{tenant} is not being closed. Nothing was changed.")
    return closing
