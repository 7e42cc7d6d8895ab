"""Faults on demand and a count of calls, for tests: what fails, how often, and how often each operation was called.

Nothing fails unless somebody holding root's secret switched it on, and every fault has an end.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from emulator.wire import AwsError, Dropped

_MEMBERS = frozenset({"operation", "code", "message", "status", "count", "delay_seconds", "drop"})


@dataclass(frozen=True, slots=True)
class Fault:
    """`code` None delays without failing. `count` is how many more calls it meets."""

    operation: str
    code: str | None = None
    message: str = "A fault was asked for."
    status: int = 400
    count: int = 1
    delay_seconds: float = 0.0
    drop: bool = False


def parse_fault(data: Mapping[str, Any]) -> Fault:
    """Raises ValueError for a member that is unknown or of the wrong type."""
    unknown = set(data) - _MEMBERS
    if unknown or not isinstance(data.get("operation"), str):
        raise ValueError(f"A fault has an operation and some of {sorted(_MEMBERS)}.")
    fault = Fault(**data)
    kinds = ((fault.status, int), (fault.count, int), (fault.delay_seconds, int | float), (fault.drop, bool))
    if not all(isinstance(value, kind) for value, kind in kinds) or not isinstance(fault.code, str | None):
        raise ValueError("A member of the fault is of the wrong type.")
    return fault


class Switchboard:
    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}
        self.calls: Counter[str] = Counter()

    def switch_on(self, fault: Fault) -> None:
        self._faults[fault.operation] = fault

    def clear(self) -> None:
        self._faults.clear()

    async def meet(self, operation: str) -> Dropped | None:
        """Counts the call and lets a fault for it happen: waits, raises `AwsError`, or answers `Dropped`."""
        self.calls[operation] += 1
        fault = self._faults.get(operation)
        if fault is None or fault.count < 1:
            return None
        self._faults[operation] = replace(fault, count=fault.count - 1)
        if fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        if fault.drop:
            return Dropped()
        if fault.code is not None:
            raise AwsError(fault.code, fault.message, fault.status)
        return None
