"""Provisioning is halted while something stops every member, such as missing permissions."""

from __future__ import annotations

from django.db import transaction

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.domain.actor import WORKER
from tenants.domain.errors import PortalError
from tenants.models import Halt

_ONLY_ROW = 1


def halt(error: PortalError) -> None:
    """Halts provisioning, with an entry in the audit trail. Does nothing where it is halted already."""
    why = error.for_operators
    with transaction.atomic():
        _, is_new = Halt.objects.get_or_create(pk=_ONLY_ROW, defaults={"why": why})
        if is_new:
            record(Action.PROVISIONING_HALTED, by=WORKER, why=why)


def is_halted() -> bool:
    return Halt.objects.exists()


def why_halted() -> str:
    """For operators. "" where provisioning is not halted."""
    return Halt.objects.values_list("why", flat=True).first() or ""


def clear_halt() -> None:
    Halt.objects.all().delete()
