"""The worker's other jobs: done in turn or side by side, and a failing one holds up nobody."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection, connections

from tenants.management.periodic import Job, run_once, running
from tenants.models import Lease


def wait_until(true: Callable[[], bool], *, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def counting_down(left: list[int], calls: list[str], name: str) -> Job:
    """Does one thing a call until nothing is left."""

    def run() -> int:
        calls.append(name)
        if not left[0]:
            return 0
        left[0] -= 1
        return 1

    return Job(name, run, every=0.01)


def failing() -> int:
    raise ValueError("out of order")


def test_jobs_are_done_in_turn_until_none_has_anything_left() -> None:
    calls: list[str] = []
    some = [counting_down([2], calls, "mails"), counting_down([1], calls, "invitations")]
    assert run_once(some, threading.Event()) == (3, {})
    assert calls == ["mails", "invitations"] * 3


def test_a_job_that_fails_is_left_out_and_named() -> None:
    calls: list[str] = []
    done, failed = run_once([Job("broken", failing), counting_down([2], calls, "mails")], threading.Event())
    assert (done, calls) == (2, ["mails"] * 3)
    assert {name: str(error) for name, error in failed.items()} == {"broken": "out of order"}


def test_nothing_more_is_begun_once_it_has_to_stop() -> None:
    stop, calls = threading.Event(), list[str]()
    assert run_once([Job("last", lambda: stop.set() or 1), counting_down([9], calls, "mails")], stop) == (1, {})
    assert calls == []


def test_a_failing_job_is_tried_again_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    tries, calls = [0], list[str]()

    def fails_twice() -> int:
        tries[0] += 1
        if tries[0] <= 2:
            raise ValueError("out of order")
        return 0

    with (
        caplog.at_level(logging.ERROR),
        running([Job("shaky", fails_twice, every=0.01), counting_down([50], calls, "mails")], threading.Event()),
    ):
        wait_until(lambda: tries[0] > 3 and len(calls) > 50)
    assert [record.message for record in caplog.records] == ["a job failed, and is tried again"]


def test_a_slow_job_does_not_hold_up_another() -> None:
    may_end, ended, calls = threading.Event(), list[bool](), list[str]()

    def slow() -> int:
        ended.append(may_end.wait(60))
        return 0

    with running([Job("slow", slow), counting_down([3], calls, "mails")], threading.Event()):
        wait_until(lambda: len(calls) > 3)
        assert ended == []
        may_end.set()


def test_threads_end_when_the_worker_does_and_also_when_it_fails() -> None:
    stop = threading.Event()
    with pytest.raises(ValueError, match="out of order"), running([Job("mails", lambda: 0)], stop):
        failing()
    assert stop.is_set()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("job-")]


@pytest.mark.django_db(transaction=True)
def test_each_job_has_a_connection_of_its_own_and_closes_it() -> None:
    used: dict[str, object] = {}

    def take() -> int:
        Lease.objects.take(threading.current_thread().name, holder="a test", seconds=60)
        used[threading.current_thread().name] = connections["default"].connection
        return 0

    with running([Job("one", take, every=0.01), Job("two", take, every=0.01)], threading.Event()):
        wait_until(lambda: len(used) == 2)
    assert len({id(one) for one in used.values()} | {id(connection.connection)}) == 3
    assert sorted(Lease.objects.values_list("name", flat=True)) == ["job-one", "job-two"]
    for one in used.values():
        with pytest.raises(Exception, match=r"(?i)closed"):
            one.cursor()  # type: ignore[attr-defined]
