"""Each way to narrow a long list is led by an index, so that it takes as long with a million rows as with a few."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.demo.cast import ACME_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.audit import record
from tenants.audit.actions import Action
from tenants.domain.roles import Role
from tenants.lifecycle import search
from tenants.models import Member, Person, Tenant
from tests.world.fixtures import Browser
from tests.world.long_lists import many_members, many_tenants
from tests.world.plans import gather_statistics, plans_of
from tests.world.trail import SOMEBODY

Browse = Callable[[CastMember], Browser]
LISTS = {
    "/operators/members/?q=p01": ("tenants_member", "person_by_address"),
    "/operators/members/?q=p017%40many.example": ("tenants_member", "person_by_address"),
    "/operators/members/?enabled=no": ("tenants_member", "member_newest_without_access"),
    "/operators/members/?role=owner": ("tenants_member", "member_newest_in_role"),
    "/operators/audit/?actor=gone%40acme.example": ("tenants_auditevent", "audit_of_actor_name"),
    f"/operators/audit/?actor={OPERATOR.email}": ("tenants_auditevent", "audit_of_actor"),
}
EDGE = f"{urlsafe_b64encode(b'p150@many.example').decode()}.1"


@pytest.fixture
def many_rows(portal: World) -> None:
    many_members(300)
    for _ in range(300):
        record(Action.MEMBER_ADDED, by=SOMEBODY)
    gather_statistics()


@pytest.mark.parametrize("address", LISTS)
def test_a_list_that_is_narrowed_is_led_by_an_index(many_rows: None, operator: Browser, address: str) -> None:
    table, index = LISTS[address]
    plans = plans_of(lambda: operator.get(address), about=f'FROM "{table}"')
    assert any(index in plan for plan in plans), plans


@pytest.mark.parametrize("edge", ["", "&last=1", f"&after={EDGE}", f"&before={EDGE}"])
@pytest.mark.parametrize("filters", ["", "&role=viewer", "&provisioning=settled&enabled=yes", "&enabled=no"])
def test_members_found_by_address_are_read_in_the_order_of_the_index(
    many_rows: None, operator: Browser, monkeypatch: pytest.MonkeyPatch, filters: str, edge: str
) -> None:
    monkeypatch.setattr(search, "FEW", 1)
    Member.objects.filter(person__email__startswith="p").update(enabled="enabled=no" not in filters)
    page = f"/operators/members/?q=p{filters}{edge}"
    (plan,) = plans_of(lambda: operator.get(page), about='AS "address"', sorted_by_index=True)
    assert "person_by_address" in plan
    # Only members of the same address may still have to be sorted.
    assert not re.search(r"^ *(-> +)?Sort +\(|TEMP B-TREE FOR ORDER BY", plan, re.MULTILINE), plan


def test_a_page_far_down_is_not_reached_through_the_pages_before(many_rows: None, operator: Browser) -> None:
    """SQLite shows no bounds in its plans, so this counts how many limits of each side a statement has."""
    for edge in ("after", "before"):
        with CaptureQueriesContext(connection) as asked:
            operator.get(f"/operators/members/?q=p&{edge}={EDGE}")
        (sql,) = (query["sql"] for query in asked if 'AS "address"' in query["sql"])
        where = sql.partition(" WHERE ")[2]
        assert (where.count('"email" >= '), where.count('"email" <= ')) == (1, 1), where


@pytest.mark.parametrize("address", ["/members/", "/members/?role=owner", "/members/?role=viewer&q=p01"])
def test_the_members_of_one_organisation_are_never_looked_for_among_all(
    many_rows: None, browse_as: Browse, address: str
) -> None:
    owner = browse_as(ACME_OWNER)
    plans = plans_of(lambda: owner.get(address), about='FROM "tenants_member"')
    assert plans
    assert not [plan for plan in plans if "member_newest_in_role" in plan]


def test_the_owners_of_a_tenant_are_found_among_its_members(portal: World) -> None:
    many_tenants(300)
    owners = Person.objects.bulk_create(Person(email=f"owner{number}@many.example") for number in range(300))
    tenants = Tenant.objects.filter(slug__startswith="t-")
    Member.objects.bulk_create(
        Member(person=person, tenant=tenant, role=Role.OWNER) for person, tenant in zip(owners, tenants, strict=True)
    )
    gather_statistics()
    found = Member.objects.filter(tenant=tenants[0], role=Role.OWNER, enabled=True, removed=False)
    (plan,) = plans_of(lambda: list(found), about='FROM "tenants_member"')
    assert "member_of_tenant" in plan
