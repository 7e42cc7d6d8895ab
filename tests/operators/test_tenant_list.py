"""The operators' list of tenants: searched, filtered, in an order, with their owners."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest

from portal.demo.cast import ACME
from tenants.domain.roles import Role
from tenants.models import Member, Person, Provisioning, Tenant
from tenants.pages.lists import read_page
from tests.world.fixtures import Browser
from tests.world.long_lists import NOON, many_members, many_tenants, rows_of


def test_tenants_are_found_by_name_short_name_org_id_owner_and_filters(operator: Browser) -> None:
    many_tenants(30)
    many_members(1, provisioning=Provisioning.STUCK)
    ten = {f"Tenant 01{n}" for n in range(10)}
    expected: dict[str, set[str]] = {
        "?q=tenant 01": ten,
        "?q=t-01": ten,
        f"?q={ACME.org_id}": {"Acme Ltd"},
        "?q=OWNER@acme.example": {"Acme Ltd"},
        "?q=acm&state=active": {"Acme Ltd"},
        "?q=acm&state=suspended": set(),
        "?provisioning=unresolved": {"Acme Ltd"},
        "?provisioning=conflict": set(),
        "?state=active&plan=free": {"Acme Ltd", "Globex Corporation"},
        "?plan=team": set(),
        "?q=%25": set(),
        "?q=%22+OR+%22": set(),
        "?q=nobody@nowhere.example": set(),
    }
    pages = {address: operator.get(f"/operators/tenants/{address}") for address in expected}
    assert {address: set(rows_of(page)) for address, page in pages.items()} == expected
    for address, page in pages.items():
        assert ("No tenant matches" in page.content.decode()) == (not expected[address])


def test_a_week_of_the_chart_shows_that_week_alone(operator: Browser) -> None:
    many_tenants(3)
    last = NOON - timedelta(days=NOON.weekday(), hours=12, microseconds=1)
    Tenant.objects.filter(slug="t-000").update(created_at=last)
    page = operator.get("/operators/tenants/?week=2026-02-23")
    assert set(rows_of(page)) == {"Tenant 001", "Tenant 002"}
    assert "Created: <b><bdi>week from 23 February 2026 (UTC)</bdi></b>" in page.content.decode()
    assert rows_of(operator.get("/operators/tenants/?week=2026-02-16")) == ["Tenant 000"]
    assert operator.get("/operators/tenants/?week=soon").status_code == 400
    assert operator.get("/operators/tenants/?week=9999-12-31").status_code == 400


ORDERS = {
    "name": ["Acme Ltd", "Globex Corporation", "tenant a", "Tenant B", "Tenant C"],
    "created": ["Tenant B", "Tenant C", "tenant a", "Acme Ltd", "Globex Corporation"],
    "state": ["tenant a", "Tenant C", "Tenant B", "Globex Corporation", "Acme Ltd"],
}


@pytest.mark.parametrize("sort", ORDERS)
def test_tenants_are_in_the_order_asked_for_on_every_page(
    operator: Browser, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    for name, minutes in (("Tenant B", 1), ("Tenant C", 2), ("tenant a", 3)):
        Tenant.objects.create(name=name, created_at=NOON + timedelta(minutes=minutes))
    for name, minutes in (("Acme Ltd", 4), ("Globex Corporation", 5)):
        Tenant.objects.filter(name=name).update(created_at=NOON + timedelta(minutes=minutes))
    monkeypatch.setattr(read_page, "__kwdefaults__", {**read_page.__kwdefaults__, "size": 2})
    order = ORDERS[sort]
    upwards = [order[:2], order[2:4], order[4:]]
    assert read_along(operator, f"?sort={sort}", "next") == upwards
    assert read_along(operator, f"?sort={sort}&last=1", "prev") == [order[3:], order[1:3], order[:1]]
    if sort != "state":
        downwards = read_along(operator, f"?sort=-{sort}", "next")
        assert [name for page in downwards for name in page] == order[::-1]


def read_along(operator: Browser, query: str, rel: str) -> list[list[str]]:
    pages, address = [], f"/operators/tenants/{query}"
    while address:
        page = operator.get(address)
        assert page.status_code == 200
        pages.append(rows_of(page))
        link = re.search(rf'rel="{rel}" href="([^"]*)"', page.content.decode())
        address = unescape(link[1]) if link else ""
    return pages


def test_a_head_of_the_list_says_its_order_and_turns_it(operator: Browser) -> None:
    page = operator.get("/operators/tenants/?sort=name&state=active").content.decode()
    assert 'aria-sort="ascending"><a href="?sort=-name&amp;state=active">Name' in page
    assert page.count("aria-sort") == 1
    assert operator.get("/operators/tenants/?sort=owner").status_code == 400
    assert "aria-sort" not in operator.get("/operators/tenants/?q=acme&sort=name").content.decode()


@pytest.mark.parametrize("key", ["x", "AA==.1", "_w==.1", "YQ==", "é.1", "9" * 900])
def test_a_senseless_key_of_a_name_is_refused(operator: Browser, key: str) -> None:
    assert operator.get("/operators/tenants/", {"sort": "name", "after": key}).status_code == 400


def test_tenants_are_listed_with_their_owners(operator: Browser) -> None:
    person = Person.objects.create(email="second@acme.example")
    Member.objects.create(person=person, tenant=Tenant.objects.get(slug="acme"), role=Role.OWNER)
    Tenant.objects.create(name="Nobody’s")
    page = operator.get("/operators/tenants/").content.decode()
    owner = Member.objects.get(person__email="owner@acme.example")
    assert f'href="/operators/members/{owner.pk}/">owner@acme.example</a>' in page
    assert page.count("and 1 more</a>") == 1
    assert "no owner" in page
