"""One caller does the work, the others wait for its result.

Inside a process there is a lock per key. Between processes there is an entry in the shared cache, which expires by
itself. A killed process holds up the others for `PATIENCE_SECONDS` at most. Without the cache each process has its own
turn, and the work is done more than once.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from weakref import WeakValueDictionary

# Longer than the slowest exchange with its retries, so that a lease does not end while its holder works.
LEASE_SECONDS = 60
# Longer than a renewal at Cognito, which nobody else should try meanwhile. Doing other work twice does no harm.
PATIENCE_SECONDS = 10
_POLL_SECONDS = 0.05
_HELD = "held-by-"


class SharedCache(Protocol):
    """The part of Django's cache that is used here."""

    def add(self, key: str, value: Any, timeout: float | None = ...) -> bool: ...
    def get(self, key: str, default: Any = ...) -> Any: ...
    def set(self, key: str, value: Any, timeout: float | None = ...) -> None: ...
    def delete(self, key: str) -> bool: ...


class _Lock:
    """A lock that can be referred to weakly."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class SingleFlight:
    def __init__(self, cache: SharedCache) -> None:
        self._cache = cache
        self._guard = threading.Lock()
        self._locks: WeakValueDictionary[str, _Lock] = WeakValueDictionary()

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Waits until nobody else holds `key`. The caller then checks whether the work was done meanwhile."""
        holder = self._holder(key)
        with holder.lock, self._lease(key):
            yield

    @contextmanager
    def alone_or_not(self, key: str) -> Iterator[bool]:
        """Does not wait: yields False where somebody else holds `key`, in this process or another."""
        holder = self._holder(key)
        if not holder.lock.acquire(blocking=False):
            yield False
            return
        try:
            with self._lease(key, patience=0) as leased:
                yield leased
        finally:
            holder.lock.release()

    def _holder(self, key: str) -> _Lock:
        with self._guard:
            return self._locks.setdefault(key, _Lock())

    @contextmanager
    def _lease(self, key: str, patience: float = PATIENCE_SECONDS) -> Iterator[bool]:
        """Yields whether the lease was taken. After `patience` seconds it was not: its holder may have died."""
        name, mine = f"flight:{key}", f"{_HELD}{secrets.token_hex(8)}"
        deadline = time.monotonic() + patience
        while not (leased := self._take(name, mine)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        try:
            yield leased
        finally:
            if leased and self._cache.get(name) == mine:
                self._cache.delete(name)

    def _take(self, name: str, mine: str) -> bool:
        if self._cache.add(name, mine, timeout=LEASE_SECONDS):
            return True
        there = self._cache.get(name)
        if there is not None and not str(there).startswith(_HELD):
            # Damaged: nobody will give it back.
            self._cache.delete(name)
        return False
