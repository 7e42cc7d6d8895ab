"""A tenant's name, short name, plan and metadata: when they may change, what is recorded, and which are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tenants.audit.actions import Action
from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.details import change_metadata, change_plan, change_slug, rename
from tenants.lifecycle.transitions import create_tenant
from tenants.models import AuditEvent, Person, Tenant
from tests.world.stage import SOMEBODY
from tests.world.use_cases import assert_refused, entries_since, last_entry, run_at_once, tenant_in

S = TenantState
Change = Callable[[Tenant], Tenant]
EDITS: dict[str, tuple[Change, dict[str, Any]]] = {
    "rename": (lambda tenant: rename(tenant, name="Initrode", by=SOMEBODY, why="sold"), {"name": "Initrode"}),
    "slug": (lambda tenant: change_slug(tenant, slug="initrode", by=SOMEBODY, why="sold"), {"slug": "initrode"}),
    "plan": (lambda tenant: change_plan(tenant, plan="team", by=SOMEBODY, why="sold"), {"plan": "team"}),
    "metadata": (
        lambda tenant: change_metadata(tenant, metadata={"contract": "2026-14"}, by=SOMEBODY, why="sold"),
        {"metadata": {"contract": "2026-14"}},
    ),
}


def create(**given: Any) -> Tenant:
    return create_tenant(**{"name": "Initech", "owner_email": "bill@initech.example", "by": SOMEBODY, **given})


@pytest.mark.django_db
@pytest.mark.parametrize("state", list(TenantState))
@pytest.mark.parametrize("edit", list(EDITS))
def test_details_can_change_until_the_tenant_is_being_closed(edit: str, state: TenantState) -> None:
    change, expected = EDITS[edit]
    tenant = tenant_in(state)
    before = last_entry()
    if state in (S.CLOSING, S.CLOSED):
        with assert_refused(NotNow, "so it stays as it is", recorded_as=Action.TENANT_REFUSED):
            change(tenant)
        return
    change(tenant)
    changed = Tenant.objects.get()
    assert {name: getattr(changed, name) for name in expected} == expected
    assert (changed.state, changed.suspended_at) == (state, tenant.suspended_at)
    (entry,) = entries_since(before)
    assert (dict(entry.after), entry.why) == (expected, "sold")
    assert entry.before == {name: getattr(tenant, name) for name in expected}


@pytest.mark.django_db
def test_a_change_to_the_same_value_is_not_recorded() -> None:
    tenant = create(metadata={"a": 1})
    before = last_entry()
    rename(tenant, name="Initech ", by=SOMEBODY)
    change_slug(tenant, slug="INITECH", by=SOMEBODY)
    change_metadata(tenant, metadata={"a": 1}, by=SOMEBODY)
    assert entries_since(before) == []


@pytest.mark.django_db
def test_a_taken_short_name_is_refused_and_a_generated_one_differs() -> None:
    create()
    for taken in ("initech", "INITECH"):
        with assert_refused(InvalidInput, "“initech” is taken", recorded_as=Action.TENANT_REFUSED):
            create(owner_email="peter@initech.example", slug=taken)
    others = [create(owner_email=f"p{number}@initech.example").slug for number in range(10)]
    assert others[:8] == [f"initech-{number}" for number in range(2, 10)]
    assert len(set(others)) == 10
    with assert_refused(InvalidInput, "“initech-2” is taken", recorded_as=Action.TENANT_REFUSED):
        change_slug(Tenant.objects.get(slug="initech"), slug="initech-2", by=SOMEBODY)


@pytest.mark.django_db(transaction=True)
def test_only_one_of_several_tenants_at_once_gets_a_short_name() -> None:
    answers = run_at_once(
        *(lambda number=number: create(owner_email=f"p{number}@initech.example", slug="ini") for number in range(4))
    )
    refusals = [str(answer) for answer in answers if answer]
    assert refusals == ["The short name “ini” is taken. Choose another one, such as ini-2."] * 3
    assert (Tenant.objects.count(), Person.objects.count()) == (1, 1)
    assert AuditEvent.objects.filter(action=Action.TENANT_REFUSED).count() == 3


@pytest.mark.django_db(transaction=True)
def test_tenants_with_one_name_at_once_all_get_a_short_name() -> None:
    answers = run_at_once(
        *(lambda number=number: create(owner_email=f"p{number}@initech.example") for number in range(4))
    )
    assert answers == [None] * 4
    assert {tenant.slug for tenant in Tenant.objects.all()} >= {"initech", "initech-2"}
