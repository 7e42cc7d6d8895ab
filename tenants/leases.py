"""What only one program may do at a time, wherever it runs: kept in the database, ended by time if not before."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from tenants.models import Lease


def take(name: str, *, holder: str, seconds: float) -> bool:
    """Whether `holder` may go on: nobody else holds it, or theirs ran out. Asked again, it lasts longer."""
    now = timezone.now()
    until = now + timedelta(seconds=seconds)
    free = Q(holder=holder) | Q(until__lt=now)
    if Lease.objects.filter(free, name=name).update(holder=holder, until=until):
        return True
    try:
        with transaction.atomic():
            Lease.objects.create(name=name, holder=holder, until=until)
    except IntegrityError:
        return False
    return True


def give_back(name: str, *, holder: str) -> None:
    Lease.objects.filter(name=name, holder=holder).delete()
