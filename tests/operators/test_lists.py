"""Lists of the operators: a page at a time by the key at its edge, searched, filtered, in a fixed number of queries."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from portal.demo.cast import ACME, OPERATOR, CastMember
from tenants.audit import record
from tenants.audit.actions import Action
from tenants.domain.errors import InvalidInput
from tenants.domain.roles import Role
from tenants.models import Drift, DriftKind, Member, Person, Provisioning, Reconciliation, Tenant
from tenants.models.keyset import Branch
from tenants.operators import members
from tenants.operators.urls import urlpatterns
from tenants.pages.lists import PAGE_SIZE, Page, read_page
from tests.world.fixtures import Browser
from tests.world.stage import SOMEBODY

Browse = Callable[[CastMember], Browser]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def many_tenants(count: int, *, from_: int = 0) -> None:
    """In pairs of the same moment, so that the second column of the key has to decide, which goes the other way."""
    Tenant.objects.bulk_create(
        Tenant(name=f"Tenant {n:03d}", slug=f"t-{n:03d}", created_at=NOON + timedelta(minutes=n // 2))
        for n in reversed(range(from_, from_ + count))
    )


def many_members(count: int, *, provisioning: str = Provisioning.SETTLED, called: str = "p") -> None:
    tenant = Tenant.objects.get(slug="acme")
    people = Person.objects.bulk_create(Person(email=f"{called}{n:03d}@many.example") for n in range(count))
    why = "Cognito said no." if provisioning == Provisioning.STUCK else ""
    Member.objects.bulk_create(
        Member(person=person, tenant=tenant, role=Role.VIEWER, provisioning=provisioning, last_error=why)
        for person in people
    )


def rows_of(page: Any) -> list[str]:
    found: list[str] = re.findall(r'<th scope="row"[^>]*><a href="[^"]*">(?:<bdi>)?([^<]*)', page.content.decode())
    return found


@pytest.fixture
def page_at(db: None, rf: RequestFactory) -> Callable[[str], Page]:
    def read(address: str) -> Page:
        return read_page([Branch(Tenant.objects.all(), ("created_at", "id"))], rf.get(address), size=4)

    return read


def names(page: Page) -> list[int]:
    return [int(row.name.split()[1]) for row in page.rows]


def test_every_row_is_on_one_page_forwards_and_backwards(page_at: Callable[[str], Page]) -> None:
    many_tenants(11)
    forwards, address = [], "/"
    while address:
        page = page_at(address)
        forwards.append(names(page))
        address = page.next
    assert forwards == [[10, 8, 9, 6], [7, 4, 5, 2], [3, 0, 1]]
    backwards, address = [], page.previous
    while address:
        page = page_at(address)
        backwards.append(names(page))
        address = page.previous
    assert backwards == [[7, 4, 5, 2], [10, 8, 9, 6]]


def test_the_first_and_the_last_page_lead_nowhere_beyond(page_at: Callable[[str], Page]) -> None:
    many_tenants(11)
    first, last = page_at("/"), page_at(page_at("/").last)
    assert (first.first, first.previous) == ("", "")
    assert names(last) == [2, 3, 0, 1]
    assert (last.next, last.last) == ("", "")
    assert last.first == "/"


def test_a_page_address_stays_valid_while_rows_are_added(page_at: Callable[[str], Page]) -> None:
    many_tenants(8)
    second = page_at("/").next
    many_tenants(3, from_=8)
    assert names(page_at(second)) == [2, 3, 0, 1]


def test_the_search_stays_in_the_addresses_of_other_pages(page_at: Callable[[str], Page]) -> None:
    many_tenants(8)
    page = page_at("/?q=Tenant&state=&after=1.1&before=")
    assert page.first == "/?q=Tenant"


@pytest.mark.parametrize("key", ["x", "1", "1.2.3", "-1.2", "1.2e3", "9" * 19 + ".1", "9" * 18 + ".1", "١.٢"])
def test_an_address_of_no_page_is_refused(page_at: Callable[[str], Page], key: str) -> None:
    with pytest.raises(InvalidInput, match="first page"):
        page_at(f"/?after={quote(key)}")


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


@pytest.mark.parametrize("few", [members.FEW, 1])
def test_members_are_found_by_address_and_filters(operator: Browser, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(members, "FEW", few)
    many_members(20)
    many_members(3, provisioning=Provisioning.STUCK, called="stuck")
    Member.objects.filter(person__email="p019@many.example").update(enabled=False)
    expected = {
        "?q=P00": 10,
        "?q=p009@many.example": 1,
        "?provisioning=stuck": 3,
        "?provisioning=unresolved&q=s": 3,
        "?role=operator": 1,
        "?enabled=no": 1,
        f"?tenant={ACME.org_id}&role=owner": 1,
        "?q=p_": 0,
    }
    found = {address: len(rows_of(operator.get(f"/operators/members/{address}"))) for address in expected}
    assert found == expected


def test_a_senseless_address_is_refused_with_a_way_on(operator: Browser) -> None:
    for address in (
        "tenants/?state=lost",
        "tenants/?after=x",
        f"tenants/?q={'x' * 255}",
        "members/?role=king",
        "members/?tenant=acme",
        "audit/?action=tenant.eaten",
        "drift/?kind=odd",
    ):
        page = operator.get(f"/operators/{address}")
        assert page.status_code == 400, address
        assert "Reset this page" in page.content.decode(), address


def test_a_page_whose_rows_are_gone_leads_to_the_first_one(operator: Browser) -> None:
    page = operator.get("/operators/tenants/?after=1.1")
    assert page.status_code == 200
    assert "Nothing on this page any more" in page.content.decode()


def queries_for(operator: Browser, address: str) -> int:
    operator.get(address)
    with CaptureQueriesContext(connection) as asked:
        assert operator.get(address).status_code == 200
    assert [query["sql"] for query in asked if "COUNT(" in query["sql"]] == [], "a list never counts its rows"
    return len(asked)


def some_of_everything(count: int, *, from_: int) -> None:
    many_tenants(count, from_=from_)
    many_members(count, called=f"p{from_}-")
    many_members(count, called=f"stuck{from_}-", provisioning=Provisioning.STUCK)
    for number in range(count):
        record(Action.MEMBER_ADDED, by=SOMEBODY, org=UUID(str(ACME.org_id)), target=f"p{number}")
    run = Reconciliation.objects.create(users_seen=count)
    members = Member.objects.order_by("-pk")[:count]
    Drift.objects.bulk_create(Drift(reconciliation=run, kind=DriftKind.ROLE, member=member) for member in members)


def test_a_list_takes_as_many_queries_for_a_full_page_as_for_a_few_rows(operator: Browser) -> None:
    lists = (
        "/operators/tenants/",
        "/operators/tenants/?q=tenant&state=pending&provisioning=unresolved",
        "/operators/members/",
        "/operators/members/?q=stuck&provisioning=unresolved",
        "/operators/drift/",
        "/operators/audit/",
        f"/operators/audit/?actor={OPERATOR.email}&from=2020-01-01&to=2099-12-31",
    )
    some_of_everything(2, from_=0)
    few = {address: queries_for(operator, address) for address in lists}
    some_of_everything(PAGE_SIZE + 5, from_=2)
    many = {address: queries_for(operator, address) for address in lists}
    assert many == few
    assert max(many.values()) <= 8, many


@pytest.mark.parametrize("pattern", urlpatterns, ids=lambda pattern: pattern.name)
def test_a_request_that_did_not_pass_the_door_opens_no_page(rf: RequestFactory, pattern: Any) -> None:
    method = rf.post if pattern.name == "audit_export" else rf.get
    with pytest.raises(AttributeError, match="signed_in"):
        pattern.callback(method("/"))
    visitor = method("/")
    visitor.signed_in = None
    with pytest.raises(TypeError, match="the door admitted a visitor"):
        pattern.callback(visitor)
