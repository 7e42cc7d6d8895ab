"""One pace for all workers on all machines. Each of Cognito's quota categories has a row that says when its next call
may be made; a single UPDATE reserves that moment, or several in a row.

The calls are evenly spaced, so no burst is throttled. The database's clock alone counts: what comes back from it is how
long to wait, so that machines whose clocks differ keep the same pace.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeVar

from django.db import connection, transaction

from tenants.domain.errors import PortalError, Throttled
from tenants.domain.user_plan import Quota
from tenants.models import QuotaSlot

# A call may go out a few milliseconds late: at this share of the limit, no second holds one too many.
_SHARE = 0.985
# A later moment was written by a clock that was wrong.
_FURTHEST_SECONDS = 300.0
# A worker that pauses cannot carry out a suspension, so no pause is long.
_SHORTEST_PAUSE, _LONGEST_PAUSE_SECONDS = (0.5, 1.5), 20.0
_NOW = {
    # Not the transaction's time: the transaction may have waited for the row.
    "postgresql": "extract(epoch from clock_timestamp())::float8",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
}
# A moment that is lost in a crash of the database does no harm, so no call waits for the disk.
_UNHURRIED = {"postgresql": "AND set_config('synchronous_commit', 'off', true) IS NOT NULL", "sqlite": ""}
_RESERVE = """
UPDATE tenants_quotaslot
SET next_at = (CASE WHEN next_at < {now} OR next_at > {now} + %s THEN {now} ELSE next_at END) + %s
WHERE category = %s {unhurried} RETURNING next_at - {now}
"""
_PUSH_BACK = "UPDATE tenants_quotaslot SET next_at = {now} + %s WHERE category = %s AND next_at < {now} + %s"
_Got = TypeVar("_Got")


class NotCalled(Enum):
    NOT_CALLED = "the call was not made"


NOT_CALLED = NotCalled.NOT_CALLED


def call_unless_stopped(
    at: float, make: Callable[[], _Got], *, stop: threading.Event, latest: float
) -> _Got | PortalError | Literal[NotCalled.NOT_CALLED]:
    """Makes the call at the moment `at`, which was reserved for it. Returns a PortalError that it raises.

    NOT_CALLED once `stop` is set, or after the moment `latest`. Both moments are in seconds since the epoch. Knows no
    database, so any thread may use it; `Pacer.push_back_if_throttled` then hears of the answer.
    """
    if stop.wait(max(0.0, at - time.time())) or time.time() > latest:
        return NOT_CALLED
    return _answer(make)


def _answer(make: Callable[[], _Got]) -> _Got | PortalError:
    try:
        return make()
    except PortalError as error:
        return error


@dataclass(slots=True)
class _Pause:
    """How long calls rest after a throttle, and until when by this process's own clock."""

    doublings: int = -1
    until: float = 0.0
    seconds: float = 0.0


class Pacer:
    """`rates` are calls a second by category. Never to be used inside a transaction: the row would stay locked."""

    def __init__(self, rates: Mapping[str, float]) -> None:
        self._spacing = {category: 1 / (rate * _SHARE) for category, rate in rates.items()}
        self._pauses = {category: _Pause() for category in rates}

    def spacing(self, category: Quota) -> float:
        """Seconds between two calls. Raises KeyError for a category without a rate."""
        return self._spacing[category]

    def call(self, category: Quota, make: Callable[[], _Got]) -> _Got | PortalError:
        """Reserves the next moment and makes the call then. Returns a PortalError that it raises."""
        return self.call_at(self.reserve(category), category, make)

    def call_at(self, at: float, category: Quota, make: Callable[[], _Got]) -> _Got | PortalError:
        """Makes a call at the moment that was reserved for it. Returns a PortalError that it raises."""
        time.sleep(max(0.0, at - time.time()))
        answer = _answer(make)
        self.push_back_if_throttled(category, answer)
        return answer

    def reserve(self, category: Quota) -> float:
        """When the call may be made, in seconds since the epoch. Raises KeyError for a category without a rate."""
        return self.reserve_several(category, 1)[0]

    def reserve_several(self, category: Quota, calls: int) -> list[float]:
        """When each of so many calls may be made, one after the other."""
        spacing = self._spacing[category]
        while True:
            with connection.cursor() as cursor:
                cursor.execute(_for_this_database(_RESERVE), [_FURTHEST_SECONDS, spacing * calls, category])
                rows = cursor.fetchall()
            if rows:
                first = time.time() + float(rows[0][0]) - spacing * calls
                return [first + number * spacing for number in range(calls)]
            with transaction.atomic():
                QuotaSlot.objects.get_or_create(category=category)

    def push_back_if_throttled(self, category: Quota, answer: object) -> bool:
        """Where the answer says that Cognito is too busy, delays all calls of the category. Whether it did say so."""
        if isinstance(answer, Throttled):
            self.push_back(category)
        return isinstance(answer, Throttled)

    def push_back(self, category: Quota) -> None:
        """Delays all calls of the category by about a second, and longer each time while that does not help.

        Other calls that were under way may be throttled too, which says nothing new.
        """
        now, pause = time.monotonic(), self._pauses[category]
        if now < pause.until:
            return
        helped = now > pause.until + 2 * pause.seconds
        pause.doublings = 0 if helped else pause.doublings + 1
        jitter = random.uniform(*_SHORTEST_PAUSE)  # noqa: S311 - so that processes do not all resume at once
        pause.seconds = min(_LONGEST_PAUSE_SECONDS, jitter * 2 ** min(pause.doublings, 10))
        pause.until = now + pause.seconds
        with connection.cursor() as cursor:
            cursor.execute(_for_this_database(_PUSH_BACK), [pause.seconds, category, pause.seconds])


def _for_this_database(statement: str) -> str:
    return statement.format(now=_NOW[connection.vendor], unhurried=_UNHURRIED[connection.vendor])
