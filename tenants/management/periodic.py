"""The worker's other jobs, which are done beside provisioning: mails, invitations, recoveries, sign-ups,
and sign-ins that nobody uses any more.

Each is a function that does a bounded piece of work and says how much that was. It is safe with several workers and
after a kill. One that fails is tried again, and holds up no other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from django.conf import settings
from django.db import close_old_connections, connections

from tenants.drift import lockout, schedule
from tenants.mail.outbox import send_due
from tenants.management import leftovers
from tenants.members.joining import take_in
from tenants.members.recovery import carry_out_due
from tenants.provisioning import sign_ups
from tenants.provisioning.dispatcher import Tools
from tenants.sign_in.idle import end_idle

_log = logging.getLogger(__name__)
EVERY_SECONDS = 0.5
IDLE_EVERY_SECONDS = 30.0
# Between two pieces of work of one job: on SQLite, others have to get at the database too.
BREATH_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 30.0
# How often a worker looks whether a comparison is due.
_LOOK_SECONDS = 5.0
_LOG_AGAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """`run` returns how much it did: after something it is called again at once, else after `every` seconds."""

    name: str
    run: Callable[[], int]
    every: float = EVERY_SECONDS


def jobs(tools: Tools) -> tuple[Job, ...]:
    """Of this release, in the order in which `run_once` does them."""
    return (
        Job("lockouts", partial(lockout.carry_out, tools)),
        Job("sign-ups", partial(sign_ups.process, tools)),
        Job("expired-sign-ups", partial(sign_ups.expire, tools)),
        Job("invitations", take_in),
        Job("recoveries", carry_out_due),
        Job("mails", send_due),
        Job("idle-sign-ins", end_idle, every=IDLE_EVERY_SECONDS),
        Job("leftovers", leftovers.clear, every=leftovers.EVERY_SECONDS),
    )


def comparison(tools: Tools, stop: threading.Event) -> tuple[Job, ...]:
    """Of the whole pool, for a worker that goes on and on; empty where RECONCILE_EVERY is off. Takes its time."""
    every = settings.RECONCILE_EVERY
    if every is None:
        return ()
    hosted = settings.SIGN_UP == "hosted-ui"
    run = partial(schedule.compare_when_due, tools, stop, every=every, hosted_sign_ups=hosted)
    return (Job("comparison", run, every=min(_LOOK_SECONDS, every.total_seconds())),)


@contextmanager
def running(some: Sequence[Job], stop: threading.Event) -> Iterator[None]:
    """Does the jobs meanwhile, each in a thread with its own connection to the database. At the end, sets `stop`."""
    threads = [threading.Thread(target=_repeat, args=(job, stop), name=f"job-{job.name}") for job in some]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def run_once(some: Sequence[Job], stop: threading.Event) -> tuple[int, dict[str, Exception]]:
    """Does the jobs in turn until none has anything left to do. How much was done, and which jobs failed, by name.

    A job that failed is left out from then on.
    """
    done, failed = 0, dict[str, Exception]()
    while not stop.is_set():
        did = 0
        for job in some:
            if job.name not in failed and not stop.is_set():
                try:
                    did += job.run()
                except Exception as error:  # noqa: BLE001 - the others go on, and the caller says which failed
                    _log.exception("a job failed", extra={"job": job.name})
                    failed[job.name] = error
        done += did
        if not did:
            break
    return done, failed


@dataclass(slots=True)
class _Failures:
    """How often a job failed in a row. The log has the first failure, then one a minute."""

    name: str
    in_a_row: int = 0
    _log_at: float = field(default=0.0)

    def note(self) -> None:
        """Call it where the exception is handled."""
        self.in_a_row += 1
        if time.monotonic() >= self._log_at:
            self._log_at = time.monotonic() + _LOG_AGAIN_SECONDS
            _log.exception("a job failed, and is tried again", extra={"job": self.name, "times": self.in_a_row})

    def pause(self, every: float) -> float:
        return every if not self.in_a_row else min(_LONGEST_PAUSE_SECONDS, every * 2 ** min(self.in_a_row, 10))


def _repeat(job: Job, stop: threading.Event) -> None:
    """In a thread."""
    failures = _Failures(job.name)
    try:
        while not stop.is_set():
            did = _try(job, failures)
            stop.wait(BREATH_SECONDS if did else failures.pause(job.every))
    finally:
        connections.close_all()


def _try(job: Job, failures: _Failures) -> int:
    try:
        did = job.run()
    except Exception:  # noqa: BLE001 - it may work the next time, and other jobs go on
        failures.note()
        # The failure may be the connection's.
        connections.close_all()
        return 0
    failures.in_a_row = 0
    close_old_connections()
    return did
