"""Whether this process can serve, for who decides whether to send it requests.

Every look is made in a thread of its own and has failed when it takes too long, so that the answer always comes. It is
kept for a moment, so that asking costs nothing. It says of each thing how it is and never why: that is logged.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from django.core.cache import cache
from django.db import connection
from django.db.models import Max
from django.utils import timezone

from tenants.connections import connections
from tenants.models import SILENT_AFTER, Worker

KEPT_SECONDS = 2.0
LONGEST_SECONDS = 2.0
_log = logging.getLogger(__name__)


class State(StrEnum):
    OK = "ok"
    FAILING = "failing"
    # Nobody has heard of it lately. Pages are served without it.
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Found:
    """`age_seconds` is of the keys or the sign of life, None for what has no age."""

    state: State
    age_seconds: int | None = None


Look = Callable[[], Found]


@dataclass(frozen=True, slots=True)
class Readiness:
    """`at` is on the monotonic clock."""

    checks: Mapping[str, Found]
    at: float

    @property
    def ready(self) -> bool:
        return all(found.state != State.FAILING for found in self.checks.values())

    @property
    def status(self) -> str:
        if not self.ready:
            return "not ready"
        return "ready" if all(found.state == State.OK for found in self.checks.values()) else "degraded"


class Prober:
    """`kept` and `longest` are in seconds."""

    def __init__(
        self, looks: Mapping[str, Look], *, kept: float = KEPT_SECONDS, longest: float = LONGEST_SECONDS
    ) -> None:
        self._looks = looks
        self._kept_for = kept
        self._longest = longest
        self._pool = ThreadPoolExecutor(len(looks), thread_name_prefix="readyz")
        self._running: dict[str, Future[Found]] = {}
        self._kept: Readiness | None = None
        self._looking = threading.Lock()

    def readiness(self) -> Readiness:
        """No older than it may be, save for who asks while another is looking: they get the one from before."""
        kept = self._kept
        if kept is not None and time.monotonic() - kept.at < self._kept_for:
            return kept
        if not self._looking.acquire(blocking=kept is None) and kept is not None:
            return kept
        try:
            if self._kept is None or self._kept is kept:
                self._kept = self._looked()
            return self._kept
        finally:
            self._looking.release()

    def _looked(self) -> Readiness:
        for name, look in self._looks.items():
            # One that hangs is not joined by others.
            if name not in self._running or self._running[name].done():
                self._running[name] = self._pool.submit(look)
        wait(self._running.values(), timeout=self._longest)
        return Readiness({name: _result(name, future) for name, future in self._running.items()}, time.monotonic())


def _result(name: str, future: Future[Found]) -> Found:
    if not future.done():
        _log.error("not ready", extra={"check": name, "why": "it takes too long"})
        return Found(State.FAILING)
    error = future.exception()
    if error is not None:
        _log.error("not ready", extra={"check": name, "why": f"{type(error).__name__}: {error}"[:500]})
        return Found(State.FAILING)
    return future.result()


def database() -> Found:
    with _a_connection_of_its_own(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return Found(State.OK)


def worker() -> Found:
    """The newest sign of life of any `provision --watch` that was not stopped."""
    with _a_connection_of_its_own():
        beat = Worker.objects.filter(stopped_at=None).aggregate(newest=Max("beat_at"))["newest"]
    if beat is None:
        return Found(State.MISSING)
    age = timezone.now() - beat
    return Found(State.OK if age <= SILENT_AFTER else State.MISSING, max(0, int(age.total_seconds())))


@contextmanager
def _a_connection_of_its_own() -> Iterator[None]:
    """Made anew each time: what is asked is whether one is to be had."""
    try:
        yield
    finally:
        connection.close()


def shared_cache() -> Found:
    key, written = f"readyz:{secrets.token_hex(8)}", secrets.token_hex(8)
    cache.set(key, written, timeout=10)
    read = cache.get(key)
    cache.delete(key)
    return Found(State.OK if read == written else State.FAILING)


def signing_keys() -> Found:
    """Those of the user pool that this process holds. Kept ones stay good while Cognito is away."""
    keys = connections().verifier.keys
    keys.fetch_if_missing()
    return Found(State.OK, int(keys.age_seconds or 0))


_prober: Prober | None = None
_making = threading.Lock()


def readiness() -> Readiness:
    """Of this process. Takes `LONGEST_SECONDS` at most."""
    global _prober
    with _making:
        # Not at import: threads do not survive the fork of a server's workers.
        _prober = _prober or Prober(
            {"database": database, "cache": shared_cache, "signing_keys": signing_keys, "worker": worker}
        )
    return _prober.readiness()
