"""Where a run goes on, saved together with what it has found, so that a run that is killed goes on where it stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from tenants.drift.comparison import is_let_in
from tenants.drift.run_lock import RunLock
from tenants.lifecycle.suspension import begin_again
from tenants.models import Drift, Reconciliation

POOL, CHECK, MEMBERS, USERS, REPAIR = "pool", "check", "members", "users", "repair"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """As `Reconciliation.after` keeps it. Good for this pool only."""

    pool_id: str
    phase: str
    after: str = ""

    @classmethod
    def of(cls, run: Reconciliation) -> Checkpoint:
        pool_id, phase, after = [*run.after.split(" ", 2), "", "", ""][:3]
        return cls(pool_id, phase, after)

    @classmethod
    def first(cls, pool_id: str, *, one_tenant: bool) -> Checkpoint:
        return cls(pool_id, CHECK if one_tenant else POOL)

    def __str__(self) -> str:
        return f"{self.pool_id} {self.phase} {self.after}"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come, read from its row and written there."""

    run: Reconciliation
    pool_id: str
    lock: RunLock

    @property
    def phase(self) -> str:
        return Checkpoint.of(self.run).phase

    @property
    def after(self) -> str:
        """Where the phase goes on; "" and "0" are its beginning."""
        return Checkpoint.of(self.run).after

    def start(self, phase: str) -> None:
        with self.saved(phase, 0):
            pass

    def start_over(self) -> None:
        """From the first page: what was found so far counts no more."""
        with transaction.atomic():
            self.lock.keep()
            self.run.drifts.all().delete()
            self.run.started_at, self.run.users_seen, self.run.found = timezone.now(), 0, 0
            self.run.after = str(Checkpoint.first(self.pool_id, one_tenant=self.run.tenant is not None))
            self.run.save()

    @contextmanager
    def saved(self, phase: str, after: object, *, users: int = 0) -> Iterator[list[Drift]]:
        """Saves the differences that are put into the list and the checkpoint in one transaction. Raises NotNow."""
        drifts: list[Drift] = []
        with transaction.atomic():
            self.lock.keep()
            yield drifts
            for drift in drifts:
                drift.reconciliation = self.run
            Drift.objects.bulk_create(drifts)
            self.run.after = str(Checkpoint(self.pool_id, phase, str(after)))
            counted = {"users_seen": F("users_seen") + users, "found": F("found") + len(drifts)}
            Reconciliation.objects.filter(pk=self.run.pk).update(after=self.run.after, **counted)
        self.run.users_seen += users
        self.run.found += len(drifts)
        _restart_suspensions(drifts)


def _restart_suspensions(drifts: list[Drift]) -> None:
    """Outside the transaction that locks members: suspending a tenant locks the suspension first, then members."""
    let_in = {drift.member.tenant_id for drift in drifts if is_let_in(drift) and drift.member is not None}
    begin_again([pk for pk in let_in if pk is not None])
