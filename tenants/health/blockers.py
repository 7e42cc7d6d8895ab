"""What keeps a suspension from reaching its next ring, in sentences for operators."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from tenants.lifecycle.suspension import rings
from tenants.members.in_cognito import no_worker
from tenants.models import Member, Provisioning, Suspension, Tenant, Worker
from tenants.provisioning.halt import why_halted

# A running worker writes the policy within this time.
WRITTEN_WITHIN = timedelta(seconds=15)


def blockers(suspension: Suspension) -> tuple[str, ...]:
    """A sentence for each. Empty if the suspension only needs time, if it was lifted, and if all rings are reached."""
    if suspension.lifted_at or rings(suspension).all_reached:
        return ()
    return tuple(_blockers(suspension))


def _blockers(suspension: Suspension) -> Iterator[str]:
    if reason := why_halted():
        yield f"Cognito does not let the worker go on: {reason}"
    yield from _worker(suspension)
    if suspension.signed_out_at is None:
        yield from _members(suspension.tenant)


def _worker(suspension: Suspension) -> Iterator[str]:
    now = timezone.now()
    if missing := no_worker():
        yield missing
    elif suspension.denied_at is None and suspension.deny_since < now - WRITTEN_WITHIN:
        unwritten = Worker.objects.alive(now).exclude(unwritten="").values_list("unwritten", flat=True).first()
        why = f": {unwritten}" if unwritten else "; its log says why."
        yield f"The worker has not written the policy SuspendedTenants{why}"


def _members(tenant: Tenant) -> Iterator[str]:
    members = Member.objects.filter(tenant=tenant)
    if count := members.filter(provisioning=Provisioning.SETTLED, seen_enabled=True).count():
        yield (
            f"{_counted(count)} enabled in Cognito outside the portal. "
            f"Disable them: manage.py reconcile --tenant {tenant.slug} --repair."
        )
    if count := members.filter(provisioning=Provisioning.STUCK).count():
        yield (
            f"{_counted(count)} stuck: they cannot be disabled in Cognito. "
            f"To see why: manage.py member list --tenant {tenant.slug} --state stuck."
        )


def _counted(count: int) -> str:
    return "1 member is" if count == 1 else f"{count:,} members are"
