"""Whether this process can serve requests, for load balancers.

Each check runs in a thread of its own and fails if it takes too long, so there is always an answer. The answer is kept
for a moment, so asking often costs nothing. It never says why a check failed, because strangers may ask: the log does.
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

from django.core.cache import cache as shared
from django.db import connection
from django.db.models import Max
from django.utils import timezone

from tenants.domain.once import once
from tenants.health.blockers import WRITTEN_WITHIN
from tenants.health.pools import Asked
from tenants.lifecycle.suspension import not_denied_since
from tenants.models import SILENT_AFTER, Halted, Worker
from tenants.provisioning.halt import is_halted
from tenants.sign_in.wiring import pools, verifier

KEEP_SECONDS = 2.0
TIMEOUT_SECONDS = 2.0
_log = logging.getLogger(__name__)


class State(StrEnum):
    OK = "ok"
    FAILING = "failing"
    # It gave no sign of life lately. Pages are served without it.
    MISSING = "missing"
    # Something outside the portal is in the way of changes. Pages are served all the same.
    HALTED = "halted"
    # AWS still takes credentials of a suspended tenant.
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`age_seconds` is that of the signing keys, of the worker's sign of life or of the longest wait for a denial.

    None for the other checks, and where nobody waits.
    """

    state: State
    age_seconds: int | None = None


Check = Callable[[], CheckResult]


@dataclass(frozen=True, slots=True)
class Readiness:
    """The result of each check by its name. `at` is on the monotonic clock."""

    checks: Mapping[str, CheckResult]
    at: float

    @property
    def ready(self) -> bool:
        return all(check.state != State.FAILING for check in self.checks.values())

    @property
    def status(self) -> str:
        if not self.ready:
            return "not ready"
        return "ready" if all(check.state == State.OK for check in self.checks.values()) else "degraded"


class Prober:
    """Runs the checks. `keep` and `timeout` are in seconds."""

    def __init__(
        self, checks: Mapping[str, Check], *, keep: float = KEEP_SECONDS, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        self._checks = checks
        self._keep = keep
        self._timeout = timeout
        self._pool = ThreadPoolExecutor(len(checks), thread_name_prefix="readyz")
        self._running: dict[str, Future[CheckResult]] = {}
        self._kept: Readiness | None = None
        self._checking = threading.Lock()

    def readiness(self) -> Readiness:
        """At most `keep` seconds old; while another thread is checking, the last one. Takes at most `timeout`."""
        kept = self._kept
        if kept is not None and time.monotonic() - kept.at < self._keep:
            return kept
        if not self._checking.acquire(blocking=kept is None) and kept is not None:
            return kept
        try:
            if self._kept is None or self._kept is kept:
                self._kept = self._check()
            return self._kept
        finally:
            self._checking.release()

    def _check(self) -> Readiness:
        for name, check in self._checks.items():
            # A check that hangs is not started again until it ends.
            if name not in self._running or self._running[name].done():
                self._running[name] = self._pool.submit(check)
        wait(self._running.values(), timeout=self._timeout)
        return Readiness({name: _result(name, future) for name, future in self._running.items()}, time.monotonic())


def _result(name: str, future: Future[CheckResult]) -> CheckResult:
    if not future.done():
        _log.error("not ready", extra={"check": name, "why": "it takes too long"})
        return CheckResult(State.FAILING)
    error = future.exception()
    if error is not None:
        _log.error("not ready", extra={"check": name, "why": f"{type(error).__name__}: {error}"[:500]})
        return CheckResult(State.FAILING)
    result = future.result()
    if result.state == State.FAILING:
        _log.error("not ready", extra={"check": name})
    elif result.state != State.OK:
        # infra/portal.yaml counts these lines.
        _log.warning("degraded", extra={"check": name, "state": result.state.value})
    return result


def database() -> CheckResult:
    with _new_connection(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return CheckResult(State.OK)


def worker() -> CheckResult:
    """By the newest sign of life of any `provision --watch` that was not stopped."""
    with _new_connection():
        beat = Worker.objects.filter(stopped_at=None).aggregate(newest=Max("beat_at"))["newest"]
    if beat is None:
        return CheckResult(State.MISSING)
    age = timezone.now() - beat
    return CheckResult(State.OK if age <= SILENT_AFTER else State.MISSING, max(0, int(age.total_seconds())))


def provisioning() -> CheckResult:
    """Whether changes reach Cognito."""
    return _unless_halted(Halted.EVERYTHING)


def invitations() -> CheckResult:
    """Whether Cognito sends mails, as far as the worker knows."""
    return _unless_halted(Halted.MAILS)


def suspensions() -> CheckResult:
    """Whether AWS refuses the credentials of every suspended tenant, or began to wait for that just now."""
    with _new_connection():
        since = not_denied_since()
    if since is None:
        return CheckResult(State.OK)
    waits = timezone.now() - since
    return CheckResult(State.OK if waits <= WRITTEN_WITHIN else State.WAITING, max(0, int(waits.total_seconds())))


def _unless_halted(what: Halted) -> CheckResult:
    with _new_connection():
        return CheckResult(State.HALTED if is_halted(what) else State.OK)


@contextmanager
def _new_connection() -> Iterator[None]:
    """A new one each time, because the question is whether the database accepts one."""
    try:
        yield
    finally:
        connection.close()


def shared_cache() -> CheckResult:
    """Whether a value that was written can be read again. Pages are served without the cache, only slower."""
    key, written = f"readyz:{secrets.token_hex(8)}", secrets.token_hex(8)
    shared.set(key, written, timeout=10)
    read = shared.get(key)
    shared.delete(key)
    return CheckResult(State.OK if read == written else State.MISSING)


def signing_keys() -> CheckResult:
    """Whether this process has the user pool's keys. Keys once fetched stay valid while Cognito is away."""
    keys = verifier().keys
    keys.fetch_if_missing()
    return CheckResult(State.OK, int(keys.age_seconds or 0))


def unless_gone(is_gone: Callable[[], bool]) -> Check:
    """Without the pool nobody can sign in or read. AWS being away is something else: it comes back."""
    asked = Asked(is_gone)

    def check() -> CheckResult:
        return CheckResult(State.FAILING if asked.answer() else State.OK)

    return check


@once
def prober() -> Prober:
    """This process's own. Made at the first request, because threads do not survive the fork of a server's workers."""
    checks = {"database": database, "cache": shared_cache, "signing_keys": signing_keys, "worker": worker}
    cognito = {
        "user_pool": unless_gone(pools().user_pool_is_gone),
        "identity_pool": unless_gone(pools().identity_pool_is_gone),
    }
    work = {"provisioning": provisioning, "invitations": invitations, "suspensions": suspensions}
    return Prober({**checks, **cognito, **work})


def readiness() -> Readiness:
    """Of this process. Takes at most `TIMEOUT_SECONDS`."""
    return prober().readiness()
