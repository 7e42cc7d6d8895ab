"""One pace for all workers on all machines: a row for each of Cognito's quota categories says when its next call may be
made, and whoever wants to make one reserves that moment with a single UPDATE.

Evenly spaced, so there is no burst to throttle. The moments go by the database's clock, and what comes back is how long
to wait: the machines' own clocks may say what they like.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection, transaction

from tenants.domain.user_plan import Quota
from tenants.models import QuotaSlot

# Calls go out a few milliseconds late now and then; this much under the limit, no second holds one too many.
_SHARE = 0.985
# A moment further ahead was written by a clock that was wrong.
_FURTHEST_SECONDS = 300.0
# Whoever waits for a pause cannot see to a suspension, so none is long.
_SHORTEST_PAUSE, _LONGEST_PAUSE_SECONDS = (0.5, 1.5), 20.0
_NOW = {
    # Not the transaction's time: it may have waited for the row.
    "postgresql": "extract(epoch from clock_timestamp())::float8",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
}
# A moment that is lost when the database crashes does no harm, so nobody waits for the disk.
_UNHURRIED = {"postgresql": "AND set_config('synchronous_commit', 'off', true) IS NOT NULL", "sqlite": ""}
_RESERVE = """
UPDATE tenants_quotaslot
SET next_at = (CASE WHEN next_at < {now} OR next_at > {now} + %s THEN {now} ELSE next_at END) + %s
WHERE category = %s {unhurried} RETURNING next_at - {now}
"""
_PUSH_BACK = "UPDATE tenants_quotaslot SET next_at = {now} + %s WHERE category = %s AND next_at < {now} + %s"


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

    def reserve(self, category: Quota) -> float:
        """When the call may be made, in seconds since the epoch. Raises KeyError for a category without a rate."""
        return self.reserve_several(category, 1)[0]

    def reserve_several(self, category: Quota, calls: int) -> list[float]:
        """When each of so many calls may be made, one after the other."""
        spacing = self._spacing[category]
        while True:
            with connection.cursor() as cursor:
                cursor.execute(_worded(_RESERVE), [_FURTHEST_SECONDS, spacing * calls, category])
                rows = cursor.fetchall()
            if rows:
                first = time.time() + float(rows[0][0]) - spacing * calls
                return [first + number * spacing for number in range(calls)]
            with transaction.atomic():
                QuotaSlot.objects.get_or_create(category=category)

    def wait(self, category: Quota) -> None:
        """Comes back when a call may be made."""
        time.sleep(max(0.0, self.reserve(category) - time.time()))

    def push_back(self, category: Quota) -> None:
        """A call was throttled: nobody makes another for about a second, or longer and longer if that does not help.

        Calls that were on their way already may be throttled too, which says nothing new.
        """
        now, pause = time.monotonic(), self._pauses[category]
        if now < pause.until:
            return
        helped = now > pause.until + 2 * pause.seconds
        pause.doublings = 0 if helped else pause.doublings + 1
        jitter = random.uniform(*_SHORTEST_PAUSE)  # noqa: S311 - not everybody goes on at once
        pause.seconds = min(_LONGEST_PAUSE_SECONDS, jitter * 2 ** min(pause.doublings, 10))
        pause.until = now + pause.seconds
        with connection.cursor() as cursor:
            cursor.execute(_worded(_PUSH_BACK), [pause.seconds, category, pause.seconds])


def _worded(statement: str) -> str:
    return statement.format(now=_NOW[connection.vendor], unhurried=_UNHURRIED[connection.vendor])
