"""The pace that all workers share: never over the limit, none of it wasted, and all pause after a throttle."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from django.db import connections

from tenants.domain.errors import Throttled, Unreachable
from tenants.domain.user_plan import Quota
from tenants.models import QuotaSlot
from tenants.provisioning import pace
from tenants.provisioning.pace import NOT_CALLED, Pacer, call_unless_stopped


def pacer_at(rate: float) -> Pacer:
    return Pacer({Quota.CREATION: rate, Quota.UPDATE: 25.0})


def most_within_a_second(moments: list[float]) -> int:
    return max(sum(1 for moment in moments if start <= moment < start + 1) for start in moments)


def seconds_to_wait(moment: float) -> float:
    return moment - time.time()


@pytest.mark.django_db
def test_calls_are_spaced_evenly_and_the_first_one_need_not_wait() -> None:
    pacer, ends = pacer_at(0.1), list[float]()
    for number in range(20):
        waits = seconds_to_wait(pacer.reserve(Quota.CREATION))
        assert (waits <= 0) == (number == 0)
        # As the row has it: a busy machine reads its clock late.
        ends.append(QuotaSlot.objects.get(category=Quota.CREATION).next_at)
    for one, next_one in pairwise(ends):
        assert next_one - one == pytest.approx(1 / (0.1 * 0.985), abs=1e-3)


@pytest.mark.django_db
def test_a_call_is_made_when_its_moment_comes() -> None:
    pacer, made = pacer_at(20), list[float]()
    pacer.call(Quota.CREATION, lambda: made.append(time.time()))
    for _ in range(4):
        moment = QuotaSlot.objects.get(category=Quota.CREATION).next_at
        pacer.call(Quota.CREATION, lambda: made.append(time.time()))
        # A busy machine makes it later, never earlier.
        assert moment - 0.01 <= made[-1]
    assert made[-1] - made[0] >= 4 / 20 - 0.01


@pytest.mark.django_db
def test_idle_time_is_not_made_up_for() -> None:
    QuotaSlot.objects.create(category=Quota.CREATION, next_at=time.time() - 60)
    moments = [pacer_at(10).reserve(Quota.CREATION) for _ in range(30)]
    assert most_within_a_second(moments) <= 10


@pytest.mark.django_db
def test_several_calls_are_reserved_at_once_one_after_the_other() -> None:
    moments = pacer_at(0.1).reserve_several(Quota.CREATION, 5)
    assert len(moments) == 5
    for one, next_one in pairwise(moments):
        assert next_one - one == pytest.approx(10 / 0.985, abs=1e-3)
    assert pacer_at(0.1).reserve(Quota.CREATION) - moments[0] == pytest.approx(50 / 0.985, abs=5)


@pytest.mark.django_db
def test_each_category_has_a_pace_of_its_own() -> None:
    pacer = pacer_at(0.1)
    for _ in range(3):
        pacer.reserve(Quota.CREATION)
    assert seconds_to_wait(pacer.reserve(Quota.UPDATE)) <= 0


@pytest.mark.django_db
def test_after_any_number_of_throttles_all_wait_about_a_second() -> None:
    one, another = pacer_at(50), pacer_at(50)
    one.reserve(Quota.CREATION)
    began = time.time()
    for _ in range(20):
        one.push_back(Quota.CREATION)
    assert began + 0.4 <= another.reserve(Quota.CREATION) <= time.time() + 1.5


@pytest.mark.django_db
def test_each_further_throttle_doubles_the_pause_until_one_has_helped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, pacer, waits = [1000.0], pacer_at(50), []
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    for _ in range(9):
        QuotaSlot.objects.update_or_create(category=Quota.CREATION, defaults={"next_at": 0})
        began = time.time()
        pacer.push_back(Quota.CREATION)
        at = pacer.reserve(Quota.CREATION)
        waits.append((at - began, seconds_to_wait(at)))
        now[0] += waits[-1][0] + 0.1
    for doublings, (from_begin, from_end) in enumerate(waits):
        assert min(20, 0.5 * 2**doublings) - 0.1 <= from_begin
        assert from_end <= min(20, 1.5 * 2**doublings)
    now[0] += 200
    QuotaSlot.objects.update(next_at=0)
    pacer.push_back(Quota.CREATION)
    assert seconds_to_wait(pacer.reserve(Quota.CREATION)) <= 1.5


@pytest.mark.django_db
def test_machines_whose_clocks_differ_keep_to_the_same_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, right = pacer_at(0.1), time.time
    for hours in (0, 1, -1, 0, 1, -1):
        monkeypatch.setattr(pace.time, "time", lambda hours=hours: right() + hours * 3600)
        at = slow.reserve(Quota.CREATION)
        waited = at - pace.time.time()
    # Less by what the test takes, and far from an hour.
    assert waited == pytest.approx(50 / 0.985, abs=10 / 0.985)


@pytest.mark.django_db
def test_a_moment_written_by_a_wrong_clock_is_not_waited_for() -> None:
    QuotaSlot.objects.create(category=Quota.CREATION, next_at=time.time() + 86_400)
    assert seconds_to_wait(pacer_at(50).reserve(Quota.CREATION)) <= 0


@pytest.mark.django_db
def test_a_throttled_call_delays_all_further_calls_and_comes_back() -> None:
    def throttled() -> None:
        raise Throttled("The user pool (Cognito)", "TooManyRequestsException")

    began = time.time()
    assert isinstance(pacer_at(50).call(Quota.CREATION, throttled), Throttled)
    assert began + 0.4 <= pacer_at(50).reserve(Quota.CREATION) <= time.time() + 1.5


@pytest.mark.django_db
def test_a_call_that_fails_otherwise_delays_no_further_call() -> None:
    def fails() -> None:
        raise Unreachable("The user pool (Cognito)", "gone")

    pacer = pacer_at(50)
    assert isinstance(pacer.call_at(time.time(), Quota.UPDATE, fails), Unreachable)
    assert seconds_to_wait(pacer.reserve(Quota.UPDATE)) <= 0


def test_no_call_is_made_once_it_is_stopped_or_too_late() -> None:
    stop, made = threading.Event(), []
    soon, later = time.time(), time.time() + 60
    assert call_unless_stopped(soon, lambda: made.append(1), stop=stop, latest=soon - 1) is NOT_CALLED
    stop.set()
    assert call_unless_stopped(later, lambda: made.append(2), stop=stop, latest=later) is NOT_CALLED
    assert not made


def test_a_call_waits_for_its_moment_and_returns_its_failure() -> None:
    began = time.time()

    def fails() -> float:
        raise Unreachable("The user pool (Cognito)", f"after {time.time() - began >= 0.2}")

    failure = call_unless_stopped(began + 0.2, fails, stop=threading.Event(), latest=began + 60)
    assert isinstance(failure, Unreachable)
    assert "after True" in failure.for_operators


@pytest.mark.django_db(transaction=True)
def test_eight_threads_share_all_moments_and_none_twice() -> None:
    # So slow that a busy machine reserves all of them before the second one's moment.
    rate, each = 1.0, 25

    def reserved(_: int) -> list[float]:
        pacer = pacer_at(rate)
        moments = [pacer.reserve(Quota.CREATION) for _ in range(each)]
        connections.close_all()
        return moments

    with ThreadPoolExecutor(8) as pool:
        moments = sorted(at for found in pool.map(reserved, range(8)) for at in found)
    for number, at in enumerate(moments):
        assert at - moments[0] == pytest.approx(number / (rate * 0.985), abs=0.5)
    last = QuotaSlot.objects.get(category=Quota.CREATION).next_at
    assert last - moments[0] == pytest.approx(8 * each / (rate * 0.985), abs=0.5)
