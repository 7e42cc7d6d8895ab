"""How often a thing may happen in a minute: counted in the shared cache, and forgotten with it."""

from __future__ import annotations

import hashlib
import time

from django.core.cache import cache

_MINUTE = 60


def is_first_in_a_minute(what: str) -> bool:
    """Whether the same was not asked within the last minute. `what` may be anything, of any length."""
    return bool(cache.add(f"first:{_digest(what)}", 1, timeout=_MINUTE))


def is_within(most: int, what: str) -> bool:
    """Counts one more, and says whether no more than `most` have been counted since the minute began."""
    counted = f"count:{_digest(what)}:{int(time.time() // _MINUTE)}"
    cache.add(counted, 0, timeout=2 * _MINUTE)
    return cache.incr(counted) <= most


def _digest(what: str) -> str:
    return hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()
