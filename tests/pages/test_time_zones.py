"""Pages show times in their reader's time zone, by its name. What is kept or sent is in UTC."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from portal.demo.cast import ACME, ACME_EDITOR, ACME_OWNER, OPERATOR, CastMember
from portal.environment import BASE
from tenants.domain.time_zones import time_zone_called, zones
from tenants.lifecycle.transitions import suspend
from tenants.members.preferences import set_preferences
from tenants.models import Member, OutgoingMail, Person, Suspension, Tenant, Worker
from tests.world.fixtures import Browser
from tests.world.pages import text_of
from tests.world.stage import SOMEBODY, member_called

Browse = Callable[[CastMember], Browser]
# Half past ten in the evening in UTC, and the next day in Tokyo.
LATE = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
CHOICE_OF_UTC = '<option value="">UTC</option>'


@pytest.fixture
def in_tokyo(browse_as: Browse) -> Browser:
    """The operator, who is in Tokyo."""
    set_preferences(Person.objects.get(email=OPERATOR.email).pk, theme="", time_zone="Asia/Tokyo")
    return browse_as(OPERATOR)


def test_operators_pages_follow_the_reader(in_tokyo: Browser) -> None:
    Tenant.objects.filter(slug="acme").update(created_at=LATE)
    Member.objects.filter(person__email=ACME_EDITOR.email).update(seen_at=LATE)
    assert "1 Apr 2026, 07:30 JST" in text_of(in_tokyo.get(f"/operators/tenants/{ACME.org_id}/"))
    assert "1 Apr 2026" in text_of(in_tokyo.get("/operators/tenants/"))
    assert "1 Apr 2026, 07:30 JST" in text_of(
        in_tokyo.get(f"/operators/members/{member_called(ACME_EDITOR.email).pk}/")
    )
    assert "JST</time>. Load the page again" in text_of(in_tokyo.get("/operators/"))


def test_sentences_that_a_page_makes_follow_the_reader(in_tokyo: Browser) -> None:
    closing = text_of(in_tokyo.get(f"/operators/tenants/{ACME.org_id}/close/"))
    assert " JST, it can be reopened" in closing


def test_a_mail_is_in_utc_for_everybody(in_tokyo: Browser) -> None:
    Member.objects.filter(person__email=ACME_OWNER.email).update(signed_in_at=LATE)
    in_tokyo.post(f"/operators/tenants/{ACME.org_id}/close/", {"reason": "asked for", "confirm": "acme"})
    mail = OutgoingMail.objects.filter(kind="closing").latest("pk")
    assert " UTC" in mail.text
    assert "JST" not in mail.text


def test_heads_and_parts_of_pages_name_no_other_zone(in_tokyo: Browser) -> None:
    suspend(Tenant.objects.get(slug="acme"), by=SOMEBODY, why="not paid")
    Suspension.objects.update(signed_out_at=LATE, denied_at=LATE, deny_until=timezone.now() + timedelta(minutes=40))
    Worker.objects.create(name="worker-1")
    for place in ("", "tenants/", f"tenants/{ACME.org_id}/", "drift/", "audit/"):
        # The chart's weeks are the same for all readers.
        page = text_of(in_tokyo.get(f"/operators/{place}")).replace("Week from (UTC)", "", 1)
        assert "UTC" not in page, place
        assert "JST" in page or place in ("tenants/", "drift/"), place
    renewed = text_of(in_tokyo.get(f"/operators/tenants/{ACME.org_id}/"))
    assert re.search(r"expires by \d\d:\d\d JST: 40 minutes from \d\d:\d\d:\d\d JST", renewed)
    assert re.search(r"As of \d\d:\d\d:\d\d JST", renewed)


def test_no_page_names_utc_beside_a_time_of_the_reader() -> None:
    for page in (BASE / "templates").rglob("*.html"):
        if "mail" not in page.relative_to(BASE / "templates").parts:
            assert "UTC" not in page.read_text().replace(CHOICE_OF_UTC, ""), page
    for room in ("operators", "organisation", "pages", "lifecycle", "members", "health"):
        for module in (BASE / "tenants" / room).rglob("*.py"):
            assert not re.search(r"%[MS]\}? UTC", module.read_text()), module


def test_every_zone_that_is_offered_is_known() -> None:
    names = [name for region in zones().values() for name in region]
    assert len(names) > 300
    assert {"Europe/Berlin", "America/New_York", "Asia/Kolkata"} <= set(names)
    assert all(str(time_zone_called(name)) == name for name in names)


def test_the_clock_is_utc_again_after_a_request(in_tokyo: Browser, browse_as: Browse) -> None:
    in_tokyo.get("/operators/")
    assert timezone.get_current_timezone_name() == "UTC"
    assert "UTC</time>" in text_of(browse_as(ACME_OWNER).get("/account/"))
