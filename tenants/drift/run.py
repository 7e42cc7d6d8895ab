"""The user pool compared with the members: what was changed past the portal is found, kept, and repaired if asked for.

A run ends with an entry in the audit trail. One that was stopped is taken up by the next, as long as what it has seen
is not too old.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.aws.directory import Directory
from tenants.domain.actor import Actor
from tenants.domain.errors import Misconfigured, PortalError
from tenants.drift.paced_pool import PacedPool
from tenants.drift.repair import Repair, how_to_recreate, too_many_to_recreate
from tenants.drift.walk import CHECK, POOL, REPAIR, Checkpoint, Listener, PoolComparison, RunLock
from tenants.models import MOST_REASON, Member, Provisioning, Reconciliation, Tenant
from tenants.provisioning.pace import Pacer

TAKEN_UP_WITHIN = timedelta(hours=1)
KEPT_RUNS = 20
_SAMPLE = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """`tenant` None is the whole pool. `recreate`: so many users may be created again where so many are missing that it
    would be reason to stop."""

    tenant: Tenant | None = None
    repair: bool = False
    recreate: int = 0


@dataclass(frozen=True, slots=True)
class Reconciled:
    """`found` differences by kind; `left` are not repaired. `refused` is why repairing may not be begun, or ""."""

    run: Reconciliation
    found: dict[str, int]
    left: int
    refused: str


def reconcile(
    asked: Asked,
    *,
    directory: Directory,
    pacer: Pacer,
    holder: str,
    by: Actor,
    stop: threading.Event,
    listener: Listener = Listener(),  # noqa: B008 - it is frozen
) -> Reconciled:
    """Raises NotNow while another run goes on or once `stop` is set, Misconfigured where this is not the portal's pool,
    and what Cognito answers. What was found until then is kept. Call it outside a transaction."""
    turn = RunLock(holder, stop)
    turn.take()
    try:
        run = _begun(asked, directory.pool_id, listener)
        pool = PacedPool(directory, pacer, turn.go_on, stop.wait)
        repair = Repair(run, directory, pacer, holder, by, turn.go_on, stop.wait, listener.progress)
        try:
            walk = PoolComparison(run, pool, turn, listener, lambda walk: _check_pool(walk, allowed=asked.recreate))
            walk.compare()
            return _finished(asked, walk, repair, by=by)
        except PortalError as error:
            _note_stopped(run, error, by=by)
            raise
    finally:
        turn.give_back()


def _begun(asked: Asked, pool_id: str, listener: Listener) -> Reconciliation:
    last = Reconciliation.objects.filter(tenant=asked.tenant).order_by("-started_at").first()
    if last is None or last.finished_at is not None:
        return _new_run(asked, pool_id)
    began = f"{last.started_at:%Y-%m-%d %H:%M} UTC"
    if why := _cannot_be_taken_up(last, asked, pool_id):
        listener.say(f"The comparison of {began} was not finished, and {why}. Beginning anew.")
        return _new_run(asked, pool_id)
    listener.say(f"Going on with the comparison of {began}, after {last.users_seen} users.")
    last.repairing, last.last_error = asked.repair, ""
    last.save(update_fields=["repairing", "last_error"])
    return last


def _cannot_be_taken_up(run: Reconciliation, asked: Asked, pool_id: str) -> str:
    place = Checkpoint.of(run)
    if timezone.now() - run.started_at > TAKEN_UP_WITHIN:
        return "is too old to go on with"
    if place.pool_id != pool_id:
        return "was of another user pool"
    return "had come to its repairs, which are not asked for now" if place.phase == REPAIR and not asked.repair else ""


def _new_run(asked: Asked, pool_id: str) -> Reconciliation:
    kept = set(Reconciliation.objects.order_by("-started_at").values_list("pk", flat=True)[: KEPT_RUNS - 1])
    if of_the_pool := Reconciliation.objects.of_the_pool():
        kept.add(of_the_pool.pk)
    Reconciliation.objects.exclude(pk__in=kept).delete()
    start = Checkpoint(pool_id, CHECK if asked.tenant else POOL)
    return Reconciliation.objects.create(tenant=asked.tenant, repairing=asked.repair, after=str(start))


def _check_pool(walk: PoolComparison, *, allowed: int) -> None:
    """Nobody is concluded to be missing from a pool in which nobody at all is known."""
    lost = walk.not_met.filter(provisioning=Provisioning.SETTLED).count()
    if lost <= allowed or _somebody_is_known(walk):
        return
    walk.begin_again()
    raise Misconfigured(
        f"The user pool {walk.pool.pool_id} knows none of the portal's members: it is not the portal's pool, or it was "
        "emptied. Nothing was changed. Look at COGNITO_USER_POOL_ID. If the users were deleted and are to be created "
        f"again, each with a new invitation: `{how_to_recreate(walk.run, lost)}`."
    )


def _somebody_is_known(walk: PoolComparison) -> bool:
    """For one tenant no page was read, and it may have lost its few users: other tenants' members are asked for too."""
    if walk.run.tenant is None:
        return walk.members.filter(seen_at__gte=walk.run.started_at).exists()
    settled = Member.objects.filter(provisioning=Provisioning.SETTLED, person__sub__isnull=False).order_by("pk")
    others, own = settled.exclude(tenant=walk.run.tenant), settled.filter(tenant=walk.run.tenant)
    sample = chain(others.select_related("person")[:_SAMPLE], own.select_related("person")[:_SAMPLE])
    return any(walk.pool.look(str(member.person.sub)) is not None for member in sample)


def _finished(asked: Asked, walk: PoolComparison, repair: Repair, *, by: Actor) -> Reconciled:
    run = walk.run
    run.found = run.drifts.count()
    run.save(update_fields=["found"])
    refused = too_many_to_recreate(run, members=walk.members.count(), allowed=asked.recreate)
    if asked.repair and not refused:
        repair.everything()
    found = dict(run.drifts.values_list("kind").annotate(Count("pk")).order_by("kind"))
    with transaction.atomic():
        run.finished_at, run.after = timezone.now(), ""
        run.last_error = refused[:MOST_REASON] if asked.repair else ""
        run.save()
        _record(Action.RECONCILED, run, by=by, found=found, why=run.last_error)
    return Reconciled(run, found, run.found - run.repaired, refused)


def _note_stopped(run: Reconciliation, error: PortalError, *, by: Actor) -> None:
    """The place to go on from was written down with what was found last."""
    with transaction.atomic():
        run.last_error = error.for_operators[:MOST_REASON]
        Reconciliation.objects.filter(pk=run.pk).update(last_error=run.last_error)
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
