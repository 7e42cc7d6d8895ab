"""The operators' overview: what it counts, what it asks operators to see to, and that every number leads somewhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tenants.audit.actions import Action
from tenants.domain.errors import Misconfigured
from tenants.domain.roles import Role
from tenants.domain.suspension_policy import ROOM
from tenants.domain.tenant_state import TenantState
from tenants.health import overview as module
from tenants.health.overview import HOURS, MOST_LISTED, SILENT_AFTER, WEEKS, Count, Hour, overview
from tenants.models import (
    Member,
    Person,
    Provisioning,
    ProvisioningHour,
    Reconciliation,
    Suspension,
    Tenant,
    Worker,
)
from tenants.operators.charts import BOTTOM, TOP, Chart, Column, Series, chart, round_above, share
from tenants.operators.overview import in_words
from tenants.provisioning.halt import halt
from tests.world.fixtures import Browser
from tests.world.use_cases import tenant_in

# A Wednesday.
NOW = datetime(2026, 11, 25, 14, 20, 30, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
A_MOMENT, AN_HOUR = timedelta(microseconds=1), timedelta(hours=1)
HERE = "/operators/"


def members(count: int, provisioning: Provisioning, **fields: Any) -> None:
    made = Tenant.objects.create(name="Somebody’s")
    for number in range(count):
        person = Person.objects.create(email=f"{number}@t{made.pk}.example")
        error = "It is so." if provisioning in (Provisioning.STUCK, Provisioning.CONFLICT) else ""
        about = {"provisioning": provisioning, "last_error": error, **fields}
        Member.objects.create(person=person, tenant=made, role=Role.VIEWER, **about)


def text_of(browser: Browser) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", browser.get(HERE).content.decode())))


@pytest.mark.django_db
def test_tenants_are_counted_by_state() -> None:
    for place, state in enumerate(TenantState):
        for number in range(place + 1):
            tenant_in(state, domain=f"{state}{number}.example")
    assert [(state, count.value) for state, count in overview().states.items()] == [
        (state, place + 1) for place, state in enumerate(TenantState)
    ]


@pytest.mark.django_db
def test_weeks_begin_on_monday_at_midnight_and_the_last_one_is_this_one() -> None:
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
def test_the_backlog_knows_since_when_the_longest_waits_for_a_worker() -> None:
    assert overview(NOW).backlog.waits_since is None
    members(1, Provisioning.DUE, due_at=NOW + AN_HOUR)
    assert overview(NOW).backlog.waits_since is None
    members(2, Provisioning.DUE, due_at=NOW - AN_HOUR)
    members(1, Provisioning.DUE, due_at=NOW)
    members(3, Provisioning.STUCK, due_at=NOW - 2 * AN_HOUR)
    members(2, Provisioning.CONFLICT)
    members(9, Provisioning.SETTLED, due_at=None)
    backlog = overview(NOW).backlog
    assert (backlog.due, backlog.stuck, backlog.conflict) == (Count(4), Count(3), Count(2))
    assert backlog.waits_since == NOW - AN_HOUR


@pytest.mark.django_db
def test_nothing_is_counted_past_its_limit_and_the_number_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TENANTS", 3)
    monkeypatch.setattr(module, "MOST_MEMBERS", 2)
    for number in range(3):
        Tenant.objects.create(name=f"{number}")
    members(2, Provisioning.DUE)
    seen = overview()
    assert (str(seen.states[TenantState.PENDING]), str(seen.backlog.due)) == ("3+", "2")
    assert (str(seen.weeks[-1].sign_ups), str(seen.states[TenantState.ACTIVE])) == ("3+", "0")
    members(1, Provisioning.DUE)
    assert str(overview().backlog.due) == "2+"
    assert str(Count(12_345)) == "12,345"


@pytest.mark.django_db
def test_workers_are_running_silent_or_not_shown_any_more() -> None:
    for name, beat_at, stopped_at in (
        ("running", NOW - SILENT_AFTER, None),
        ("killed", NOW - SILENT_AFTER - A_MOMENT, None),
        ("stopped", NOW, NOW),
        ("forgotten", NOW - timedelta(days=1), None),
    ):
        Worker.objects.create(name=name, beat_at=beat_at, stopped_at=stopped_at)
    seen = overview(NOW)
    assert [(worker.name, worker.is_silent) for worker in seen.workers] == [("running", False), ("killed", True)]
    assert seen.working == 1


@pytest.mark.django_db
def test_suspensions_are_under_way_until_no_credentials_from_before_can_live() -> None:
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
def test_suspensions_under_way_are_listed_the_longest_first_denied_or_not() -> None:
    now = timezone.now()
    for number, denied_at in ((3, now), (1, None), (2, now)):
        tenant = Tenant.objects.create(name=f"Suspended {number}")
        Suspension.objects.create(tenant=tenant, began_at=now - AN_HOUR * (9 - number), denied_at=denied_at)
    listed = [suspension.tenant.name for suspension in overview().under_way.longest]
    assert listed == ["Suspended 1", "Suspended 2", "Suspended 3"]


def test_it_costs_the_same_queries_however_much_there_is(operator: Browser) -> None:
    operator.get(HERE)
    with CaptureQueriesContext(connection) as empty:
        operator.get(HERE)
    for number in range(MOST_LISTED + 5):
        tenant = Tenant.objects.create(name=f"{number}")
        Suspension.objects.create(tenant=tenant)
        Worker.objects.create(name=f"{number}")
        Reconciliation.objects.create(tenant=tenant, finished_at=timezone.now())
        ProvisioningHour.objects.create(hour=timezone.now() - number * AN_HOUR)
    members(5, Provisioning.DUE)
    with CaptureQueriesContext(connection) as full:
        seen = operator.get(HERE).context["overview"]
    assert len(full) == len(empty) == 7
    assert len(seen.workers) == len(seen.under_way.longest) == MOST_LISTED
    assert seen.under_way.count == Count(MOST_LISTED + 5)


def test_every_number_leads_to_the_list_of_what_it_counts(operator: Browser) -> None:
    for provisioning, count in ((Provisioning.DUE, 4), (Provisioning.STUCK, 3), (Provisioning.CONFLICT, 2)):
        members(count, provisioning)
    tenant_in(TenantState.SUSPENDED)
    page = operator.get(HERE).content.decode()
    numbers = re.findall(r'<a href="(/operators/\w+/\?(?:state|provisioning)=[^"]+)">([\d,]+)</a>', page)
    assert len(numbers) == len(TenantState) + 3
    for address, number in numbers:
        listed = operator.get(address)
        assert (listed.status_code, len(listed.context["page"].rows)) == (200, int(number)), address
    for address in set(re.findall(r'href="(/operators/[^"#]*)', page)):
        assert operator.get(unescape(address)).status_code == 200, address


def test_a_week_leads_to_the_list_from_its_last_sign_up_on(operator: Browser) -> None:
    Tenant.objects.all().update(created_at=timezone.now() - timedelta(weeks=3))
    week = overview().weeks[-3]
    for name, at in (("Last", week.ends - A_MOMENT), ("Next", week.ends), ("First", week.begins)):
        Tenant.objects.create(name=name, created_at=at)
    page = operator.get(HERE).content.decode()
    address, number = re.search(
        rf'<a href="([^"]+)">{week.begins:%-d %B %Y}</a></th><td class="number">(\d+)', page
    ).groups()  # type: ignore[union-attr]
    listed = operator.get(unescape(address)).context["page"].rows
    assert (number, [tenant.name for tenant in listed][:2]) == ("2", ["Last", "First"])


def test_an_empty_platform_is_told_what_to_do_next(operator: Browser) -> None:
    Reconciliation.objects.all().delete()
    Tenant.objects.all().update(created_at=timezone.now() - timedelta(weeks=50))
    text = text_of(operator)
    for words in (
        "No worker is running. Start one: manage.py provision --watch. Until then, new members wait.",
        "Nobody has signed up lately",
        "Nothing was changed in Cognito",
        "No worker was heard of today",
        "None under way",
        "The whole pool has not been compared yet",
        "manage.py reconcile",
    ):
        assert words in text


def test_when_all_is_well_it_says_so(operator: Browser) -> None:
    Worker.objects.create(name="w")
    Reconciliation.objects.create(finished_at=timezone.now(), found=2, repaired=2)
    assert "Nothing needs you." in text_of(operator)


def test_what_one_tenants_comparison_found_says_nothing_of_the_whole_pool(operator: Browser) -> None:
    Worker.objects.create(name="w")
    Reconciliation.objects.create(finished_at=timezone.now(), found=4)
    Reconciliation.objects.create(tenant=Tenant.objects.get(slug="acme"), finished_at=timezone.now())
    assert "left 4 differences" in text_of(operator)


def test_what_operators_should_see_to_is_said_first(operator: Browser) -> None:
    halt(Misconfigured("The user pool is gone."))
    members(1, Provisioning.STUCK)
    members(2, Provisioning.CONFLICT)
    members(1, Provisioning.DUE, due_at=timezone.now() - 3 * AN_HOUR)
    Reconciliation.objects.create(last_error="Throttled.", found=3, repaired=1)
    for number in range(ROOM + 1):
        Suspension.objects.create(tenant=Tenant.objects.create(name=f"{number}"))
    text = text_of(operator)
    for words in (
        "Nobody can be provisioned. The user pool is gone.",
        "No worker is running. Start one: manage.py provision --watch. Until then, 1 member waits.",
        "Cognito cannot be made to match for 1 member.",
        "somebody else’s user has the address of 2 members.",
        "no room for 1 suspended tenant.",
        "comparison with Cognito was interrupted",
        "left 2 differences",
    ):
        assert words in text
    Worker.objects.create(name="w")
    assert "A member has waited for Cognito for 3 hours." in text_of(operator)
    Worker.objects.update(unwritten="IAM answered LimitExceeded.")
    assert "The policy SuspendedTenants cannot be written. IAM answered LimitExceeded." in text_of(operator)
    assert f"action={Action.PROVISIONING_HALTED}" in operator.get(HERE).content.decode()


def test_charts_have_a_title_and_their_numbers_in_a_table(operator: Browser) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    ProvisioningHour.objects.create(hour=hour, applied=1234, throttled=56, failed=7)
    Tenant.objects.create(name="A")
    page = operator.get(HERE).content.decode()
    pictures = re.findall(r'<svg[^>]*role="img".*?</svg>', page, re.DOTALL)
    assert len(pictures) == len(TenantState) + 2
    assert all("<title" in picture for picture in pictures)
    cells = "".join(f'<td class="number">{number}</td>' for number in ("1,234", "56", "7"))
    assert f'<th scope="row">{hour:%-d %B, %H:%M}</th>{cells}' in page
    assert "style=" not in page


def sample(*values: tuple[int, ...]) -> Chart:
    columns = [Column(f"{number}", f"{number}", value) for number, value in enumerate(values)]
    return chart(key="k", title="T", head="H", series=(Series("A", "a"), Series("B", "b")), columns=columns)


def test_columns_stand_on_the_axis_on_each_other_and_in_a_row() -> None:
    made = sample((5, 5), (0, 10), (10, 0))
    low, high, second, third = made.bars
    middle = (TOP + BOTTOM) / 2
    assert [(bar.look, float(bar.y), float(bar.height)) for bar in (low, high)] == [
        ("a", middle, BOTTOM - middle),
        ("b", TOP, middle - TOP),
    ]
    assert (second.look, float(second.y), third.look) == ("b", TOP, "a")
    edges = [float(bar.x[:-1]) for bar in (low, second, third)]
    assert edges[0] > 0
    assert edges[1] - edges[0] == pytest.approx(100 / 3, abs=0.02)
    assert edges[2] + float(third.width[:-1]) < 100
    assert [line.text for line in made.lines] == ["0", "5", "10"]


def test_a_number_that_is_not_nothing_is_seen_and_nothing_is_not() -> None:
    made = sample((1, 0), (100_000, 0))
    assert [float(bar.height) >= 2 for bar in made.bars] == [True, True]
    assert sample((0, 0)).is_empty
    assert (share(0, 5), share(1, 1_000_000), share(5, 5), share(0, 0)) == ("0%", "0.50%", "100.00%", "0%")


def test_scales_end_a_little_above_what_they_show() -> None:
    for value in [*range(300), 999, 1000, 1001, 12_345, 98_000, 100_000]:
        end = round_above(value)
        assert end >= value
        assert end % 2 == 0
        assert end <= max(2, value * 1.6)


def test_a_stretch_of_time_is_told_by_its_largest_unit() -> None:
    told = {seconds: in_words(timedelta(seconds=seconds)) for seconds in (0, 1, 59, 60, 3599, 3600, 86_400, 200_000)}
    assert list(told.values()) == [
        "a moment", "1 second", "59 seconds", "1 minute", "59 minutes", "1 hour", "1 day", "2 days",
    ]  # fmt: skip
