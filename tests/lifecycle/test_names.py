"""Names that operators should look at: letters of several scripts, and names that can be taken for another tenant's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver

from portal.demo.cast import GLOBEX
from tenants.domain import texts
from tenants.domain.errors import InvalidInput
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.details import about_name, change_slug, rename
from tenants.lifecycle.transitions import adopt, create_tenant
from tenants.models import Person, Tenant
from tests.world.fixtures import Browser
from tests.world.pages import text_of
from tests.world.stage import SOMEBODY
from tests.world.use_cases import acme, tenant_in

MIXED = "Аcme"  # with a Cyrillic А


def create(name: str, **given: Any) -> Tenant:
    email = f"{uuid.uuid4()}@initech.example"
    return create_tenant(**{"name": name, "owner_email": email, "by": SOMEBODY, **given})


@pytest.mark.django_db
def test_a_name_of_mixed_scripts_is_allowed_and_marked() -> None:
    assert create("Initech").name_warning == ""
    assert create(MIXED).name_warning == "Mixes Latin and Cyrillic letters: “А” looks like “A”."


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("INITECH", "initech has the same name."),
        ("lnitech", "Looks like the name of initech, “Initech”."),
        ("Ini-tech.", "Looks like the name of initech, “Initech”."),
        ("Initech 2", ""),
    ],
)
def test_a_name_that_looks_like_a_tenants_is_marked(name: str, says: str) -> None:
    create("Initech")
    assert create(name).name_warning == says


@pytest.mark.django_db
def test_the_name_of_a_closed_tenant_is_free() -> None:
    tenant_in(TenantState.CLOSED, name="Initech")
    assert create("Initech").name_warning == ""


@pytest.mark.django_db
def test_signs_alone_look_like_no_other_name() -> None:
    create("---")
    assert create("!!!").name_warning == ""


@pytest.mark.django_db
def test_renaming_marks_and_takes_the_mark_away() -> None:
    create("Initech")
    tenant = rename(create("Umbrella"), name="lnitech", by=SOMEBODY)
    assert tenant.name_warning == Tenant.objects.get(pk=tenant.pk).name_warning != ""
    assert rename(tenant, name="Umbrella", by=SOMEBODY).name_warning == ""


@pytest.mark.django_db
def test_a_tenant_is_not_compared_with_itself() -> None:
    assert rename(create("Initech"), name="INITECH", by=SOMEBODY).name_warning == ""


@pytest.mark.django_db
def test_an_adopted_tenant_is_marked_too() -> None:
    person = Person.objects.create(email="eve@other.example", sub=uuid.uuid4())
    assert adopt(org_id=uuid.uuid4(), name=MIXED, person=person, by=SOMEBODY).name_warning != ""


@pytest.mark.django_db
def test_a_long_name_has_a_warning_that_fits() -> None:
    create("А" * 119 + "b")
    assert len(create("А" * 119 + "b").name_warning) <= 200


@pytest.mark.django_db
def test_names_are_compared_by_an_index() -> None:
    # With a few rows, PostgreSQL's choice depends on when it last counted them.
    Tenant.objects.bulk_create(
        Tenant(org_id=uuid.uuid4(), name=f"Name {number}", slug=f"name-{number}", name_skeleton=f"name{number}")
        for number in range(1_000)
    )
    with CaptureQueriesContext(connection) as asked:
        about_name("Initech")
    (query,) = asked.captured_queries
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
        else:
            cursor.execute("ANALYZE tenants_tenant")
            cursor.execute(f"EXPLAIN {query['sql']}")
        assert "tenant_by_likeness" in str(cursor.fetchall())


def test_operators_see_the_mark_in_the_list_and_on_the_page(operator: Browser) -> None:
    rename(Tenant.objects.get(slug="globex"), name=MIXED, by=SOMEBODY)
    page = text_of(operator.get("/operators/tenants/"))
    assert page.count("check the name") == 1
    assert "Mixes Latin and Cyrillic" in page
    assert "Mixes Latin and Cyrillic" in text_of(operator.get(f"/operators/tenants/{GLOBEX.org_id.value}/"))
    assert "check the name" not in text_of(operator.get(f"/operators/tenants/{acme().org_id}/"))


@pytest.mark.django_db
def test_commands_show_the_mark(capsys: pytest.CaptureFixture[str]) -> None:
    create(MIXED, slug="initech")
    for command in (("list",), ("show", "initech")):
        call_command("tenant", *command)
        assert "Mixes Latin and Cyrillic" in capsys.readouterr().out
        call_command("tenant", *command, "--json")
        assert json.loads(capsys.readouterr().out)["name_warning"].startswith("Mixes Latin and Cyrillic")


@pytest.mark.django_db
def test_a_taken_short_name_is_refused_with_a_free_one() -> None:
    create("Initech")
    with pytest.raises(InvalidInput, match=r"“initech” is taken\. Choose another one, such as initech-2\."):
        create("Other", slug="initech")
    with pytest.raises(InvalidInput, match="such as initech-2"):
        change_slug(create("Umbrella"), slug="initech", by=SOMEBODY)


@pytest.mark.parametrize("short", ["adm1n", "sign-u-p", "rnembers", "0perators", "sign1n", "we1come", "recovery"])
def test_a_spelling_that_looks_like_a_reserved_word_is_reserved(short: str) -> None:
    with pytest.raises(InvalidInput, match="is reserved, or looks like one that is"):
        texts.slug(short)


def first_parts(patterns: Iterable[URLPattern | URLResolver]) -> set[str]:
    parts = set()
    for pattern in patterns:
        first = str(pattern.pattern).partition("/")[0]
        if not first and isinstance(pattern, URLResolver):
            parts |= first_parts(pattern.url_patterns)
        parts.add(first)
    return parts - {""}


def test_every_address_of_the_portal_is_a_reserved_short_name() -> None:
    parts = first_parts(get_resolver().url_patterns)
    assert "operators" in parts
    assert {part for part in parts if part.isidentifier()} - texts.RESERVED_SLUGS == set()
