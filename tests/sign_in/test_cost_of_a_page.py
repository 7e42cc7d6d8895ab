"""What a page asks the database and the shared cache for, before it asks AWS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.cache import SERVER
from portal.demo.cast import ACME_OWNER, ACME_VIEWER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.domain.lately import forget_lately
from tenants.models import Member, Person
from tenants.sign_in.standing import standing_in_database, standing_of
from tests.world.fixtures import Browser

Browse = Callable[[CastMember], Browser]
NOBODYS = 2_000_000_000
COMMANDS = ("get", "set", "add", "delete", "get_many", "set_many", "delete_many", "incr")
PAGES = {ACME_OWNER: "/records/orders/", ACME_VIEWER: "/records/orders/", OPERATOR: "/operators/suspensions/"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, portal: World) -> Counter[str]:
    """The commands that the shared cache's server got."""
    counted: Counter[str] = Counter()

    def counting(name: str, command: Callable[..., Any]) -> Callable[..., Any]:
        def counted_command(*arguments: Any, **options: Any) -> Any:
            counted[name] += 1
            return command(*arguments, **options)

        return counted_command

    for name in COMMANDS:
        monkeypatch.setattr(caches[SERVER], name, counting(name, getattr(caches[SERVER], name)))
    return counted


def statements_of(browser: Browser, page: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(page).status_code == 200
    return [query["sql"] for query in captured]


@pytest.mark.parametrize("member", [ACME_OWNER, ACME_VIEWER], ids=["owner", "viewer"])
def test_a_page_after_a_pause_asks_session_and_standing_only(
    browse_as: Browse, asked: Counter[str], member: CastMember
) -> None:
    browser = browse_as(member)
    browser.get(PAGES[member])
    forget_lately()
    asked.clear()
    session, standing = statements_of(browser, PAGES[member])
    assert "django_session" in session
    assert "tenants_person" in standing
    assert asked == {}


def test_the_next_pages_are_read_from_the_cache(browse_as: Browse, asked: Counter[str]) -> None:
    browser, page = browse_as(ACME_OWNER), PAGES[ACME_OWNER]
    browser.get(page)
    asked.clear()
    assert statements_of(browser, page) == []
    assert asked == {"get": 2}


@pytest.mark.parametrize("email", [ACME_OWNER.email, ACME_VIEWER.email, OPERATOR.email], ids=["owner", "viewer", "op"])
def test_standing_is_one_statement(portal: World, email: str) -> None:
    person = Person.objects.get(email=email)
    with CaptureQueriesContext(connection) as captured:
        standing = standing_in_database(person.pk)
    assert standing
    assert len(captured) == 1
    member = Member.objects.select_related("tenant").get(person=person)
    assert (standing.role, standing.enabled, standing.generation) == (member.role, True, member.generation)
    assert standing.org == (str(member.tenant.org_id) if member.tenant else "")
    assert standing.tenant_state == (member.tenant.state if member.tenant else "")
    assert (standing.sub, standing.email, standing.name) == (str(person.sub), person.email, person.name)


def test_somebody_who_is_a_member_of_nothing_has_a_standing(db: None) -> None:
    person = Person.objects.create(email="new@example.com", name="New", theme="dark", time_zone="Europe/Zurich")
    standing = standing_in_database(person.pk)
    assert standing
    assert (standing.role, standing.org, standing.enabled, standing.sub, standing.generation) == ("", "", False, "", 0)
    assert (standing.theme, standing.time_zone) == ("dark", "Europe/Zurich")
    assert standing_of(NOBODYS) is None
