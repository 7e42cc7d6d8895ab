"""Sign-ins that nobody uses any more end on the server: their tokens are deleted, and the next request has to sign in.

The door ends one at its next use; the worker's job ends those that are never used again.
"""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from tenants.domain.errors import SessionEnded
from tenants.models import SignIn

# A use is written down once in this time by each process, not at every request.
NOTED_EVERY_SECONDS = 60
_MOST_HELD = 20_000
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Uses:
    """When this process last noted a use of each sign-in, and how long one may last: unused, and in all."""

    idle: timedelta
    lifetime: timedelta
    _noted: dict[uuid.UUID, float] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def note(self, sign_in_id: uuid.UUID) -> None:
        """Raises SessionEnded where it was not used for too long, lasts too long, or has ended already."""
        if time.monotonic() - self._noted.get(sign_in_id, float("-inf")) < NOTED_EVERY_SECONDS:
            return
        now, row = timezone.now(), SignIn.objects.filter(pk=sign_in_id)
        if not row.filter(used_at__gt=now - self.idle, created_at__gt=now - self.lifetime).update(used_at=now):
            row.delete()
            raise SessionEnded("signed out, or not used for too long")
        with self._guard:
            if len(self._noted) >= _MOST_HELD:
                self._noted.clear()
            self._noted[sign_in_id] = time.monotonic()

    def forget(self, sign_in_id: uuid.UUID) -> None:
        with self._guard:
            self._noted.pop(sign_in_id, None)


def end_idle() -> int:
    """Deletes some sign-ins that were not used for too long, and browsers' sessions that have expired. How many."""
    now = timezone.now()
    idle = SignIn.objects.filter(used_at__lte=now - timedelta(minutes=settings.SESSION_IDLE_MINUTES))
    expired = Session.objects.filter(expire_date__lte=now)
    ended = list(idle.order_by("used_at").values_list("pk", flat=True)[:_AT_ONCE])
    over = list(expired.order_by("expire_date").values_list("pk", flat=True)[:_AT_ONCE])
    # The conditions again: somebody may use it meanwhile.
    return (idle.filter(pk__in=ended).delete()[0] if ended else 0) + (
        expired.filter(pk__in=over).delete()[0] if over else 0
    )
