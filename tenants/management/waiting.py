"""Waiting for the rings around a suspended tenant, with a progress line on terminals."""

from __future__ import annotations

import time

from django.core.management import CommandError
from django.core.management.base import OutputWrapper
from django.utils import timezone

from tenants.health.blockers import blockers
from tenants.lifecycle.suspension import Rings, rings
from tenants.models import Suspension, Tenant

_LOOKS_EVERY_SECONDS = 0.5


def current_suspension(tenant: Tenant) -> Suspension:
    """Raises CommandError where there is none."""
    found = Suspension.objects.filter(tenant=tenant, lifted_at=None).select_related("tenant").first()
    if found is None:
        raise CommandError(f"{tenant} is neither suspended nor being closed.")
    return found


def wait_for(suspension: Suspension, *, seconds: float, stream: OutputWrapper) -> tuple[Rings, tuple[str, ...]]:
    """Returns the rings once all are reached or the time is over, and what blocks the others.

    Raises CommandError if the suspension is lifted meanwhile.
    """
    until = time.monotonic() + seconds
    shown = stream.isatty()
    try:
        while True:
            suspension.refresh_from_db()
            now = rings(suspension)
            if now.lifted_at:
                raise CommandError(f"{suspension.tenant} was reactivated or reopened meanwhile.")
            in_the_way = blockers(suspension)
            if now.all_reached or time.monotonic() >= until:
                return now, in_the_way
            if shown:
                stream.write(f"\r\033[K{_in_a_line(now, in_the_way)}", style_func=str, ending="")
                stream.flush()
            time.sleep(min(_LOOKS_EVERY_SECONDS, max(0.05, until - time.monotonic())))
    finally:
        if shown:
            stream.write("\r\033[K", style_func=str, ending="")
            stream.flush()


def _in_a_line(now: Rings, in_the_way: tuple[str, ...]) -> str:
    waited = int((timezone.now() - now.portal_at).total_seconds())
    cognito = "done" if now.signed_out_at else f"{now.members_left:,} left"
    credentials = "refused" if now.denied_at else "not refused yet"
    return " · ".join([f"{waited} s", f"Cognito: {cognito}", f"credentials: {credentials}", *in_the_way])
