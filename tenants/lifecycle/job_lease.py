"""A closing job's lease on its tenant: short, and renewed while the job lives, so that the next one soon goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from django.db import DatabaseError, connection

from tenants.domain.errors import NotNow
from tenants.models import Lease, Tenant

SECONDS = 3.0
# A job that was killed holds its lease no longer than this.
WAIT_SECONDS = SECONDS + 1
_TRY_EVERY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class JobLease:
    tenant: Tenant
    holder: str

    @property
    def name(self) -> str:
        return f"closing {self.tenant.org_id}"

    def is_ours(self) -> bool:
        """Takes or renews it. False if another job has it."""
        return Lease.objects.take(self.name, holder=self.holder, seconds=SECONDS)

    def renew(self) -> None:
        """Raises NotNow if another job has taken over."""
        if not self.is_ours():
            raise NotNow(f"Another job has taken over closing {self.tenant}: this one was not heard of for too long.")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Waits for as long as the lease of a killed job lasts. Then raises NotNow: another job is alive."""
        until = time.monotonic() + WAIT_SECONDS
        while not self.is_ours():
            if time.monotonic() > until:
                raise NotNow(f"Another job is closing {self.tenant} right now.")
            time.sleep(_TRY_EVERY_SECONDS)
        try:
            with self._renewed():
                yield
        finally:
            Lease.objects.give_back(self.name, holder=self.holder)

    @contextmanager
    def _renewed(self) -> Iterator[None]:
        """In a thread, because a single call to AWS can take longer than the lease lasts."""
        ended = threading.Event()
        thread = threading.Thread(target=self._renew_until, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _renew_until(self, ended: threading.Event) -> None:
        try:
            while not ended.wait(SECONDS / 4):
                # The job itself finds out if the lease is lost. While the database is away, so is the job's own work.
                with suppress(DatabaseError):
                    if Lease.objects.filter(name=self.name, holder=self.holder).exists():
                        self.is_ours()
        finally:
            connection.close()
