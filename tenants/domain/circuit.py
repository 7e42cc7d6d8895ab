"""Something that the portal can do without, such as the shared cache: whether to ask it now, and how often it failed.

A server that hangs costs the request that notices it a moment, and the others nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from tenants.domain.once import once

PAUSE_SECONDS = 1.0
_LOG_AGAIN_SECONDS = 10.0


@dataclass(slots=True)
class Circuit:
    """Threads share it without a lock: a failure that is not counted, or logged twice, does no harm."""

    failures: int = 0
    _ask_again_at: float = 0.0
    _log_again_at: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it has just been away, so that asking now would only cost time."""
        return time.monotonic() < self._ask_again_at

    def note_failure(self, *, away: bool) -> bool:
        """`away`: it would fail again at once. Returns whether to log it: the log has one line in ten seconds."""
        now = time.monotonic()
        self.failures += 1
        if away:
            self._ask_again_at = now + PAUSE_SECONDS
        if now < self._log_again_at:
            return False
        self._log_again_at = now + _LOG_AGAIN_SECONDS
        return True


@once
def shared_cache() -> Circuit:
    """Of this process."""
    return Circuit()
