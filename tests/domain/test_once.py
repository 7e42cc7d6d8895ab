"""One value per process: for every thread, for each set of arguments, until a test forgets it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tenants.domain.once import forget_all, once


def test_many_threads_get_one_value() -> None:
    made, together = [], threading.Barrier(8)

    @once
    def value() -> object:
        made.append(threading.get_ident())
        time.sleep(0.05)
        return object()

    def ask(_: int) -> object:
        together.wait(timeout=60)
        return value()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert len(made) == 1


def test_each_set_of_arguments_has_its_value() -> None:
    @once
    def value(*, threads: int) -> list[int]:
        return [threads]

    assert value(threads=1) is value(threads=1)
    assert value(threads=2) == [2]


def test_an_exception_is_not_kept() -> None:
    answers = iter([KeyError("settings are missing"), None])

    @once
    def value() -> str:
        if error := next(answers):
            raise error
        return "made"

    with pytest.raises(KeyError, match="settings are missing"):
        value()
    assert value() == "made"


def test_a_forgotten_value_is_made_anew() -> None:
    @once
    def value() -> object:
        return object()

    first = value()
    value.forget()
    second = value()
    forget_all()
    assert len({first, second, value()}) == 3
