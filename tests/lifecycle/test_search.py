"""Searching tenants: what each kind of search finds, page by page, and the indexes it uses."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from tenants.domain.roles import Role
from tenants.lifecycle import search
from tenants.lifecycle.search import NAMES, search_tenants
from tenants.models import Member, Person, Tenant
from tenants.operators.tenant_list import filters
from tenants.pages.lists import Page, apply_filters, query_param, read_choices, read_page

STEPS = import_module("tenants.migrations.0002_triggers")
SEARCH = import_module("tenants.migrations.0003_search")
pytestmark = pytest.mark.django_db


def tenant(name: str, **fields: Any) -> Tenant:
    return Tenant.objects.create(name=name, **fields)


def page_of(query: str = "", *, size: int = 50, **asked_for: str) -> Page:
    request = RequestFactory().get(f"/operators/tenants/?{query or urlencode(asked_for)}")
    offered = filters()
    rows = apply_filters(Tenant.objects.all(), offered, read_choices(request, offered))
    return read_page(search_tenants(rows, query_param(request, "q")), request, size=size)


def names(**asked_for: str) -> list[str]:
    return [row.name for row in page_of(**asked_for).rows]


def pages(*, towards: str, query: str, size: int) -> Iterator[list[str]]:
    """The names on each page, following the links."""
    while True:
        page = page_of(query, size=size)
        yield [row.name for row in page.rows]
        address = getattr(page, towards)
        if not address:
            return
        query = address.partition("?")[2]


@pytest.fixture(params=[0, 5_000], ids=["of many", "of few"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """With each of the two ways to search, which must find the same."""
    monkeypatch.setattr(search, "FEW", request.param)
    return int(request.param)


def test_a_part_of_the_name_finds_a_tenant_in_any_case(few: int) -> None:
    tenant("Harbour Foods")
    tenant("Northern Light")
    for text in ("bour", "HARBOUR FOODS", "r f", "harbour foods"):
        assert names(q=text) == ["Harbour Foods"]
        assert names(q=text, state="pending") == ["Harbour Foods"]
    assert names(q="harbour  foods") == names(q="foods harbour") == []


def test_names_in_every_script_are_found() -> None:
    for name in ("Äpfel & Söhne", "東京ガス株式会社", "חברת הצפון", "Ελλάδα"):
        tenant(name)
        assert names(q=name) == names(q=name[:3]) == [name]
    # In the same case: for other scripts, ignoring the case depends on the database.
    assert names(q="京ガ") == ["東京ガス株式会社"]


def test_after_a_renaming_only_the_new_name_is_found() -> None:
    renamed = tenant("Globex Corporation", slug="globex")
    Tenant.objects.filter(pk=renamed.pk).update(name="Hooli", slug="hooli-2")
    assert (names(q="globex"), names(q="Hooli"), names(q="hooli-2")) == ([], ["Hooli"], ["Hooli"])
    Tenant.objects.filter(pk=renamed.pk).update(slug="elsewhere")
    assert (names(q="hooli-2"), names(q="elsewhere")) == ([], ["Hooli"])
    renamed.refresh_from_db()
    renamed.plan = "team"
    renamed.save()
    assert names(q="Hooli") == ["Hooli"]


def test_a_short_name_is_found_by_its_beginning(few: int) -> None:
    tenant("First", slug="acme")
    tenant("Second", slug="acme-2")
    tenant("Third", slug="the-acme")
    for text in ("ac", "acme", "ACME"):
        assert names(q=text) == names(q=text, state="pending") == ["Second", "First"]
    assert names(q="acme-2") == ["Second"]
    assert names(q="a", state="active") == []


def test_characters_with_a_meaning_in_sql_are_searched_literally() -> None:
    for name in (
        'The "Best" Co',
        "100 % Wool",
        "snake_case",
        "O'Hara OR Sons",
        "Star*Light",
        "(Round) ^ AND - Co",
        "a\\b",
        '5" Pipes',
    ):
        tenant(name)
    assert names(q='"Best"') == ['The "Best" Co']
    assert names(q="0 %") == ["100 % Wool"]
    assert names(q="e_c") == ["snake_case"]
    assert names(q="O'Hara OR") == ["O'Hara OR Sons"]
    assert names(q="Star*") == ["Star*Light"]
    assert names(q="(Round) ^ AND -") == ["(Round) ^ AND - Co"]
    assert names(q="a\\b") == ["a\\b"]
    assert names(q='5" P') == ['5" Pipes']
    assert names(q='"""') == names(q="%%%") == names(q="name : x") == names(q="NEAR(a b)") == []


def test_an_org_id_finds_its_tenant_in_any_spelling() -> None:
    one = tenant("One")
    tenant("Two")
    for text in (str(one.org_id), str(one.org_id).upper(), one.org_id.hex):
        assert names(q=text) == ["One"]
    assert names(q=str(one.org_id), state="closed") == []


def test_an_address_finds_the_tenant_of_that_owner() -> None:
    one = tenant("One")
    for email, role in (("ada@one.example", Role.OWNER), ("bob@one.example", Role.EDITOR)):
        Member.objects.create(person=Person.objects.create(email=email), tenant=one, role=role)
    assert names(q="ADA@one.example") == ["One"]
    assert names(q="bob@one.example") == names(q="ada@one") == names(q="@") == []


def test_filters_narrow_a_search(few: int) -> None:
    for number, (plan, provisioning) in enumerate([("free", "due"), ("free", "settled"), ("team", "due")]):
        one = tenant(f"Harbour {number}", plan=plan)
        for place in range(2):
            person = Person.objects.create(email=f"p{place}@t{number}.example")
            Member.objects.create(person=person, tenant=one, role=Role.OWNER, provisioning=provisioning)
    assert names(q="harbour", plan="free") == ["Harbour 1", "Harbour 0"]
    assert names(q="harbour", provisioning="due") == names(provisioning="due") == ["Harbour 2", "Harbour 0"]
    assert names(q="harbour", provisioning="due", plan="free", state="pending") == ["Harbour 0"]
    assert names(q="harbour", provisioning="unresolved") == names(q="harbour", state="closed") == []


@pytest.mark.parametrize("query", ["", "q=harbour", "q=harbour&plan=team", "q=h&plan=team", "provisioning=due"])
def test_page_after_page_shows_each_tenant_once_the_newest_first(few: int, query: str) -> None:
    expected = []
    for number in range(11):
        # Found by the name and by the short name: still one row. Several were made at the same moment.
        one = tenant(f"Harbour {number}", slug=f"harbour-{number}", plan="team")
        Member.objects.create(person=Person.objects.create(email=f"{number}@x.example"), tenant=one, role=Role.OWNER)
        expected.insert(0, one.name)
    tenant("Somebody else", plan="team" if not query else "free")
    expected = ["Somebody else", *expected] if not query else expected
    Tenant.objects.filter(pk__gt=one.pk - 5).update(created_at=one.created_at)
    forwards = list(pages(towards="next", query=query, size=3))
    backwards = list(pages(towards="previous", query=f"{query}&last=1", size=3))
    assert [name for page in forwards for name in page] == expected
    assert [name for page in reversed(backwards) for name in page] == expected


LISTS = {
    "": "tenant_newest",
    "last=1": "tenant_newest",
    "after=1790000000000000.7": "tenant_newest",
    "state=closing": "tenant_newest_in_state",
    "state=closing&last=1": "tenant_newest_in_state",
    "plan=team&after=1790000000000000.7": "tenant_newest_on_plan",
    "state=suspended&plan=free": "tenant_newest_in_state_on_plan",
}


@pytest.mark.parametrize(("query", "index"), LISTS.items())
def test_lists_are_read_in_the_order_of_an_index(query: str, index: str) -> None:
    (plan,) = plans(query)
    # With so few rows PostgreSQL may choose another one of these indexes.
    assert f"{index} " in f"{plan} " if connection.vendor == "sqlite" else "tenant_newest" in plan
    assert "SORT" not in plan.upper()
    assert "TEMP B-TREE" not in plan


def test_searches_use_an_index() -> None:
    acme = tenant("Acme")
    people = Person.objects.bulk_create(Person(email=f"ada{number or ''}@acme.example") for number in range(500))
    Member.objects.bulk_create(Member(person=person, tenant=acme, role=Role.OWNER) for person in people)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # Earlier tests may have left it with wrong statistics.
            cursor.execute("ANALYZE")
    assert "one_person_an_email" in plans("q=ada%40acme.example")[0]
    by_name = plans("q=harbour", without=("seqscan", "indexscan"))[-1]
    if connection.vendor == "sqlite":
        assert "VIRTUAL TABLE INDEX" in by_name
        assert "TEMP B-TREE" not in by_name
    else:
        assert (SEARCH.INDEX in by_name) == has_trigrams()


def plans(query: str, *, without: tuple[str, ...] = ("seqscan", "sort")) -> list[str]:
    """The plan of each query of a page. With few rows PostgreSQL uses no index unless scans are switched off."""
    with CaptureQueriesContext(connection) as captured:
        page_of(query)
    statements = [one["sql"] for one in captured.captured_queries if 'FROM "tenants_' in one["sql"]]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for way in ("seqscan", "sort", "indexscan"):
                cursor.execute(f"SET LOCAL enable_{way} = {'off' if way in without else 'on'}")
        return [explained(cursor, sql) for sql in statements]


def explained(cursor: Any, sql: str) -> str:
    cursor.execute(f"{'EXPLAIN QUERY PLAN' if connection.vendor == 'sqlite' else 'EXPLAIN'} {sql}")
    return "\n".join(str(row[-1]) for row in cursor.fetchall())


def has_trigrams() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_indexes WHERE indexname = %s", [SEARCH.INDEX])
        return cursor.fetchone() is not None


def test_no_migration_has_lost_a_trigger() -> None:
    """On SQLite, a migration that makes a table again loses the table's triggers."""
    expected = {name for name, *_ in STEPS.TRIGGERS}
    if connection.vendor == "sqlite":
        expected |= {name for name, *_ in (*STEPS.ONLY_SQLITE, *SEARCH.TRIGGERS)}
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    with connection.cursor() as cursor:
        cursor.execute(query)
        assert expected <= {name for (name,) in cursor.fetchall()}


@pytest.mark.django_db(transaction=True)
def test_names_are_found_without_the_index_and_with_a_later_one() -> None:
    with connection.schema_editor() as editor:
        SEARCH.drop(None, editor)
    try:
        tenant("Harbour Foods", slug="quay")
        assert NAMES not in connection.introspection.table_names()
        assert names(q="bour") == names(q="bour", state="pending") == names(q="quay") == ["Harbour Foods"]
    finally:
        with connection.schema_editor() as editor:
            SEARCH.create(None, editor)
    assert names(q="bour") == names(q="quay") == ["Harbour Foods"]


def test_a_statement_that_fails_does_not_end_the_migration() -> None:
    with connection.cursor() as cursor:
        editor = SimpleNamespace(connection=connection, execute=lambda statement, params: cursor.execute(statement))
        assert not SEARCH.succeeds(editor, "CREATE EXTENSION no_such_extension")
        assert SEARCH.succeeds(editor, "SELECT 1")
