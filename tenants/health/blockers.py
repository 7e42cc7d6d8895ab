"""What keeps a suspension from reaching its next ring, for whoever waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from tenants.lifecycle.no_worker import no_worker
from tenants.lifecycle.suspension import rings
from tenants.models import Member, Provisioning, Suspension, Worker
from tenants.provisioning.halt import why_halted

_WRITTEN_WITHIN = timedelta(seconds=15)


def blockers(suspension: Suspension) -> tuple[str, ...]:
    """A sentence each, and none where it only takes its time, or nothing is left to be reached."""
    if suspension.lifted_at or rings(suspension).all_reached:
        return ()
    return tuple(_obstacles(suspension))


def _let_in(suspension: Suspension) -> Iterator[str]:
    known = Member.objects.filter(tenant=suspension.tenant_id, provisioning=Provisioning.SETTLED, seen_enabled=True)
    if suspension.signed_out_at is None and (count := known.count()):
        slug = suspension.tenant.slug
        yield f"{count} was enabled in Cognito past the portal: manage.py reconcile --tenant {slug} --repair."


def _obstacles(suspension: Suspension) -> Iterator[str]:
    now = timezone.now()
    if reason := why_halted():
        yield f"Cognito does not let the worker go on: {reason}"
    if missing := no_worker():
        yield missing
    elif suspension.denied_at is None and suspension.began_at < now - _WRITTEN_WITHIN:
        unwritten = Worker.objects.heard_of(now).exclude(unwritten="").values_list("unwritten", flat=True).first()
        why = f": {unwritten}" if unwritten else "; its log says why."
        yield f"The worker has not written the policy SuspendedTenants{why}"
    yield from _let_in(suspension)
    stuck = Member.objects.filter(tenant=suspension.tenant_id, provisioning=Provisioning.STUCK).count()
    if stuck and suspension.signed_out_at is None:
        slug = suspension.tenant.slug
        yield f"{stuck} cannot be disabled in Cognito; why, says manage.py member list --tenant {slug} --state stuck."
