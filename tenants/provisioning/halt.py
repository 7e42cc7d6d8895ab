"""Provisioning is halted while something stops every member, such as missing permissions."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.domain.actor import WORKER
from tenants.domain.errors import PortalError
from tenants.models import AuditEvent, Lease

_HALTED = "provisioning-halted"


def halt(error: PortalError) -> None:
    """Nobody can be provisioned at the moment: said once, by whoever finds it first."""
    with transaction.atomic():
        _, first = Lease.objects.get_or_create(
            name=_HALTED, defaults={"holder": "", "until": timezone.now() + timedelta(days=36500)}
        )
        if first:
            record(Action.PROVISIONING_HALTED, by=WORKER, why=error.for_operators)


def halted() -> bool:
    return Lease.objects.filter(name=_HALTED).exists()


def why_halted() -> str:
    """ "" where it is not."""
    if not halted():
        return ""
    entry = AuditEvent.objects.filter(action=Action.PROVISIONING_HALTED).order_by("-seq").first()
    return entry.why if entry and entry.why else "The worker’s log says why."


def clear_halt() -> None:
    Lease.objects.filter(name=_HALTED).delete()
