"""The overview's page: problems come first, numbers link to lists, and charts have their numbers in a table."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tenants.audit.actions import Action
from tenants.domain.dates import formatted_day
from tenants.domain.errors import Misconfigured
from tenants.domain.suspension_policy import ROOM
from tenants.domain.tenant_state import TenantState
from tenants.health.overview import MOST_LISTED, Count, overview
from tenants.models import (
    MailOutage,
    OutgoingMail,
    Provisioning,
    ProvisioningHour,
    Reconciliation,
    SignUp,
    SignUpState,
    Suspension,
    Tenant,
    Worker,
)
from tenants.operators.charts import BOTTOM, TOP, Chart, Column, Series, chart, round_above, share
from tenants.operators.overview import age_text
from tenants.provisioning.halt import halt
from tests.world.fixtures import Browser
from tests.world.use_cases import make_members, tenant_in

HERE = "/operators/"
A_MOMENT, AN_HOUR = timedelta(microseconds=1), timedelta(hours=1)


def text_of(browser: Browser) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", browser.get(HERE).content.decode())))


def test_the_page_takes_as_many_queries_with_more_rows(operator: Browser) -> None:
    operator.get(HERE)
    with CaptureQueriesContext(connection) as empty:
        operator.get(HERE)
    for number in range(MOST_LISTED + 5):
        tenant = Tenant.objects.create(name=f"{number}")
        Suspension.objects.create(tenant=tenant)
        Worker.objects.create(name=f"{number}")
        Reconciliation.objects.create(tenant=tenant, finished_at=timezone.now())
        ProvisioningHour.objects.create(hour=timezone.now() - number * AN_HOUR)
    make_members(5, Provisioning.DUE)
    with CaptureQueriesContext(connection) as full:
        current = operator.get(HERE).context["overview"]
    assert len(full) == len(empty) == 10
    assert len(current.workers) == len(current.under_way.longest) == MOST_LISTED
    assert current.under_way.count == Count(MOST_LISTED + 5)


def test_every_number_links_to_a_list_of_as_many_rows(operator: Browser) -> None:
    for provisioning, count in ((Provisioning.DUE, 4), (Provisioning.STUCK, 3), (Provisioning.CONFLICT, 2)):
        make_members(count, provisioning)
    tenant_in(TenantState.SUSPENDED)
    page = operator.get(HERE).content.decode()
    numbers = re.findall(r'<a href="(/operators/\w+/\?(?:state|provisioning)=[^"]+)">([\d,]+)</a>', page)
    assert len(numbers) == len(TenantState) + 3
    for address, number in numbers:
        listed = operator.get(address)
        assert (listed.status_code, len(listed.context["page"].rows)) == (200, int(number)), address
    for address in set(re.findall(r'href="(/operators/[^"#]*)', page)):
        assert operator.get(unescape(address)).status_code == 200, address


def test_a_week_links_to_the_list_from_its_last_sign_up_on(operator: Browser) -> None:
    Tenant.objects.all().update(created_at=timezone.now() - timedelta(weeks=3))
    week = overview().weeks[-3]
    for name, at in (("Last", week.ends - A_MOMENT), ("Next", week.ends), ("First", week.begins)):
        Tenant.objects.create(name=name, created_at=at)
    page = operator.get(HERE).content.decode()
    address, number = re.search(
        rf'<a href="([^"]+)">{formatted_day(week.begins)}</a></th><td class="number">(\d+)', page
    ).groups()  # type: ignore[union-attr]
    listed = operator.get(unescape(address)).context["page"].rows
    assert (number, [tenant.name for tenant in listed][:2]) == ("2", ["Last", "First"])


def test_an_empty_platform_shows_what_to_do_next(operator: Browser) -> None:
    Reconciliation.objects.all().delete()
    Tenant.objects.all().update(created_at=timezone.now() - timedelta(weeks=50))
    text = text_of(operator)
    for words in (
        "No worker is running. Start one: manage.py provision --watch. Until then, new members wait.",
        "No tenant was created in the last twelve weeks",
        "No worker changed anything in Cognito in the last",
        "No worker gave a sign of life today",
        "No suspension is under way",
        "The whole pool has not been compared yet",
        "manage.py reconcile",
    ):
        assert words in text


def test_without_problems_it_says_that_nothing_is_to_do(operator: Browser) -> None:
    Worker.objects.create(name="w")
    Reconciliation.objects.create(finished_at=timezone.now(), found=2, repaired=2)
    assert "Nothing needs attention." in text_of(operator)


def test_a_section_with_nothing_in_it_is_one_quiet_line(operator: Browser) -> None:
    page = operator.get("/operators/").content.decode()
    quiet = re.findall(r'<p class="nothing">([^<.]*)', page)
    assert quiet == [
        "No worker changed anything in Cognito in the last 24 hours",
        "No worker gave a sign of life today",
        "No suspension is under way",
        "No mail waits, and none was given up in the last week",
        "The whole pool has not been compared yet",
    ]


def test_mails_that_could_not_be_sent_are_shown_with_the_newest_reason(operator: Browser) -> None:
    for number, error in enumerate(("550 older", "550 no such <b>user</b>")):
        written = timezone.now() - AN_HOUR * (5 - number)
        OutgoingMail.objects.create(
            message_id=f"<{number}>",
            to=f"p{number}@acme.example",
            kind="removed",
            created_at=written,
            due_at=None,
            last_error=error,
        )
    OutgoingMail.objects.create(message_id="<sent>", kind="enabled", due_at=None, sent_at=timezone.now())
    OutgoingMail.objects.create(message_id="<waits>", kind="enabled")
    text = text_of(operator)
    assert "2 mails of the last week could not be sent." in text
    assert "Waiting 1 Given up in the last week 2" in text
    assert "removed to p1@acme.example" in text
    assert "550 no such <b>user</b>" in text
    assert "550 older" not in text


def test_sign_ups_that_no_invitation_reaches_are_counted_with_a_reason(operator: Browser) -> None:
    assert "Sign-ups that no invitation reaches" not in text_of(operator)
    now = timezone.now()
    for number, error in enumerate(("older", "the address is <refused>")):
        SignUp.objects.create(
            email=f"p{number}@x.example",
            organisation="Secret plans",
            name="P",
            state=SignUpState.FAILED,
            created_at=now - AN_HOUR * (5 - number),
            expires_at=now + AN_HOUR,
            due_at=None,
            last_error=error,
        )
    text = text_of(operator)
    assert "Sign-ups that no invitation reaches 2 , the newest because: the address is <refused>" in text
    assert "older" not in text
    assert "Secret plans" not in text


def test_a_mail_server_that_is_away_needs_attention_after_a_minute(operator: Browser) -> None:
    outage = MailOutage.objects.create(pk=1, next_try_at=timezone.now(), why="Connection refused")
    assert "The mail server has taken no mail since" not in text_of(operator)
    assert "takes no mail since" in text_of(operator)
    MailOutage.objects.update(began_at=outage.began_at - timedelta(minutes=2))
    assert re.search(r"The mail server has taken no mail since [^.]+ UTC: Connection refused\.", text_of(operator))


@pytest.mark.parametrize(("setting", "says"), [("cognito-default", "at most 50 a day"), ("ses", "through Amazon SES")])
def test_the_page_says_how_cognito_mails(operator: Browser, settings: Any, setting: str, says: str) -> None:
    settings.COGNITO_MAILS = setting
    text = text_of(operator)
    assert says in text
    assert ("MailSource" in text) is (setting == "cognito-default")


def test_a_comparison_of_one_tenant_is_not_that_of_the_whole_pool(operator: Browser) -> None:
    Worker.objects.create(name="w")
    Reconciliation.objects.create(finished_at=timezone.now(), found=4)
    Reconciliation.objects.create(tenant=Tenant.objects.get(slug="acme"), finished_at=timezone.now())
    assert "left 4 differences" in text_of(operator)


def test_problems_are_listed_first(operator: Browser) -> None:
    halt(Misconfigured("The user pool is gone."))
    make_members(1, Provisioning.STUCK)
    make_members(2, Provisioning.CONFLICT)
    make_members(1, Provisioning.DUE, due_at=timezone.now() - 3 * AN_HOUR)
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


@pytest.mark.parametrize("page", ["", "tenants/", "members/", "audit/"])
def test_every_page_names_the_tenants_that_wait_for_room(operator: Browser, page: str) -> None:
    for number in range(ROOM + 2):
        Suspension.objects.create(tenant=Tenant.objects.create(name=f"Waits {number}"))
    text = operator.get(HERE + page).content.decode()
    banner = text[text.index("suspended tenants is full") :].split("</div>")[0]
    assert re.findall(r"<bdi>(.*?)</bdi>", banner) == [f"Waits {ROOM}", f"Waits {ROOM + 1}"]
    Suspension.objects.filter(tenant__name__in=["Waits 0", "Waits 1"]).update(lifted_at=timezone.now())
    assert "suspended tenants is full" not in operator.get(HERE + page).content.decode()


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


def test_columns_are_stacked_on_the_axis_side_by_side() -> None:
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


def test_every_number_above_zero_is_visible_in_a_chart() -> None:
    made = sample((1, 0), (100_000, 0))
    assert [float(bar.height) >= 2 for bar in made.bars] == [True, True]
    assert sample((0, 0)).is_empty
    assert (share(0, 5), share(1, 1_000_000), share(5, 5), share(0, 0)) == ("0%", "0.50%", "100.00%", "0%")


def test_scales_end_a_little_above_the_largest_number() -> None:
    for value in [*range(300), 999, 1000, 1001, 12_345, 98_000, 100_000]:
        end = round_above(value)
        assert end >= value
        assert end % 2 == 0
        assert end <= max(2, value * 1.6)


def test_a_length_of_time_is_given_in_its_largest_unit() -> None:
    told = {seconds: age_text(timedelta(seconds=seconds)) for seconds in (0, 1, 59, 60, 3599, 3600, 86_400, 200_000)}
    assert list(told.values()) == [
        "a moment", "1 second", "59 seconds", "1 minute", "59 minutes", "1 hour", "1 day", "2 days",
    ]  # fmt: skip
