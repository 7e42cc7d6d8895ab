"""The roles, users, groups and policies that decide a call. They are the engine's, and changes normally count at once.

On AWS a change of IAM takes effect "eventually". A test can set a delay: each call is then decided by the records of
that many seconds ago. This includes users and roles that a stack creates. Access keys are never delayed.
"""

import copy
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator import clock, engine

_READ_PREFIXES = ("Get", "List", "Simulate", "Generate")
_MAX_DELAY = 3600.0

Store = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Records:
    roles: Store
    users: Store
    groups: Store
    policies: Store
    user_inline_policies: Store
    group_inline_policies: Store

    def policy(self, arn: str) -> dict[str, Any] | None:
        """AWS's own managed policies always exist."""
        own: dict[str, Any] | None = self.policies.get(arn)
        return own or (engine.iam._lookup_policy(arn) if arn.startswith("arn:aws:iam::aws:") else None)


_delay = 0.0
_snapshots: deque[tuple[float, Records]] = deque()


def set_delay(data: object) -> None:
    """`{"seconds": n}`: from now on changes count n seconds later. 0 makes all changes count. Raises ValueError."""
    global _delay
    seconds = data.get("seconds") if isinstance(data, dict) else None
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= _MAX_DELAY:
        raise ValueError(f"seconds must be a number from 0 to {_MAX_DELAY:.0f}.")
    _delay = float(seconds)
    if not _delay:
        _snapshots.clear()


def snapshot_before(operation: str) -> None:
    """Saves the current records before an operation that may change them, if a delay is set."""
    if not _delay or operation.startswith(_READ_PREFIXES):
        return
    while len(_snapshots) > 1 and _snapshots[0][0] <= clock.now() - _delay:
        _snapshots.popleft()
    _snapshots.append((clock.now(), copy.deepcopy(_current())))


def records() -> Records:
    if _delay:
        for changed_at, before in _snapshots:
            if changed_at > clock.now() - _delay:
                return before
    return _current()


def _current() -> Records:
    iam = engine.iam
    return Records(
        iam._roles, iam._users, iam._groups, iam._policies, iam._user_inline_policies, iam._group_inline_policies
    )
