"""The worker: has members that are due made to match in Cognito, and sees to the rings around suspended tenants."""

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
from tenants.models import Member, Provisioning, ProvisioningHour
from tenants.models import Worker as WorkerRow
from tenants.provisioning.dispatcher import Dispatcher, Tally, Tools
from tenants.provisioning.halt import clear_halt, halt, is_halted

_log = logging.getLogger(__name__)
THREADS = 16
TICK_SECONDS = 0.5
BEAT_SECONDS = 5.0
TELL_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
# It can take a few calls until the one comes that is in everybody's way.
_WELL_AFTER_SECONDS = 5.0
# Who runs it once does not wait for members that keep failing.
_MOST_TRIES = 5
_ROWS_KEPT = timedelta(days=7)


def new_name() -> str:
    return f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"


@dataclass(slots=True)
class Worker:
    """`tell` hears of progress: how many members are settled and how many are due."""

    tools: Tools
    stop: threading.Event
    threads: int = THREADS
    name: str = field(default_factory=new_name)
    tell: Callable[[int, int], None] = lambda _settled, _due: None
    tally: Tally = field(default_factory=Tally)
    _third_ring: ThirdRing = field(init=False)
    _told: Tally = field(default_factory=Tally)
    _tell_at: float = 0.0
    _rings_at: float = 0.0
    _pause: float = TICK_SECONDS
    # While Cognito works, when that began; while nobody can be provisioned, when to try again.
    _well_since: float = field(default_factory=time.monotonic)
    _resume_at: float | None = None
    _said_well: bool = False

    def __post_init__(self) -> None:
        self._third_ring = ThirdRing(self.tools.policy, self.name)

    def work(self, *, forever: bool) -> None:
        """Until nothing is due that could be done now, or until `stop`. `tally.halted` says what is in the way."""
        crew = Dispatcher(self.tools, holder=self.name, threads=self.threads, stop=self.stop, tally=self.tally)
        if forever:
            WorkerRow.objects.filter(beat_at__lt=timezone.now() - _ROWS_KEPT).delete()
            WorkerRow.objects.create(name=self.name)
        try:
            while not self.stop.is_set() and self._once_more(crew, forever=forever):
                pass
            self._end(crew, forever=forever)
        except Error:
            if not forever:
                raise
            _log.exception("the database is away at the end; leases run out by themselves")
        finally:
            crew.close()

    def _end(self, crew: Dispatcher, *, forever: bool) -> None:
        crew.let_go()
        if not self.stop.is_set():
            # What was done last may have begun them again.
            self._third_ring.tick()
            note_signed_out()
        if crew.answered and crew.halted is None:
            self._note_well()
        if self._third_ring.problem and not self.tally.halted:
            self.tally.halted = self._third_ring.problem.for_operators
        self._beat(forever=forever, last=True)

    def _once_more(self, crew: Dispatcher, *, forever: bool) -> bool:
        try:
            return self._round(crew, forever=forever)
        except Exception:
            # The database or the shared cache: whatever it is, it may be over the next time.
            if not forever:
                raise
            _log.exception("something the worker needs is away")
            crew.forget()
            connection.close()
            return not self.stop.wait(BEAT_SECONDS)

    def _round(self, crew: Dispatcher, *, forever: bool) -> bool:
        self._see_to_the_rings()
        busy = self._may_go_on(crew) and crew.turn()
        if crew.halted is not None and self._resume_at is None:
            self._pause_all(crew, crew.halted)
            if not forever:
                return False
        if crew.answered and not self._said_well and time.monotonic() - self._well_since > _WELL_AFTER_SECONDS:
            self._note_well()
        self._beat(forever=forever)
        if not busy:
            if not forever and not _something_is_to_come():
                return False
            self.stop.wait(TICK_SECONDS)
        return True

    def _see_to_the_rings(self) -> None:
        """However much is due, and whatever Cognito says, a suspension does not wait for it."""
        if time.monotonic() >= self._rings_at:
            self._rings_at = time.monotonic() + TICK_SECONDS
            self._third_ring.tick()
            note_signed_out()

    def _may_go_on(self, crew: Dispatcher) -> bool:
        if self._resume_at is not None and time.monotonic() >= self._resume_at:
            self._resume_at, self._well_since = None, time.monotonic()
            crew.go_on()
        return self._resume_at is None

    def _pause_all(self, crew: Dispatcher, problem: PortalError) -> None:
        """What is in everybody's way is nobody's fault: all members stay as they were."""
        crew.let_go()
        halt(problem)
        self.tally.halted, self._said_well = problem.for_operators, False
        _log.error("provisioning is halted", extra={"why": self.tally.halted})
        self._resume_at = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)

    def _note_well(self) -> None:
        clear_halt()
        self.tally.halted, self._pause, self._said_well = "", TICK_SECONDS, True

    def _beat(self, *, forever: bool, last: bool = False) -> None:
        now = time.time()
        if now - self.tally.beat_at >= BEAT_SECONDS or last:
            self.tally.beat_at = now
            if self._resume_at is None and self.tally.settled > self._told.settled and is_halted():
                # Said by another one, which this one has just shown to be alone with it.
                self._note_well()
            if forever:
                beat = {"beat_at": timezone.now(), "stopped_at": timezone.now() if last else None}
                counted = {name: getattr(self.tally, name) for name in ("applied", "throttled", "failed")}
                problem = self._third_ring.problem
                unwritten = problem.for_operators[:500] if problem else ""
                WorkerRow.objects.filter(name=self.name).update(**beat, **counted, unwritten=unwritten)
            self._count_the_hour()
            self.tally.due = Member.objects.filter(provisioning=Provisioning.DUE).count()
        if time.monotonic() >= self._tell_at or last:
            self._tell_at = time.monotonic() + TELL_SECONDS
            self.tell(self.tally.settled, max(0, self.tally.due - self.tally.settled + self._told.settled))

    def _count_the_hour(self) -> None:
        now, told = self.tally, self._told
        more = {name: getattr(now, name) - getattr(told, name) for name in ("applied", "throttled", "failed")}
        if any(more.values()):
            hour = timezone.now().replace(minute=0, second=0, microsecond=0)
            ProvisioningHour.objects.get_or_create(hour=hour)
            ProvisioningHour.objects.filter(hour=hour).update(**{name: F(name) + count for name, count in more.items()})
        self._told = Tally(now.applied, now.throttled, now.failed, now.settled)


def _something_is_to_come() -> bool:
    """Whether a member waits for another try that is worth waiting for."""
    return Member.objects.filter(provisioning=Provisioning.DUE, attempts__range=(1, _MOST_TRIES)).exists()
