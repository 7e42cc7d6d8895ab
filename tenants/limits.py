"""How often something may happen in a minute. The shared cache counts; when it is emptied, counting begins again.

While it is away, each process counts alone.
"""

from __future__ import annotations

import hashlib
import time

from django.core.cache import cache

_MINUTE = 60
_DAY = 24 * 60 * _MINUTE


def is_first_in_a_minute(what: str) -> bool:
    """Whether nobody asked for the same `what` in the last minute. It may be any text, of any length."""
    return bool(cache.add(f"first:{_digest(what)}", 1, timeout=_MINUTE))


def is_within(most: int, what: str) -> bool:
    """Adds one to the count of `what`. Whether it is at most `most` in this minute of the clock."""
    counted = f"count:{_digest(what)}:{int(time.time() // _MINUTE)}"
    cache.add(counted, 0, timeout=2 * _MINUTE)
    return cache.incr(counted) <= most


def count(what: str) -> None:
    """Adds one to a count that `take_count` returns. It is kept for a day."""
    counted = f"taken:{_digest(what)}"
    cache.add(counted, 0, timeout=_DAY)
    cache.incr(counted)


def take_count(what: str) -> int:
    """How often `count` was called with the same `what` since the last time this was asked."""
    counted = f"taken:{_digest(what)}"
    times = int(cache.get(counted, 0))
    if times:
        cache.decr(counted, times)
    return times


def _digest(what: str) -> str:
    return hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()
