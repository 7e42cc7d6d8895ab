"""One caller works while others wait, in a process and between processes. A killed one holds up nobody for long."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tenants.sign_in import single_flight
from tenants.sign_in.single_flight import SingleFlight


class Cache:
    """A cache that several processes share: adding is atomic, everything expires."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[Any, float]] = {}
        self.guard = threading.Lock()

    def add(self, key: str, value: Any, timeout: float | None = None) -> bool:
        with self.guard:
            if self.get(key) is not None:
                return False
            self.set(key, value, timeout)
            return True

    def get(self, key: str, default: Any = None) -> Any:
        value, until = self.kept.get(key, (default, 0.0))
        return value if until > time.monotonic() else default

    def set(self, key: str, value: Any, timeout: float | None = None) -> None:
        self.kept[key] = (value, time.monotonic() + (timeout or 300))

    def delete(self, key: str) -> bool:
        return self.kept.pop(key, None) is not None


def most_inside_at_once(flights: list[SingleFlight], seconds: float) -> int:
    inside, most, guard = 0, 0, threading.Lock()

    def work(flight: SingleFlight) -> None:
        nonlocal inside, most
        with flight.alone("k"):
            with guard:
                inside += 1
                most = max(most, inside)
            time.sleep(seconds)
            with guard:
                inside -= 1

    with ThreadPoolExecutor(len(flights)) as pool:
        list(pool.map(work, flights))
    return most


def test_threads_of_a_process_take_turns_even_without_a_cache() -> None:
    forgetful = Cache()
    forgetful.set = lambda *_, **__: None  # type: ignore[method-assign]
    one = SingleFlight(forgetful)
    assert most_inside_at_once([one] * 5, 0.02) == 1


def test_processes_that_share_a_cache_take_turns() -> None:
    shared = Cache()
    assert most_inside_at_once([SingleFlight(shared) for _ in range(4)], 0.05) == 1


def test_different_keys_do_not_wait_for_each_other() -> None:
    flights = SingleFlight(Cache())
    with flights.alone("a"), flights.alone_or_not("b") as alone:
        assert alone


def test_a_killed_holder_is_waited_for_no_longer_than_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_flight, "LEASE_SECONDS", 0.3)
    shared, started = Cache(), time.monotonic()
    shared.add("flight:k", "held-by-a-killed-process", timeout=0.3)
    with SingleFlight(shared).alone("k"):
        assert 0.2 < time.monotonic() - started < 8


def test_only_its_holder_gives_a_lease_back() -> None:
    shared = Cache()
    with SingleFlight(shared).alone("k"):
        shared.set("flight:k", "somebody else's, after mine ran out")
    assert shared.get("flight:k") == "somebody else's, after mine ran out"


def test_a_caller_may_decline_to_wait() -> None:
    shared = Cache()
    here, elsewhere = SingleFlight(shared), SingleFlight(shared)
    with here.alone("k"):
        started = time.monotonic()
        with elsewhere.alone_or_not("k") as alone:
            assert not alone
        with ThreadPoolExecutor(1) as pool:
            assert not pool.submit(lambda: here.alone_or_not("k").__enter__()).result()
        assert time.monotonic() - started < 8
    with elsewhere.alone_or_not("k") as alone:
        assert alone


def test_a_damaged_lease_is_not_waited_for() -> None:
    shared = Cache()
    shared.add("flight:k", 42, timeout=60)
    started = time.monotonic()
    with SingleFlight(shared).alone("k"):
        assert time.monotonic() - started < 8
