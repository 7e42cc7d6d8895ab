"""Each way to narrow a long list is led by an index, so that it takes as long with a million rows as with a few."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from portal.demo.cast import ACME_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.audit import record
from tenants.audit.actions import Action
from tenants.domain.roles import Role
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
