"""How the platform is doing in three numbers, for the first page that operators see. The overview has the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from tenants.health.overview import Count
from tenants.models import Member, OwnerRecovery, Provisioning, RecoveryResult, Worker
from tenants.provisioning.halt import why_halted

MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Glance:
    """`blocked` are members whom Cognito cannot be made to match. `halted` is why nobody can be provisioned, or ""."""

    workers: int
    blocked: Count
    recoveries: Count
    halted: str


def glance() -> Glance:
    """With one query for each, which stops at a limit."""
    return Glance(
        workers=Worker.objects.alive(timezone.now()).count(),
        blocked=_count(Member.objects.filter(provisioning__in=[Provisioning.STUCK, Provisioning.CONFLICT])),
        recoveries=_count(OwnerRecovery.objects.filter(result=RecoveryResult.WAITING)),
        halted=why_halted(),
    )


def _count(rows: QuerySet[Any]) -> Count:
    counted = rows[: MOST_COUNTED + 1].count()
    return Count(min(counted, MOST_COUNTED), and_more=counted > MOST_COUNTED)
