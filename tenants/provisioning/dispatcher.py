"""The members that a worker has in hand, and the threads that make their calls.

The threads know no database; everything else happens in the thread that calls `run_once`. So a slow Cognito does not
slow the worker down, and a worker takes one connection to the database.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial

from tenants.aws.directory import Directory
from tenants.aws.failures import scope_of
from tenants.aws.suspension_policy import SuspensionPolicy
from tenants.domain.errors import InvalidInput, MailLimitReached, PortalError
from tenants.domain.user_plan import Quota, Seen, is_mailed
from tenants.provisioning.attempt import Call
from tenants.provisioning.finish import OUR_FAULT, finish_or_mark_stuck
from tenants.provisioning.one_member import apply_answer, make_call, may_mail
from tenants.provisioning.pace import NotCalled, Pacer, call_unless_stopped
from tenants.provisioning.queue import CALL_SECONDS, Claim, claim, hold
from tenants.provisioning.results import Attempted, Outcome

_log = logging.getLogger(__name__)
_CLAIM_AGAIN_SECONDS = 0.25
# A call that is later than this would go out together with the next ones.
_LATE_SECONDS = 0.25
# A member that Cognito is too busy for stays in hand; after so many times other members have their turn.
_MOST_THROTTLES = 4

_Answer = Seen | None | PortalError | NotCalled


@dataclass(frozen=True, slots=True)
class Tools:
    directory: Directory
    policy: SuspensionPolicy
    pacer: Pacer


@dataclass(slots=True)
class Tally:
    """Since the start. `applied` counts changes in Cognito, `throttled` calls, `failed` how often a member failed.

    `due` is how many members were due at the last heartbeat, at `beat_at`, in seconds since the epoch. `halted` is why
    no member can be provisioned, `invitations_halted` why nobody is mailed, or "".
    """

    applied: int = 0
    throttled: int = 0
    failed: int = 0
    settled: int = 0
    in_hand: int = 0
    due: int = 0
    halted: str = ""
    invitations_halted: str = ""
    beat_at: float = 0.0


class Dispatcher:
    """`halted` is the failure that stops every member; `answered`: Cognito has carried out a call since `resume`."""

    def __init__(self, tools: Tools, *, holder: str, threads: int, stop: threading.Event, tally: Tally) -> None:
        self._tools = tools
        self._holder = holder
        self._threads = threads
        self._stop = stop
        self._tally = tally
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="cognito")
        self._ready: deque[Claim] = deque()
        self._calling: dict[Future[_Answer], tuple[Claim, Call]] = {}
        self._ended: list[Attempted] = []
        self._claim_again_at = 0.0
        self.halted: PortalError | None = None
        self.answered = False

    def run_once(self) -> bool:
        """Works for a moment. False where there was nothing to do. Begins nothing while `halted`."""
        if self.halted is None and not self._stop.is_set():
            self._claim_more()
            self._start_calls()
        busy = bool(self._ready or self._calling or self._ended)
        self._collect(0.0 if self._ended else _CLAIM_AGAIN_SECONDS)
        self._write_down()
        self._tally.in_hand = len(self._ready) + len(self._calling)
        return busy

    def drain(self) -> None:
        """Waits for calls under way and writes them down. All other members stay as due as before."""
        while self._calling:
            self._collect(CALL_SECONDS)
        self._ended += [Attempted(claimed, given_back=True) for claimed in self._ready]
        self._ready.clear()
        self._write_down()
        self._tally.in_hand = 0

    def abandon(self) -> None:
        """Lets the leases run out, for when the database is away."""
        self._ready.clear()
        self._calling.clear()
        self._ended.clear()

    def resume(self) -> None:
        self.halted, self.answered = None, False

    def close(self) -> None:
        self._pool.shutdown()

    def _claim_more(self) -> None:
        if self._ready or len(self._calling) == self._threads or time.monotonic() < self._claim_again_at:
            return
        self._ready.extend(claim(self._holder, most=self._threads))
        if len(self._ready) < self._threads:
            self._claim_again_at = time.monotonic() + _CLAIM_AGAIN_SECONDS

    def _start_calls(self) -> None:
        """As many as there are threads for, with one reservation for all calls of a category."""
        calls: dict[Quota, list[tuple[Claim, Call]]] = defaultdict(list)
        for _ in range(min(len(self._ready), self._threads - len(self._calling))):
            claimed = self._ready.popleft()
            call = claimed.attempt.next_call()
            if call is None:
                self._ended.append(Attempted(claimed))
            elif is_mailed(call) and not may_mail(claimed):
                self._ended.append(Attempted(claimed, MailLimitReached()))
            else:
                calls[call.category].append((claimed, call))
        for category, pairs in calls.items():
            self._start_at_its_pace(category, pairs)

    def _start_at_its_pace(self, category: Quota, pairs: Sequence[tuple[Claim, Call]]) -> None:
        moments = self._tools.pacer.reserve_several(category, len(pairs))
        for (claimed, call), at in zip(pairs, moments, strict=True):
            if hold(claimed, at=at):
                future = self._pool.submit(self._call, call, claimed.attempt.seen, at, claimed.held_until)
                self._calling[future] = (claimed, call)
            else:
                # Another holder has the member by now, and has to hear of what was done before.
                self._ended.append(Attempted(claimed, given_back=True))

    def _call(self, call: Call, seen: Seen | None, at: float, held_until: float) -> _Answer:
        """In a thread."""
        make = partial(make_call, self._tools.directory, call, seen)
        latest = min(at + _LATE_SECONDS, held_until - CALL_SECONDS)
        try:
            return call_unless_stopped(at, make, stop=self._stop, latest=latest)
        except Exception:  # noqa: BLE001 - one member must not stop all others
            _log.exception("provisioning failed")
            return InvalidInput(OUR_FAULT)

    def _collect(self, seconds: float) -> None:
        """Applies the answers that have come, or come first within so many seconds."""
        if not self._calling:
            return
        done, _ = wait(self._calling, timeout=seconds, return_when=FIRST_COMPLETED)
        for future in done:
            claimed, call = self._calling.pop(future)
            self._apply_answer(claimed, call, future.result())

    def _apply_answer(self, claimed: Claim, call: Call, answer: _Answer) -> None:
        if isinstance(answer, NotCalled) or self._is_to_be_called_again(claimed, call, answer):
            self._ready.append(claimed)
            return
        done = len(claimed.attempt.done)
        failure = apply_answer(claimed, call, answer)
        self._tally.applied += len(claimed.attempt.done) - done
        self.answered = self.answered or not isinstance(answer, PortalError)
        if failure is not None and scope_of(failure) == "systemic":
            self.halted = self.halted or failure
            self._ready.appendleft(claimed)
        elif failure is None and claimed.attempt.next_call() is not None:
            self._ready.appendleft(claimed)
        else:
            self._ended.append(Attempted(claimed, failure))

    def _is_to_be_called_again(self, claimed: Claim, call: Call, answer: Seen | PortalError | None) -> bool:
        """A throttled call is not the member's failure, until it has been throttled again and again."""
        if not self._tools.pacer.push_back_if_throttled(call.category, answer):
            return False
        self._tally.throttled += 1
        claimed.throttled += 1
        return claimed.throttled < _MOST_THROTTLES

    def _write_down(self) -> None:
        ended, self._ended = self._ended, []
        if not ended:
            return
        for one, outcome in zip(ended, finish_or_mark_stuck(ended), strict=True):
            if outcome == Outcome.SETTLED:
                self._tally.settled += 1
            elif outcome not in (Outcome.GIVEN_BACK, Outcome.OVERTAKEN, Outcome.WAITING):
                self._tally.failed += 1
                _log.warning("member not settled", extra={"member": one.claim.member.pk, "outcome": outcome})
