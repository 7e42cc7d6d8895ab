"""The numbers of the overview: what is counted, up to which limit, and what counts as under way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from tenants.domain.tenant_state import TenantState
from tenants.health import overview as module
from tenants.health.overview import HOURS, SILENT_AFTER, WEEKS, Count, Hour, overview
from tenants.models import (
    OutgoingMail,
    Provisioning,
    ProvisioningHour,
    Suspension,
    Tenant,
    Worker,
)
from tests.world.use_cases import make_members, tenant_in

# A Wednesday.
NOW = datetime(2026, 11, 25, 14, 20, 30, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
A_MOMENT, AN_HOUR = timedelta(microseconds=1), timedelta(hours=1)
HERE = "/operators/"


@pytest.mark.django_db
def test_tenants_are_counted_by_state() -> None:
    for place, state in enumerate(TenantState):
        for number in range(place + 1):
            tenant_in(state, domain=f"{state}{number}.example")
    assert [(state, count.value) for state, count in overview().states.items()] == [
        (state, place + 1) for place, state in enumerate(TenantState)
    ]


@pytest.mark.django_db
def test_weeks_begin_on_monday_at_midnight_and_end_with_this_one() -> None:
    first = MONDAY - timedelta(weeks=WEEKS - 1)
    for at in (MONDAY, MONDAY + AN_HOUR, MONDAY - A_MOMENT, first, first - A_MOMENT):
        Tenant.objects.create(name="A", created_at=at)
    weeks = overview(NOW).weeks
    assert [week.sign_ups.value for week in weeks] == [1, *[0] * (WEEKS - 3), 1, 2]
    assert (weeks[0].begins, weeks[-1].begins, weeks[-1].ends) == (first, MONDAY, MONDAY + timedelta(weeks=1))


@pytest.mark.django_db
def test_hours_have_no_gap_and_end_with_this_one() -> None:
    this = NOW.replace(minute=0, second=0)
    for hour in (this, this - HOURS * AN_HOUR, this - (HOURS - 1) * AN_HOUR):
        ProvisioningHour.objects.create(hour=hour, applied=7, throttled=2, failed=1)
    hours = overview(NOW).hours
    assert [hour.begins for hour in hours] == [this - ago * AN_HOUR for ago in reversed(range(HOURS))]
    assert hours[0] == Hour(this - (HOURS - 1) * AN_HOUR, 7, 2, 1)
    assert hours[-1] == Hour(this, 7, 2, 1)
    assert all(hour == Hour(hour.begins) for hour in hours[1:-1])


@pytest.mark.django_db
def test_the_backlog_says_since_when_the_first_member_waits() -> None:
    assert overview(NOW).backlog.waits_since is None
    make_members(1, Provisioning.DUE, due_at=NOW + AN_HOUR)
    assert overview(NOW).backlog.waits_since is None
    make_members(2, Provisioning.DUE, due_at=NOW - AN_HOUR)
    make_members(1, Provisioning.DUE, due_at=NOW)
    make_members(3, Provisioning.STUCK, due_at=NOW - 2 * AN_HOUR)
    make_members(2, Provisioning.CONFLICT)
    make_members(9, Provisioning.SETTLED, due_at=None)
    backlog = overview(NOW).backlog
    assert (backlog.due, backlog.stuck, backlog.conflict) == (Count(4), Count(3), Count(2))
    assert backlog.waits_since == NOW - AN_HOUR


@pytest.mark.django_db
def test_counts_stop_at_a_limit_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TENANTS", 3)
    monkeypatch.setattr(module, "MOST_MEMBERS", 2)
    for number in range(3):
        Tenant.objects.create(name=f"{number}")
    make_members(2, Provisioning.DUE)
    current = overview()
    assert (str(current.states[TenantState.PENDING]), str(current.backlog.due)) == ("3+", "2")
    assert (str(current.weeks[-1].sign_ups), str(current.states[TenantState.ACTIVE])) == ("3+", "0")
    make_members(1, Provisioning.DUE)
    assert str(overview().backlog.due) == "2+"
    assert str(Count(12_345)) == "12,345"


@pytest.mark.django_db
def test_mails_are_counted_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MAILS", 2)
    for number in range(6):
        due_at = NOW if number < 3 else None
        sent_at = NOW if number == 5 else None
        OutgoingMail.objects.create(message_id=f"<{number}>", kind="removed", due_at=due_at, sent_at=sent_at)
    assert (str(overview().mails.waiting), str(overview().mails.given_up)) == ("2+", "2")


@pytest.mark.django_db
def test_workers_are_running_or_silent_or_not_listed_any_more() -> None:
    for name, beat_at, stopped_at in (
        ("running", NOW - SILENT_AFTER, None),
        ("killed", NOW - SILENT_AFTER - A_MOMENT, None),
        ("stopped", NOW, NOW),
        ("forgotten", NOW - timedelta(days=1), None),
    ):
        Worker.objects.create(name=name, beat_at=beat_at, stopped_at=stopped_at)
    current = overview(NOW)
    assert [(worker.name, worker.is_silent) for worker in current.workers] == [("running", False), ("killed", True)]
    assert current.working == 1


@pytest.mark.django_db
def test_suspensions_are_under_way_until_credentials_have_expired() -> None:
    ended = {"denied_at": NOW, "signed_out_at": NOW}
    for days, fields in (
        (1, {}),
        (3, {"denied_at": NOW}),
        (2, {**ended, "deny_until": NOW + A_MOMENT}),
        (5, {**ended, "deny_until": NOW}),
        (4, {"lifted_at": NOW}),
    ):
        tenant = Tenant.objects.create(name=f"{days}")
        Suspension.objects.create(tenant=tenant, began_at=NOW - timedelta(days=days), **fields)
    under_way = overview(NOW).under_way
    assert [suspension.tenant.name for suspension in under_way.longest] == ["3", "2", "1"]
    assert (under_way.count, under_way.not_signed_out, under_way.without_room) == (Count(3), Count(2), 0)


@pytest.mark.django_db
def test_suspensions_under_way_are_listed_the_longest_first() -> None:
    now = timezone.now()
    for number, denied_at in ((3, now), (1, None), (2, now)):
        tenant = Tenant.objects.create(name=f"Suspended {number}")
        Suspension.objects.create(tenant=tenant, began_at=now - AN_HOUR * (9 - number), denied_at=denied_at)
    listed = [suspension.tenant.name for suspension in overview().under_way.longest]
    assert listed == ["Suspended 1", "Suspended 2", "Suspended 3"]
