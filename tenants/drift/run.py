"""The user pool compared with the members. Changes made outside the portal are found, kept, and repaired if asked.

A run ends with an entry in the audit trail. The next run goes on with one that was stopped, as long as what that has
seen is not too old.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from uuid import UUID

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from tenants.audit import NewEntry, record, record_all
from tenants.audit.actions import Action
from tenants.aws.directory import Directory
from tenants.domain.actor import Actor
from tenants.domain.errors import Misconfigured, PortalError
from tenants.domain.org_id import is_org_id
from tenants.drift.checkpoint import REPAIR, Checkpoint, Progress
from tenants.drift.paced_pool import PacedPool
from tenants.drift.repair import Repair, how_to_recreate, too_many_to_recreate
from tenants.drift.run_lock import RunLock
from tenants.drift.walk import Listener, PoolComparison
from tenants.members.open_recovery import note_owners_with_a_password
from tenants.models import MOST_REASON, Drift, DriftKind, Member, Provisioning, Reconciliation, Tenant
from tenants.provisioning.pace import Pacer

RESUMED_WITHIN = timedelta(hours=1)
KEPT_RUNS = 20
_SAMPLE = 10
_MOST_TOLD = 20
# Of each quota, for a run that nobody waits for.
SHARE = 0.25


@dataclass(frozen=True, slots=True)
class RunOptions:
    """`tenant` None is the whole pool. `recreate`: up to so many missing users may be created again, even where so many
    missing would otherwise stop the repair. `hosted_sign_ups`: people may sign up at Cognito's own pages.
    `scheduled`: nobody waits for it, so it leaves most of each quota to others and the trail hears of news only."""

    tenant: Tenant | None = None
    repair: bool = False
    recreate: int = 0
    hosted_sign_ups: bool = False
    scheduled: bool = False


@dataclass(frozen=True, slots=True)
class RunResult:
    """`found` differences by kind; `left` are not repaired. `refused` is why repairing may not be begun, or "".

    `waiting` users signed up and have not signed in yet, which is no difference.
    """

    run: Reconciliation
    found: dict[str, int]
    left: int
    refused: str
    waiting: int = 0


def reconcile(
    options: RunOptions,
    *,
    directory: Directory,
    pacer: Pacer,
    holder: str,
    by: Actor,
    stop: threading.Event,
    listener: Listener = Listener(),  # noqa: B008 - it is frozen
) -> RunResult:
    """Raises NotNow while another run goes on or once `stop` is set, Misconfigured where this is not the portal's pool,
    and what Cognito answers. What was found until then is kept. Call it outside a transaction."""
    lock = RunLock(holder, stop)
    lock.take()
    try:
        run = _resumed_or_new(options, directory.pool_id, listener)
        pool = PacedPool(directory, pacer, lock.check, stop.wait, share=SHARE if options.scheduled else 1.0)
        repair = Repair(run, directory, pacer, holder, by, lock.check, stop.wait, listener.progress)
        progress = Progress(run, directory.pool_id, lock)
        try:
            comparison = PoolComparison(
                progress,
                pool,
                listener,
                lambda it: _check_pool(it, allowed=options.recreate),
                hosted_sign_ups=options.hosted_sign_ups,
            )
            comparison.compare()
            return _finish(options, comparison, repair, by=by)
        except PortalError as error:
            _note_stopped(run, error, by=by, is_told=not options.scheduled)
            raise
    finally:
        lock.give_back()


def _resumed_or_new(options: RunOptions, pool_id: str, listener: Listener) -> Reconciliation:
    last = Reconciliation.objects.filter(tenant=options.tenant).order_by("-started_at").first()
    if last is None or last.finished_at is not None:
        return _new_run(options, pool_id)
    began = f"{last.started_at:%Y-%m-%d %H:%M} UTC"
    if why := _why_not_resumed(last, options, pool_id):
        listener.say(f"The comparison of {began} was not finished, and {why}. Beginning anew.")
        return _new_run(options, pool_id)
    listener.say(f"Going on with the comparison of {began}, after {last.users_seen} users.")
    last.repairing, last.last_error = options.repair, ""
    last.save(update_fields=["repairing", "last_error"])
    return last


def _why_not_resumed(run: Reconciliation, options: RunOptions, pool_id: str) -> str:
    checkpoint = Checkpoint.of(run)
    if timezone.now() - run.started_at > RESUMED_WITHIN:
        return "is too old to go on with"
    if checkpoint.pool_id != pool_id:
        return "was of another user pool"
    if checkpoint.phase == REPAIR and not options.repair:
        return "had come to its repairs, which are not asked for now"
    return ""


def _new_run(options: RunOptions, pool_id: str) -> Reconciliation:
    kept = set(Reconciliation.objects.order_by("-started_at").values_list("pk", flat=True)[: KEPT_RUNS - 1])
    kept |= {run.pk for run in Reconciliation.objects.newest_and_complete() if run is not None}
    Reconciliation.objects.exclude(pk__in=kept).delete()
    start = Checkpoint.first(pool_id, one_tenant=options.tenant is not None)
    return Reconciliation.objects.create(tenant=options.tenant, repairing=options.repair, after=str(start))


def _check_pool(comparison: PoolComparison, *, allowed: int) -> None:
    """No user counts as missing from a pool that knows none of the portal's members."""
    lost = comparison.not_seen.filter(provisioning=Provisioning.SETTLED).count()
    if lost <= allowed or _knows_a_member(comparison):
        return
    comparison.progress.start_over()
    raise Misconfigured(
        f"The user pool {comparison.pool.pool_id} knows none of the portal's members: it is not the portal's pool, or "
        "it was emptied. Nothing was changed. Look at COGNITO_USER_POOL_ID. If the users were deleted and are to be "
        f"created again, each with a new invitation: `{how_to_recreate(comparison.run, lost)}`."
    )


def _knows_a_member(comparison: PoolComparison) -> bool:
    """Some are looked up where the pages confirmed none, since they may be old. For one tenant no page was read, and it
    may have lost its few users: some of the others' are looked up too."""
    run = comparison.run
    if run.tenant is None and comparison.members.filter(seen_at__gte=run.started_at).exists():
        return True
    settled = Member.objects.filter(provisioning=Provisioning.SETTLED, person__sub__isnull=False).order_by("pk")
    others, own = settled.exclude(tenant=run.tenant), settled.filter(tenant=run.tenant)
    sample = chain(others.select_related("person")[:_SAMPLE], own.select_related("person")[:_SAMPLE])
    return any(comparison.pool.look(str(member.person.sub)) is not None for member in sample)


def _finish(options: RunOptions, comparison: PoolComparison, repair: Repair, *, by: Actor) -> RunResult:
    run = comparison.run
    note_owners_with_a_password(comparison.members)
    run.found = run.drifts.exclude(kind=DriftKind.WAITING).count()
    run.save(update_fields=["found"])
    refused = too_many_to_recreate(run, members=comparison.members.count(), allowed=options.recreate)
    if options.repair and not refused:
        repair.repair_all()
    found = _found_by(run)
    waiting = run.drifts.filter(kind=DriftKind.WAITING).count()
    before = _run_before(run)
    with transaction.atomic():
        run.finished_at, run.after = timezone.now(), ""
        run.last_error = refused[:MOST_REASON] if options.repair else ""
        run.save()
        if not options.scheduled or before is None or found != _found_by(before):
            _record(Action.RECONCILED, run, by=by, found=found, why=run.last_error)
        if run.tenant is None:
            _record_new_strangers(run, before, by=by)
    return RunResult(run, found, run.found - run.repaired, refused, waiting)


def _found_by(run: Reconciliation) -> dict[str, int]:
    """Differences by kind."""
    differing = run.drifts.exclude(kind=DriftKind.WAITING)
    return dict(differing.values_list("kind").annotate(Count("pk")).order_by("kind"))


def _run_before(run: Reconciliation) -> Reconciliation | None:
    """The last complete one of the whole pool."""
    return Reconciliation.objects.exclude(pk=run.pk).complete()


def _record_new_strangers(run: Reconciliation, before: Reconciliation | None, *, by: Actor) -> None:
    """An entry for each user whom the portal did not make and the run before had not found, up to a limit."""
    strangers = run.drifts.strangers()
    known = before.drifts.filter(kind=DriftKind.UNKNOWN_USER).values("sub") if before else Drift.objects.none()
    new = strangers.exclude(sub__in=known.values("sub")).order_by("pk")[:_MOST_TOLD]
    record_all([_of_a_stranger(drift, by) for drift in new])


def _of_a_stranger(drift: Drift, by: Actor) -> NewEntry:
    org = UUID(drift.seen_org) if is_org_id(drift.seen_org) else None
    after = {"sub": drift.sub, "role": drift.seen_role, "enabled": drift.seen_enabled}
    return NewEntry(Action.USER_UNKNOWN, by, org, drift.email or drift.sub, after=after)


def _note_stopped(run: Reconciliation, error: PortalError, *, by: Actor, is_told: bool) -> None:
    """The checkpoint was saved with what was found last."""
    with transaction.atomic():
        run.last_error = error.for_operators[:MOST_REASON]
        Reconciliation.objects.filter(pk=run.pk).update(last_error=run.last_error)
        if is_told:
            _record(Action.RECONCILIATION_STOPPED, run, by=by, why=run.last_error)


def _record(action: Action, run: Reconciliation, *, by: Actor, why: str, found: dict[str, int] | None = None) -> None:
    counted = {"users": run.users_seen, "found": run.found if found is None else found, "repaired": run.repaired}
    record(
        action,
        by=by,
        org=run.tenant.org_id if run.tenant else None,
        target=run.tenant.name if run.tenant else "the whole pool",
        after={"repairing": run.repairing, **counted},
        why=why,
    )
