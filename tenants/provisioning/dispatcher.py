"""Members in hand and the threads that make their calls.

The threads know no database; everything else happens in the thread that calls `turn`. So a slow Cognito costs no speed,
and a worker takes one connection to the database.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict, deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import Enum

from tenants.aws.directory import Directory
from tenants.aws.failures import scope_of
from tenants.aws.suspension_policy import SuspensionPolicy
from tenants.domain.errors import InvalidInput, PortalError, Throttled
from tenants.domain.user_plan import Quota, Seen
from tenants.provisioning.attempt import Step
from tenants.provisioning.one_member import apply_answer, make_call
from tenants.provisioning.pace import Pacer
from tenants.provisioning.queue import CALL_SECONDS, Claim, claim, hold
from tenants.provisioning.results import OUR_FAULT, Attempted, Outcome, finish_whatever_happens

_log = logging.getLogger(__name__)
_LOOK_AGAIN_SECONDS = 0.25
# Later than this, a call would meet those of the moment it comes in.
_LATE_SECONDS = 0.25
# A member that Cognito is too busy for stays in hand; after so many times it is others' turn.
_MOST_THROTTLES = 4


class _Uncalled(Enum):
    UNCALLED = "the call was not made"


_Answer = Seen | None | PortalError | _Uncalled


@dataclass(frozen=True, slots=True)
class Tools:
    directory: Directory
    policy: SuspensionPolicy
    pacer: Pacer


@dataclass(slots=True)
class Tally:
    """Since the start. `applied` counts changes in Cognito, `throttled` calls, `failed` times that a member failed.

    `due` is how many members were at the last beat, `beat_at`, in seconds since the epoch.
    """

    applied: int = 0
    throttled: int = 0
    failed: int = 0
    settled: int = 0
    in_hand: int = 0
    due: int = 0
    halted: str = ""
    beat_at: float = 0.0


class Dispatcher:
    """`halted` is what is in everybody's way; `answered`, whether Cognito has done something since it went on."""

    def __init__(self, tools: Tools, *, holder: str, threads: int, stop: threading.Event, tally: Tally) -> None:
        self._tools = tools
        self._holder = holder
        self._threads = threads
        self._stop = stop
        self._tally = tally
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="cognito")
        self._ready: deque[Claim] = deque()
        self._flying: dict[Future[_Answer], tuple[Claim, Step]] = {}
        self._ended: list[Attempted] = []
        self._claim_again_at = 0.0
        self.halted: PortalError | None = None
        self.answered = False

    def turn(self) -> bool:
        """A moment's work; whether there was any. Once it was `halted`, nothing is begun."""
        if self.halted is None and not self._stop.is_set():
            self._take_more()
            self._send()
        busy = bool(self._ready or self._flying or self._ended)
        self._land(0.0 if self._ended else _LOOK_AGAIN_SECONDS)
        self._write_down()
        self._tally.in_hand = len(self._ready) + len(self._flying)
        return busy

    def let_go(self) -> None:
        """Calls that were made are waited for and written down; everything else is as due as before."""
        while self._flying:
            self._land(CALL_SECONDS)
        self._ended += [Attempted(claimed, given_back=True) for claimed in self._ready]
        self._ready.clear()
        self._write_down()
        self._tally.in_hand = 0

    def forget(self) -> None:
        """Lets the leases run out: for when the database is away."""
        self._ready.clear()
        self._flying.clear()
        self._ended.clear()

    def go_on(self) -> None:
        self.halted, self.answered = None, False

    def close(self) -> None:
        self._pool.shutdown()

    def _take_more(self) -> None:
        if self._ready or len(self._flying) == self._threads or time.monotonic() < self._claim_again_at:
            return
        self._ready.extend(claim(self._holder, most=self._threads))
        if len(self._ready) < self._threads:
            self._claim_again_at = time.monotonic() + _LOOK_AGAIN_SECONDS

    def _send(self) -> None:
        """As many as there are threads for, with one reservation for all of a category."""
        steps: dict[Quota, list[tuple[Claim, Step]]] = defaultdict(list)
        for _ in range(min(len(self._ready), self._threads - len(self._flying))):
            claimed = self._ready.popleft()
            step = claimed.attempt.next_step()
            if step is None:
                self._ended.append(Attempted(claimed))
            else:
                steps[step.category].append((claimed, step))
        for category, pairs in steps.items():
            moments = self._tools.pacer.reserve_several(category, len(pairs))
            for (claimed, step), at in zip(pairs, moments, strict=True):
                if hold(claimed, at=at):
                    future = self._pool.submit(self._call, step, claimed.attempt.seen, at, claimed.held_until)
                    self._flying[future] = (claimed, step)
                else:
                    # Somebody else's by now, who has to hear of what was done before.
                    self._ended.append(Attempted(claimed, given_back=True))

    def _call(self, step: Step, seen: Seen | None, at: float, held_until: float) -> _Answer:
        """In a thread."""
        if self._stop.wait(max(0.0, at - time.time())):
            return _Uncalled.UNCALLED
        if time.time() - at > _LATE_SECONDS or held_until - time.time() < CALL_SECONDS:
            return _Uncalled.UNCALLED
        try:
            return make_call(self._tools.directory, step, seen)
        except PortalError as error:
            return error
        except Exception:  # noqa: BLE001 - one member must not stop all others
            _log.exception("provisioning failed")
            return InvalidInput(OUR_FAULT)

    def _land(self, seconds: float) -> None:
        if not self._flying:
            return
        landed, _ = wait(self._flying, timeout=seconds, return_when=FIRST_COMPLETED)
        for future in landed:
            claimed, step = self._flying.pop(future)
            self._take_in(claimed, step, future.result())

    def _take_in(self, claimed: Claim, step: Step, answer: _Answer) -> None:
        if isinstance(answer, _Uncalled) or self._is_put_off(claimed, step, answer):
            self._ready.append(claimed)
            return
        done = len(claimed.attempt.done)
        failure = apply_answer(claimed, step, answer)
        self._tally.applied += len(claimed.attempt.done) - done
        self.answered = self.answered or not isinstance(answer, PortalError)
        if failure is not None and scope_of(failure) == "systemic":
            self.halted = self.halted or failure
            self._ready.appendleft(claimed)
        elif failure is None and claimed.attempt.next_step() is not None:
            self._ready.appendleft(claimed)
        else:
            self._ended.append(Attempted(claimed, failure))

    def _is_put_off(self, claimed: Claim, step: Step, answer: _Answer) -> bool:
        """That Cognito is too busy is no failure of the member's."""
        if not isinstance(answer, Throttled):
            return False
        self._tally.throttled += 1
        self._tools.pacer.push_back(step.category)
        claimed.throttled += 1
        return claimed.throttled < _MOST_THROTTLES

    def _write_down(self) -> None:
        ended, self._ended = self._ended, []
        if not ended:
            return
        for one, outcome in zip(ended, finish_whatever_happens(ended), strict=True):
            if outcome == Outcome.SETTLED:
                self._tally.settled += 1
            elif outcome not in (Outcome.GIVEN_BACK, Outcome.OVERTAKEN):
                self._tally.failed += 1
                _log.warning("member not settled", extra={"member": one.claim.member.pk, "outcome": outcome})
