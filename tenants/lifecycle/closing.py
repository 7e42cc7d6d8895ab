"""Closing a tenant for good: export, grace period, purge, check that no row is left, tombstone.

Each step can be resumed where it stopped. Rows are reached with credentials of ClosingRole that carry this one
organisation's tag, so a mistake here cannot reach another tenant's rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
from tenants.lifecycle.export import Report, export_tenant, is_complete, named_collections
from tenants.lifecycle.job_lease import JobLease
from tenants.lifecycle.purge import purge_rows
from tenants.lifecycle.transitions import close_for_good
from tenants.models import Closing, Suspension, Tenant

# IAM needs some seconds until all of its machines know of a denial.
_SPREAD_TIME = timedelta(seconds=60)
_LONGEST_ERROR = 500
_MOST_COLLECTIONS_NAMED = 50


class ClosingStep(StrEnum):
    EXPORT = "export its rows"
    PURGE = "purge its rows, and look whether any is left"
    CLOSE_FOR_GOOD = "close it for good"


@dataclass(frozen=True, slots=True)
class Reach:
    """How the job reaches rows and exports: `rows` by org id, `store` by the export's place below the target.

    If `store` is None, rows are purged that were never exported.
    """

    rows: Callable[[OrgId], TenantRows]
    store: Callable[[str], ExportStore] | None


@dataclass(frozen=True, slots=True)
class ClosingPlan:
    """The steps that can be taken now. `waits_for` is what must happen before the other steps, "" if there are none.

    `until` is when that will have happened, None if unknown.
    """

    steps: tuple[ClosingStep, ...] = ()
    waits_for: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClosingResult:
    """`did` has a phrase for each step taken. `waits_for` and `until` are those of the plan for the other steps."""

    tenant: Tenant
    did: tuple[str, ...] = ()
    waits_for: str = ""
    until: datetime | None = None


def closing_tenants() -> Iterator[Tenant]:
    """All tenants that are being closed, the oldest closing first."""
    yield from Tenant.objects.filter(state=TenantState.CLOSING).order_by("closing_at", "pk")


def plan_closing(tenant: Tenant, *, export: bool) -> ClosingPlan:
    """What the job would do now, decided from the database alone. Empty for a closed tenant.

    Without `export`, rows are purged that were never exported. Raises NotNow for a tenant that is not being closed.
    """
    if tenant.state == TenantState.CLOSED:
        return ClosingPlan()
    closing, now = _closing_of(tenant), timezone.now()
    wait = _wait_for_denial(tenant, now)
    if wait is not None:
        return wait
    # Once the purge has begun, an export would hold only what is left.
    to_export = export and closing.exported_at is None and closing.purged_at is None
    first = (ClosingStep.EXPORT,) if to_export else ()
    if tenant.purge_after is None or now < tenant.purge_after:
        return ClosingPlan(first, "the grace period to end", tenant.purge_after)
    purge = (ClosingStep.PURGE,) if closing.verified_at is None else ()
    return ClosingPlan((*first, *purge, ClosingStep.CLOSE_FOR_GOOD))


def continue_closing(tenant: Tenant, *, reach: Reach, holder: str, by: Actor, report: Report) -> ClosingResult:
    """Takes the steps of the plan. `holder` is a name that no other job has; `report` gets lines of progress.

    Raises NotNow if another job is closing the tenant, if it is not being closed, or if rows are left after the purge;
    also what `reach` raises. The reason is kept as the closing's `last_error` until a job goes on.
    """
    lease = JobLease(tenant, holder)

    def renew_and_report(line: str) -> None:
        lease.renew()
        report(line)

    with lease.held():
        try:
            return _close(tenant=tenant, reach=reach, by=by, report=renew_and_report)
        except Exception as error:
            with suppress(DatabaseError):
                # A job that has taken over keeps its own error.
                if lease.is_ours():
                    _keep_error(tenant, why_failed(error))
            raise


def why_failed(error: Exception) -> str:
    """A sentence for operators. An error that is not a PortalError is a mistake in the job; only its type is shown."""
    if isinstance(error, PortalError):
        return error.for_operators
    return f"There is a mistake in the closing job itself ({type(error).__name__}). Its output says more."


# The audit trail keeps the name of this function with a refusal.
@audit_refusals(Action.TENANT_REFUSED)
def _close(*, tenant: Tenant, reach: Reach, by: Actor, report: Report) -> ClosingResult:
    tenant.refresh_from_db()
    did: list[str] = []
    plan = plan_closing(tenant, export=reach.store is not None)
    _keep_error(tenant, "")
    if plan.steps[:1] == (ClosingStep.PURGE,) and not _has_its_export(tenant, reach, report):
        plan = plan_closing(tenant, export=True)
    if ClosingStep.EXPORT in plan.steps:
        did.append(_export(tenant, reach, by=by, report=report))
        tenant.refresh_from_db()
        plan = plan_closing(tenant, export=True)
    if ClosingStep.PURGE in plan.steps:
        did.append(_purge(tenant, reach, by=by, report=report))
    if ClosingStep.CLOSE_FOR_GOOD in plan.steps:
        tenant = close_for_good(tenant, by=by)
        did.append("closed it for good")
    return ClosingResult(tenant, tuple(did), plan.waits_for, plan.until)


def _wait_for_denial(tenant: Tenant, now: datetime) -> ClosingPlan | None:
    """None once no member's credentials can write. A row written later would miss the export, or outlive the purge."""
    suspension = Suspension.objects.filter(tenant=tenant, lifted_at=None).first()
    if suspension is not None and suspension.deny_until is not None and suspension.deny_until <= now:
        return None
    if suspension is None or suspension.denied_at is None:
        return ClosingPlan((), "its last credentials to be denied: is `manage.py provision --watch` running?")
    known_everywhere = suspension.denied_at + _SPREAD_TIME
    if known_everywhere <= now:
        return None
    return ClosingPlan((), "all of AWS to know that its last credentials are denied", known_everywhere)


def _has_its_export(tenant: Tenant, reach: Reach, report: Report) -> bool:
    """Whether the export is in the store as it was written, and holds every collection of the catalogue.

    If not, the tenant counts as not exported. True if no export is wanted, and once rows have been purged: then there
    is nothing to export again.
    """
    closing = _closing_of(tenant)
    if reach.store is None or closing.exported_at is None or closing.purged_at is not None:
        return True
    store = _store_of(closing, reach.store)
    kept = Closing.objects.filter(pk=closing.pk, purged_at=None)
    if not is_complete(store, manifest_sha256=closing.manifest_hash, report=report):
        report("its export is missing or was changed: exporting again")
        kept.update(exported_at=None)
        return False
    org = OrgId(str(tenant.org_id))
    named = named_collections(store, manifest_sha256=closing.manifest_hash) or frozenset()
    if named.issuperset(reach.rows(org).collections(own_space(org))):
        return True
    report("a collection came after its export: exporting again")
    kept.update(exported_at=None, exports=F("exports") + 1)
    return False


def _store_of(closing: Closing, store: Callable[[str], ExportStore]) -> ExportStore:
    # A second export of the same closing goes to another place: its rows are other rows.
    number = f"-{closing.exports}" if closing.exports > 1 else ""
    return store(f"{closing.tenant.org_id}/{closing.began_at:%Y%m%dT%H%M%S%f}Z{number}")


def _export(tenant: Tenant, reach: Reach, *, by: Actor, report: Report) -> str:
    if reach.store is None:
        raise ValueError("There is nowhere to export to.")
    closing, org = _closing_of(tenant), OrgId(str(tenant.org_id))
    store = _store_of(closing, reach.store)
    done = export_tenant(closing, rows=reach.rows(org), space=own_space(org), store=store, report=report)
    facts = {"manifest_hash": done.manifest_sha256, "export_url": store.url, "rows_exported": done.rows}
    with transaction.atomic():
        if not Closing.objects.filter(pk=closing.pk, ended_at=None).update(exported_at=timezone.now(), **facts):
            raise NotNow(f"{tenant} was reopened while it was being exported. Its rows were not changed.")
        after = {"rows": done.rows, "to": store.url, "manifest_sha256": done.manifest_sha256}
        record(Action.TENANT_EXPORTED, by=by, org=tenant.org_id, target=tenant.name, after=after)
    return f"exported {done.rows:,} rows to {store.url}"


def _purge(tenant: Tenant, reach: Reach, *, by: Actor, report: Report) -> str:
    org = OrgId(str(tenant.org_id))
    closing = begin_purging(tenant, export=reach.store is not None)
    collections = purge_rows(
        closing,
        rows=reach.rows(org),
        space=own_space(org),
        exported=_exported_collections(closing, reach),
        report=report,
    )
    closing.refresh_from_db()
    closing.purged_at = closing.verified_at = timezone.now()
    after = {
        "rows": closing.rows_purged,
        "exported": closing.exported_at is not None,
        "looked_into": collections[:_MOST_COLLECTIONS_NAMED],
    }
    with transaction.atomic():
        closing.save(update_fields=["purged_at", "verified_at"])
        record(Action.TENANT_PURGED, by=by, org=tenant.org_id, target=tenant.name, after=after)
    places = "1 collection" if len(collections) == 1 else f"{len(collections):,} collections"
    return f"purged {closing.rows_purged:,} rows, and found none left in its catalogue and {places}"


def _exported_collections(closing: Closing, reach: Reach) -> frozenset[str] | None:
    """What may be purged; None for everything, where no export is wanted. Raises NotNow if the export is gone."""
    if reach.store is None:
        return None
    named = named_collections(_store_of(closing, reach.store), manifest_sha256=closing.manifest_hash)
    if named is None:
        raise NotNow(
            f"The export of {closing.tenant} is missing or was changed after the purge began. Nothing more was purged. "
            "Put it back, or run the job without an export."
        )
    return named


def begin_purging(tenant: Tenant, *, export: bool) -> Closing:
    """From here on the tenant cannot be reopened. Plans again with the tenant locked; raises NotNow if the purge is
    not the next step any more.
    """
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        if plan_closing(tenant, export=export).steps[:1] != (ClosingStep.PURGE,):
            raise NotNow(f"{tenant} was reopened meanwhile and is being closed anew. Nothing was purged.")
        closing = _closing_of(tenant)
        closing.purged_at = closing.purged_at or timezone.now()
        closing.save(update_fields=["purged_at"])
    return closing


def _keep_error(tenant: Tenant, why: str) -> None:
    Closing.objects.filter(tenant=tenant, ended_at=None).update(last_error=why[:_LONGEST_ERROR])


def _closing_of(tenant: Tenant) -> Closing:
    closing = Closing.objects.select_related("tenant").filter(tenant=tenant, ended_at=None).first()
    if closing is None:
        raise NotNow(f"{tenant} is not being closed. Nothing was changed.")
    return closing
