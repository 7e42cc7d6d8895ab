"""A tenant made of an organisation that so far only Cognito knows."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.utils import timezone

from tenants.audit.actions import Action
from tenants.domain.actor import WORKER, Actor, ActorKind
from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.transitions import adopt, create_tenant
from tenants.members.roster import add_member, planned_changes, remove
from tenants.models import Member, Person, Provisioning, Tenant
from tests.world.stage import SOMEBODY
from tests.world.use_cases import assert_refused, entries_since, last_entry, run_at_once, tenant_in

ORG_ID = uuid.UUID("6f0f9a3c-5a58-4f5e-9a6e-0e7b3c9d1a11")


def somebody(email: str = "bill@initech.example") -> Person:
    return Person.objects.create(email=email, name="Bill", sub=uuid.uuid4())


def adopted(person: Person, **given: Any) -> Tenant:
    by = Actor(str(person.sub), person.name, ActorKind.MEMBER, Role.OWNER)
    return adopt(**{"org_id": ORG_ID, "name": "Initech", "person": person, "by": by, **given})


@pytest.mark.django_db
def test_an_adopted_tenant_is_active_and_owned_by_who_came() -> None:
    person = somebody()
    tenant = adopted(person)
    tenant.refresh_from_db()
    assert (tenant.org_id, tenant.name, tenant.slug, tenant.state) == (ORG_ID, "Initech", "initech", TenantState.ACTIVE)
    assert tenant.activated_at == tenant.owner_signed_in_at is not None
    owner = Member.objects.get(tenant=tenant)
    assert (owner.person, owner.role, owner.enabled) == (person, Role.OWNER, True)
    assert owner.signed_in_at is not None


@pytest.mark.django_db
def test_the_worker_looks_at_an_adopted_owner_and_plans_nothing() -> None:
    tenant = adopted(somebody())
    owner = Member.objects.select_related("person", "tenant").get(tenant=tenant)
    assert (owner.provisioning, owner.seen) == (Provisioning.DUE, None)
    assert planned_changes(owner) == ()


@pytest.mark.django_db
def test_adopting_is_recorded_with_the_new_owner() -> None:
    before, person = last_entry(), somebody()
    adopted(person)
    made, added, activated = entries_since(before)
    assert [made.action, added.action, activated.action] == [
        Action.TENANT_CREATED, Action.MEMBER_ADDED, Action.TENANT_ACTIVATED,
    ]  # fmt: skip
    assert {entry.org for entry in (made, added, activated)} == {ORG_ID}
    assert {entry.actor for entry in (made, added, activated)} == {str(person.sub)}


@pytest.mark.django_db
def test_a_short_name_that_is_taken_gets_a_number() -> None:
    tenant_in(TenantState.ACTIVE)
    assert adopted(somebody("bill@other.example")).slug == "initech-2"


@pytest.mark.django_db
@pytest.mark.parametrize(("given", "field"), [({"name": " "}, "name"), ({"slug": "a b"}, "slug")])
def test_names_that_cannot_be_used_make_no_tenant(given: dict[str, str], field: str) -> None:
    person = somebody()
    with assert_refused(InvalidInput, "name", recorded_as=Action.TENANT_REFUSED) as raised:
        adopted(person, by=SOMEBODY, **given)
    assert raised.value.field == field


@pytest.mark.django_db
def test_adopting_again_returns_the_same_tenant_and_records_nothing() -> None:
    person = somebody()
    first, before = adopted(person), last_entry()
    assert adopted(person, name="Another name") == first
    assert Tenant.objects.get().name == "Initech"
    assert entries_since(before) == []


@pytest.mark.django_db
def test_the_organisation_of_somebody_else_is_not_adopted() -> None:
    adopted(somebody())
    stranger = somebody("eve@other.example")
    with assert_refused(NotNow, "exists already", recorded_as=Action.TENANT_REFUSED):
        adopted(stranger, by=SOMEBODY)


@pytest.mark.django_db
def test_the_org_id_of_a_closed_tenant_is_not_used_again() -> None:
    closed = tenant_in(TenantState.CLOSED)
    stranger = somebody("eve@other.example")
    with assert_refused(NotNow, "exists already", recorded_as=Action.TENANT_REFUSED):
        adopted(stranger, org_id=closed.org_id, by=SOMEBODY)


@pytest.mark.django_db
@pytest.mark.parametrize("tenant", ["another", "the platform"])
def test_somebody_who_is_a_member_elsewhere_adopts_nothing(tenant: str) -> None:
    elsewhere = tenant_in(TenantState.ACTIVE) if tenant == "another" else None
    role = Role.VIEWER if elsewhere else Role.OPERATOR
    member = add_member(tenant=elsewhere, email="v@initech.example", name="", role=role, by=SOMEBODY)
    with assert_refused(NotNow, "member of something else", recorded_as=Action.TENANT_REFUSED):
        adopted(member.person, by=SOMEBODY)


@pytest.mark.django_db
def test_an_owner_who_was_removed_does_not_get_it_back_by_adopting() -> None:
    person = somebody()
    tenant = adopted(person)
    second = add_member(tenant=tenant, email="second@initech.example", name="", role=Role.OWNER, by=WORKER)
    Member.objects.filter(pk=second.pk).update(signed_in_at=timezone.now())
    remove(Member.objects.get(person=person), by=SOMEBODY)
    with assert_refused(NotNow, "exists already", recorded_as=Action.TENANT_REFUSED):
        adopted(person, by=SOMEBODY)


@pytest.mark.django_db(transaction=True)
def test_two_tabs_at_once_adopt_one_tenant() -> None:
    person = somebody()
    assert run_at_once(*[lambda: adopted(person)] * 4) == [None] * 4
    assert Tenant.objects.count() == Member.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_adopting_and_an_invitation_at_once_leave_one_membership() -> None:
    person = somebody()
    tenant = create_tenant(name="Umbrella", owner_email="owner@umbrella.example", by=SOMEBODY)
    invite = lambda: add_member(  # noqa: E731 - one of two calls at once
        tenant=tenant, email=person.email, name="", role=Role.VIEWER, by=SOMEBODY
    )
    answers = run_at_once(lambda: adopted(person), invite)
    assert len([answer for answer in answers if answer is None]) == 1
    assert Member.objects.filter(person=person).count() == 1
