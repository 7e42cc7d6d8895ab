"""One reconciliation at a time, wherever it runs."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from tenants.domain.errors import NotNow
from tenants.models import Lease

LEASE = "reconciliation"
# A holder whose name begins so leaves the lease to one whose name does not.
GIVES_WAY = "scheduled-"
# Longer than a call with its retries; somebody may wait to run a killed one again.
LEASE_SECONDS = 30.0


@dataclass(slots=True)
class RunLock:
    """`check` is called before each call to Cognito, `keep` in each transaction; both raise NotNow."""

    holder: str
    stop: threading.Event
    _renew_at: float = 0.0

    def take(self) -> None:
        """Raises NotNow while another run has it, unless that one gives way."""
        if not self.holder.startswith(GIVES_WAY):
            Lease.objects.filter(name=LEASE, holder__startswith=GIVES_WAY).delete()
        if Lease.objects.take(LEASE, holder=self.holder, seconds=LEASE_SECONDS):
            return
        other = Lease.objects.filter(name=LEASE).first()
        until = f"{other.until:%H:%M:%S} UTC" if other else "now"
        raise NotNow(f"Another reconciliation is running. If it was killed, this can be run again from {until} on.")

    def check(self) -> None:
        """Raises NotNow once `stop` is set, or another run has taken over."""
        if self.stop.is_set():
            raise NotNow("It was interrupted. Nothing is lost: run it again, and it goes on where it stopped.")
        if time.monotonic() >= self._renew_at:
            self.keep()

    def keep(self) -> None:
        """Raises NotNow where another run has taken over."""
        if not Lease.objects.take(LEASE, holder=self.holder, seconds=LEASE_SECONDS):
            raise NotNow("Another reconciliation has taken over, since this one did not move for a while.")
        self._renew_at = time.monotonic() + LEASE_SECONDS / 4

    def give_back(self) -> None:
        Lease.objects.give_back(LEASE, holder=self.holder)
