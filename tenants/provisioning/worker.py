"""The worker: makes members that are due match in Cognito, and carries suspensions on in Cognito and IAM."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import Error, connection
from django.db.models import F
from django.utils import timezone

from tenants.domain.errors import PortalError
from tenants.lifecycle.suspension import note_signed_out
from tenants.lifecycle.suspension_list import ThirdRing
from tenants.models import Halted, Member, Provisioning, ProvisioningHour
from tenants.models import Worker as WorkerRow
from tenants.provisioning.dispatcher import Dispatcher, Tally, Tools
from tenants.provisioning.halt import clear_halt, halt, is_halted, make_probe_due, make_waiting_due, why_halted
from tenants.provisioning.queue import due

_log = logging.getLogger(__name__)
THREADS = 16
TICK_SECONDS = 0.5
BEAT_SECONDS = 5.0
TELL_SECONDS = 1.0
# The failure that stops every member may come only after a few calls.
WELL_AFTER_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 60.0
# A worker that runs once does not wait for members that have failed more often.
_MOST_TRIES = 5
_ROWS_KEPT = timedelta(days=7)
_COUNTED = ("applied", "throttled", "failed")


def new_name() -> str:
    return f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"


@dataclass(slots=True)
class Worker:
    """`tell` hears of progress: how many members are settled and how many are due.

    `is_well`: Cognito answers, and the row that says otherwise, if there was one, is gone.
    """

    tools: Tools
    stop: threading.Event
    threads: int = THREADS
    name: str = field(default_factory=new_name)
    tell: Callable[[int, int], None] = lambda _settled, _due: None
    tally: Tally = field(default_factory=Tally)
    is_well: bool = False
    _third_ring: ThirdRing = field(init=False)
    # The tally as it was at the last heartbeat.
    _last_tally: Tally = field(default_factory=Tally)
    _tell_at: float = 0.0
    _rings_at: float = 0.0
    _pause: float = TICK_SECONDS
    # While Cognito works, when that began; while provisioning is halted, when to try again.
    _well_since: float = field(default_factory=time.monotonic)
    _resume_at: float | None = None

    def __post_init__(self) -> None:
        self._third_ring = ThirdRing(self.tools.policy, self.name)

    def work(self, *, forever: bool) -> None:
        """Until nothing is due that could be done now, or until `stop`. `tally.halted` says what is in the way."""
        dispatcher = Dispatcher(self.tools, holder=self.name, threads=self.threads, stop=self.stop, tally=self.tally)
        if forever:
            WorkerRow.objects.filter(beat_at__lt=timezone.now() - _ROWS_KEPT).delete()
            WorkerRow.objects.create(name=self.name)
        try:
            while not self.stop.is_set() and self._try_round(dispatcher, forever=forever):
                pass
            self._end(dispatcher, forever=forever)
        except Error:
            if not forever:
                raise
            _log.exception("the database is away at the end; leases run out by themselves")
        finally:
            dispatcher.close()

    def _end(self, dispatcher: Dispatcher, *, forever: bool) -> None:
        dispatcher.drain()
        if not self.stop.is_set():
            # The last changes may have begun suspensions again.
            self._carry_on_suspensions()
        if dispatcher.answered and dispatcher.halted is None:
            self._note_well()
        if self._third_ring.problem and not self.tally.halted:
            self.tally.halted = self._third_ring.problem.for_operators
        self._beat(forever=forever, last=True)

    def _try_round(self, dispatcher: Dispatcher, *, forever: bool) -> bool:
        """False where there is no next round."""
        try:
            return self._round(dispatcher, forever=forever)
        except Exception:
            # The database, which may work again the next time.
            if not forever:
                raise
            _log.exception("something the worker needs is away")
            dispatcher.abandon()
            connection.close()
            return not self.stop.wait(BEAT_SECONDS)

    def _round(self, dispatcher: Dispatcher, *, forever: bool) -> bool:
        if time.monotonic() >= self._rings_at:
            # However much is due, and whatever Cognito answers, a suspension does not wait for it.
            self._rings_at = time.monotonic() + TICK_SECONDS
            self._carry_on_suspensions()
            make_probe_due()
        busy = self._may_run(dispatcher) and dispatcher.run_once()
        if dispatcher.halted is not None and self._resume_at is None:
            self._halt(dispatcher, dispatcher.halted)
            if not forever:
                return False
        if dispatcher.answered and not self.is_well and time.monotonic() - self._well_since > WELL_AFTER_SECONDS:
            self._note_well()
        self._beat(forever=forever)
        if not busy:
            if not forever and not due().exists() and not _waits_for_another_try():
                return False
            self.stop.wait(TICK_SECONDS)
        return True

    def _carry_on_suspensions(self) -> None:
        self._third_ring.tick()
        note_signed_out()

    def _may_run(self, dispatcher: Dispatcher) -> bool:
        """False while provisioning is halted."""
        if self._resume_at is not None and time.monotonic() >= self._resume_at:
            self._resume_at, self._well_since = None, time.monotonic()
            dispatcher.resume()
        return self._resume_at is None

    def _halt(self, dispatcher: Dispatcher, problem: PortalError) -> None:
        """The failure is not one member's, so all members stay as they were."""
        dispatcher.drain()
        halt(problem)
        self.tally.halted, self.is_well = problem.for_operators, False
        _log.error("provisioning is halted", extra={"why": self.tally.halted})
        self._resume_at = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)

    def _note_well(self) -> None:
        clear_halt()
        self.tally.halted, self._pause, self.is_well = "", TICK_SECONDS, True

    def _beat(self, *, forever: bool, last: bool = False) -> None:
        now = time.time()
        if now - self.tally.beat_at >= BEAT_SECONDS or last:
            self.tally.beat_at = now
            if self._resume_at is None and self.tally.settled > self._last_tally.settled and is_halted():
                # Another process halted it, and this worker gets on all the same.
                self._note_well()
            if forever:
                self._write_row(last=last)
            self._count_the_hour()
            self._note_invitations()
            self.tally.due = Member.objects.filter(provisioning=Provisioning.DUE).count()
        if time.monotonic() >= self._tell_at or last:
            self._tell_at = time.monotonic() + TELL_SECONDS
            self.tell(self.tally.settled, max(0, self.tally.due - self.tally.settled + self._last_tally.settled))

    def _note_invitations(self) -> None:
        self.tally.invitations_halted = why_halted(Halted.MAILS)
        if not self.tally.invitations_halted:
            # Some may have begun to wait just when the others went on.
            make_waiting_due()

    def _write_row(self, *, last: bool) -> None:
        now, problem = timezone.now(), self._third_ring.problem
        WorkerRow.objects.filter(name=self.name).update(
            beat_at=now,
            stopped_at=now if last else None,
            unwritten=problem.for_operators[:500] if problem else "",
            **{name: getattr(self.tally, name) for name in _COUNTED},
        )

    def _count_the_hour(self) -> None:
        now, last = self.tally, self._last_tally
        more = {name: getattr(now, name) - getattr(last, name) for name in _COUNTED}
        if any(more.values()):
            hour = timezone.now().replace(minute=0, second=0, microsecond=0)
            ProvisioningHour.objects.get_or_create(hour=hour)
            ProvisioningHour.objects.filter(hour=hour).update(**{name: F(name) + count for name, count in more.items()})
        self._last_tally = Tally(now.applied, now.throttled, now.failed, now.settled)


def _waits_for_another_try() -> bool:
    """Whether a member has failed, and waiting for its next try is worth it."""
    return Member.objects.filter(provisioning=Provisioning.DUE, attempts__range=(1, _MOST_TRIES)).exists()
