"""Lists of the operators: a page at a time by the key at its edge, searched, filtered, in a fixed number of queries."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import unescape
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from django.core.cache import cache
from django.db import connection
from django.db.models import F
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from portal.demo.cast import ACME, OPERATOR
from tenants.audit import record
from tenants.audit.actions import Action
from tenants.domain.errors import InvalidInput
from tenants.domain.roles import Role
from tenants.lifecycle import search
from tenants.models import Drift, DriftKind, Member, Person, Provisioning, Reconciliation, Tenant
from tenants.models.keyset import Branch, count_rows, rows_beyond
from tenants.operators.urls import urlpatterns
from tenants.pages import lists
from tenants.pages.lists import PAGE_SIZE, Page, read_page
from tests.world.fixtures import Browser
from tests.world.long_lists import many_members, many_tenants, rows_of
from tests.world.stage import SOMEBODY


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


def test_a_page_says_which_rows_it_has_while_somebody_goes_on(page_at: Callable[[str], Page]) -> None:
    many_tenants(11)
    first = page_at("/")
    second = page_at(first.next)
    third = page_at(second.next)
    assert [page.counted for page in (first, second, third)] == ["1–4", "5–8", "9–11"]
    assert page_at(third.previous).starts_at == 5
    assert page_at(page_at(third.previous).previous).starts_at == 1


def test_the_numbers_go_on_from_a_shorter_first_page(page_at: Callable[[str], Page]) -> None:
    many_tenants(11)
    page, counted = page_at(page_at("/").last), []
    while page.previous:
        page = page_at(page.previous)
    while True:
        counted.append(page.counted)
        if not page.next:
            break
        page = page_at(page.next)
    assert counted == ["1–3", "4–7", "8–11"]


@pytest.mark.parametrize("row", ["", "x", "-3", "1e3", "٣", "1" * 10])
def test_a_page_that_nobody_counted_up_to_has_no_numbers(page_at: Callable[[str], Page], row: str) -> None:
    many_tenants(11)
    last = page_at(page_at("/").last)
    assert (last.starts_at, page_at(last.previous).starts_at) == (0, 0)
    edge = page_at("/").next.partition("&row")[0]
    assert page_at(f"{edge}&row={quote(row)}").starts_at == 0


def test_the_search_stays_in_the_addresses_of_other_pages(page_at: Callable[[str], Page]) -> None:
    many_tenants(8)
    page = page_at("/?q=Tenant&state=&after=1.1&before=")
    assert page.first == "/?q=Tenant"


@pytest.mark.parametrize("key", ["x", "1", "1.2.3", "-1.2", "1.2e3", "9" * 19 + ".1", "9" * 18 + ".1", "١.٢"])
def test_an_address_of_no_page_is_refused(page_at: Callable[[str], Page], key: str) -> None:
    with pytest.raises(InvalidInput, match="first page"):
        page_at(f"/?after={quote(key)}")


@pytest.mark.parametrize("few", [search.FEW, 1])
def test_members_are_found_by_address_and_filters(operator: Browser, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(search, "FEW", few)
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


@pytest.mark.parametrize("few", [search.FEW, 1])
@pytest.mark.parametrize("filters", ["", "&role=viewer", "&role=viewer&provisioning=settled&enabled=yes"])
def test_members_found_by_address_are_on_one_page_each_in_its_order(
    operator: Browser, monkeypatch: pytest.MonkeyPatch, few: int, filters: str
) -> None:
    monkeypatch.setattr(search, "FEW", few)
    many_members(PAGE_SIZE * 2 + 5)
    # They joined last and are the first by address.
    many_members(3, called="p-")
    many_members(3, called="q")
    Person.objects.filter(email__startswith="q001").update(email="")
    expected = [f"p-{n:03d}@many.example" for n in range(3)] + [f"p{n:03d}@many.example" for n in range(105)]
    first, last = f"/operators/members/?q=P{filters}", f"/operators/members/?q=p{filters}&last=1"
    forwards, backwards = walked(operator, first, "next"), walked(operator, last, "prev")
    assert [row for page in forwards for row in page] == expected
    assert [row for page in reversed(backwards) for row in page] == expected
    assert "Members, by address</caption>" in operator.get(first).content.decode()
    assert "Members, newest first</caption>" in operator.get("/operators/members/").content.decode()


def walked(operator: Browser, address: str, rel: str) -> list[list[str]]:
    pages = []
    while address:
        page = operator.get(address)
        pages.append(rows_of(page))
        link = re.search(rf'<a [^>]*rel="{rel}"[^>]*>', page.content.decode())
        found = re.search(r'href="([^"]*)"', link.group()) if link else None
        address = unescape(found.group(1)) if found else ""
    return pages


ODD = ("100%off@x.example", "a_b@x.example", "a\\b@x.example", "axb@x.example", "straße@x.example", "𝒳@x.example")


@pytest.mark.parametrize("few", [search.FEW, 1])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100%", ODD[:1]),
        ("1%", ()),
        ("a_", ODD[1:2]),
        ("a\\", ODD[2:3]),
        ("A", (ODD[2], ODD[1], ODD[3])),
        ("STRAß", ("strasse@x.example",)),
        ("𝒳", ODD[5:]),
        ("%", ()),
    ],
)
def test_any_beginning_of_an_address_is_taken_literally(
    operator: Browser, monkeypatch: pytest.MonkeyPatch, few: int, text: str, expected: Sequence[str]
) -> None:
    monkeypatch.setattr(search, "FEW", few)
    people = Person.objects.bulk_create(Person(email=email.casefold()) for email in (*ODD, ""))
    acme = Tenant.objects.get(slug="acme")
    Member.objects.bulk_create(Member(person=person, tenant=acme, role=Role.VIEWER) for person in people)
    page = operator.get(f"/operators/members/?role=viewer&q={quote(text)}")
    assert [row for row in rows_of(page) if row.endswith("@x.example")] == list(expected)


def test_an_edge_outside_of_the_search_shows_nobody_else(operator: Browser) -> None:
    many_members(5)
    many_members(5, called="q")
    found = {f"p{n:03d}@many.example" for n in range(5)}
    for edge in ("after=YQ==.1", "before=cg==.1"):
        assert set(rows_of(operator.get(f"/operators/members/?q=p0&{edge}"))) == found
    for edge in ("after=cg==.1", "before=YQ==.1"):
        assert rows_of(operator.get(f"/operators/members/?q=p0&{edge}")) == []


def test_the_longest_address_can_be_at_the_edge_of_a_page(operator: Browser) -> None:
    people = Person.objects.bulk_create(Person(email="𝒳" * 251 + f"{n:03d}") for n in range(PAGE_SIZE + 1))
    acme = Tenant.objects.get(slug="acme")
    Member.objects.bulk_create(Member(person=person, tenant=acme, role=Role.VIEWER) for person in people)
    pages = walked(operator, f"/operators/members/?q={quote('𝒳')}", "next")
    assert [len(page) for page in pages] == [PAGE_SIZE, 1]


def test_equal_texts_are_told_apart_by_the_second_column(db: None, rf: RequestFactory) -> None:
    Tenant.objects.bulk_create(Tenant(name=name) for name in ["Sam", *["Same"] * 5, "Samf", "San"])
    rows = Tenant.objects.annotate(address=F("name"))
    branch = Branch(rows, ("address", "id"), ascending=True, begins="Same")
    edges: tuple[tuple[str, int], ...] = ()
    seen = []
    while found := rows_beyond(edges[0] if edges else (), [branch], most=2):
        seen += [row.pk for _, row in found]
        edges = (found[-1][0],)
    assert seen == list(Tenant.objects.filter(name="Same").order_by("pk").values_list("pk", flat=True))
    assert count_rows([branch], most=9) == 5


def test_a_senseless_address_is_refused_with_a_way_on(operator: Browser) -> None:
    for address in (
        "tenants/?state=lost",
        "tenants/?after=x",
        f"tenants/?q={'x' * 255}",
        "members/?role=king",
        "members/?tenant=acme",
        "drift/?kind=odd",
    ):
        page = operator.get(f"/operators/{address}")
        assert page.status_code == 400, address
        assert "Reset this page" in page.content.decode(), address


TIMELINE = f"tenants/{ACME.org_id}/timeline"


@pytest.mark.parametrize("list_", ["tenants", "members", "drift", "audit", TIMELINE])
@pytest.mark.parametrize("end", ["after=0", "before=9999999999999999"])
def test_a_page_past_either_end_leads_to_the_first_one(operator: Browser, list_: str, end: str) -> None:
    some_of_everything(2, from_=0)
    edge = f"{end}.0" if list_ == "tenants" else end
    page = operator.get(f"/operators/{list_}/?{edge}").content.decode()
    assert "You are past the end of this list" in page
    assert f'<a class="button" href="/operators/{list_}/">Go to the first page</a>' in page


def test_a_filter_that_finds_nothing_is_named_and_can_be_cleared(operator: Browser) -> None:
    page = operator.get("/operators/tenants/?q=nowhere&state=closing").content.decode()
    assert "No tenant matches" in page
    assert "Find: <b><bdi>nowhere</bdi></b> and State: <b><bdi>Closing</bdi></b>." in page
    assert '<a href="/operators/tenants/?q=nowhere" aria-label="Remove the filter State: Closing">' in page
    for address, named in (
        ("members/?role=admin", "Role: <b><bdi>Admin</bdi></b>."),
        (f"members/?tenant={ACME.org_id}&q=zz", "Tenant: <b><bdi>Acme Ltd</bdi></b>."),
        (f"{TIMELINE}/?about=people", "About: <b><bdi>Signing in, and refusals</bdi></b>."),
    ):
        page = operator.get(f"/operators/{address}").content.decode()
        assert (named in page) == ("matches</h2>" in page), address


def test_rows_are_counted_up_to_a_thousand(page_at: Callable[[str], Page], monkeypatch: pytest.MonkeyPatch) -> None:
    many_tenants(11)
    whole = Tenant.objects.all()
    for rows, says in ((whole, ["1–4 of 11", "5–8 of 11", "9–11 of 11"]), (Tenant.objects.none(), [""])):
        assert counted_along(rows) == says
    monkeypatch.setattr(lists, "MOST_COUNTED", 10)
    assert counted_along(whole) == ["1–4 of more than 10", "5–8 of more than 10", "9–11 of more than 10"]
    assert counted_along(Tenant.objects.filter(slug="t-000")) == [""]


def counted_along(rows: Any) -> list[str]:
    says, address = [], "/"
    while address:
        page = read_page([Branch(rows, ("created_at", "id"))], RequestFactory().get(address), size=4, counted=True)
        says.append(page.counted)
        address = page.next
    return says


def queries_for(operator: Browser, address: str) -> int:
    # With copies that do not end between the two requests.
    cache.clear()
    operator.get(address)
    with CaptureQueriesContext(connection) as asked:
        assert operator.get(address).status_code == 200
    counts = [query["sql"] for query in asked if "COUNT(" in query["sql"]]
    assert all("LIMIT 1001" in sql for sql in counts), "a list counts its rows only as far as it says"
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


COUNTED = ("/operators/tenants/", "/operators/members/", "/operators/drift/")


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
    # A list with more pages than one also counts its rows.
    more = {address: many[address] - few[address] for address in lists}
    assert all(added == (address in COUNTED) for address, added in more.items()), more
    assert max(many.values()) <= 9, many


@pytest.mark.parametrize("pattern", urlpatterns, ids=lambda pattern: pattern.name)
def test_a_request_that_did_not_pass_the_door_opens_no_page(rf: RequestFactory, pattern: Any) -> None:
    method = rf.post if pattern.name == "audit_export" else rf.get
    with pytest.raises(AttributeError, match="signed_in"):
        pattern.callback(method("/"))
    visitor = method("/")
    visitor.signed_in = None
    with pytest.raises(TypeError, match="the door admitted a visitor"):
        pattern.callback(visitor)
