"""What the database itself refuses, whoever asks."""

from __future__ import annotations

import uuid

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction

from tenants.domain.roles import Role
from tenants.models import Member, Person, SignIn, Tenant


def somebody() -> Person:
    return Person.objects.create(sub=uuid.uuid4(), email="somebody@acme.example")


@pytest.mark.django_db
def test_a_person_is_in_one_organisation() -> None:
    person = somebody()
    Member.objects.create(person=person, tenant=Tenant.objects.create(name="A"), role=Role.OWNER)
    with pytest.raises(IntegrityError), transaction.atomic():
        Member.objects.create(person=person, tenant=Tenant.objects.create(name="B"), role=Role.OWNER)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("in_one", "role"), [(True, Role.OPERATOR), (False, Role.OWNER), (True, "superuser"), (True, "")]
)
def test_operators_are_in_no_organisation_and_everybody_else_is_in_one(in_one: bool, role: str) -> None:
    tenant = Tenant.objects.create(name="A") if in_one else None
    with pytest.raises(IntegrityError), transaction.atomic():
        Member.objects.create(person=somebody(), tenant=tenant, role=role)


@pytest.mark.django_db
def test_a_tenant_is_in_a_known_state_and_has_an_org_id_of_its_own() -> None:
    tenant = Tenant.objects.create(name="A")
    with pytest.raises(IntegrityError), transaction.atomic():
        Tenant.objects.update(state="vanished")
    with pytest.raises(IntegrityError), transaction.atomic():
        Tenant.objects.create(name="B", org_id=tenant.org_id)


@pytest.mark.django_db
def test_a_sub_belongs_to_one_person() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Person.objects.create(sub=somebody().sub, email="other@acme.example")


@pytest.mark.django_db
def test_names_of_rows_are_fit_for_a_person() -> None:
    person = somebody()
    member = Member.objects.create(person=person, tenant=Tenant.objects.create(name="A"), role=Role.VIEWER)
    sign_in = SignIn.objects.create(person=person, sealed_tokens=b"x")
    assert [str(row) for row in (person, member.tenant, member)] == [
        "somebody@acme.example",
        "A",
        f"{person} as viewer",
    ]
    assert str(sign_in).startswith("somebody@acme.example since ")


@pytest.mark.django_db(transaction=True)
def test_migrations_go_back_and_forth() -> None:
    call_command("migrate", "tenants", "zero", verbosity=0)
    call_command("migrate", verbosity=0)
    assert Tenant.objects.count() == 0
