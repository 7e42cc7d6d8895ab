"""What the database refuses, from any program."""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DataError, IntegrityError, connection, connections, transaction
from django.utils import timezone

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
def test_operators_are_in_no_organisation_and_others_are_in_one(in_one: bool, role: str) -> None:
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
def test_rows_have_names_that_people_understand() -> None:
    person = somebody()
    member = Member.objects.create(person=person, tenant=Tenant.objects.create(name="A"), role=Role.VIEWER)
    sign_in = SignIn.objects.create(person=person, sealed_tokens=b"x")
    assert [str(row) for row in (person, member.tenant, member)] == [
        "somebody@acme.example",
        "A",
        f"{person} as viewer",
    ]
    assert str(sign_in).startswith("somebody@acme.example since ")


def owned_tenant(**fields: Any) -> Tenant:
    tenant = Tenant.objects.create(name="A")
    Member.objects.create(person=somebody(), tenant=tenant, role=Role.OWNER)
    Tenant.objects.filter(pk=tenant.pk).update(state="active", activated_at=timezone.now())
    Tenant.objects.filter(pk=tenant.pk).update(**fields)
    tenant.refresh_from_db()
    return tenant


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fields",
    [
        {"state": "suspended"},
        {"state": "suspended", "suspended_at": timezone.now()},
        {"state": "closing", "reason": "not paid", "closing_at": timezone.now()},
        {"state": "closed", "closed_at": timezone.now()},
        {"state": "pending"},
        {"suspended_at": timezone.now()},
        {"name": ""},
        {"org_id": uuid.uuid4()},
    ],
)
def test_a_tenant_keeps_its_org_id_and_states_need_dates_and_reason(fields: dict[str, Any]) -> None:
    tenant = owned_tenant()
    with pytest.raises(IntegrityError), transaction.atomic():
        Tenant.objects.filter(pk=tenant.pk).update(**fields)


@pytest.mark.django_db
def test_a_tenant_begins_pending_needs_an_owner_and_is_never_deleted() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Tenant.objects.create(name="A", state="active", activated_at=timezone.now())
    tenant = Tenant.objects.create(name="A")
    with pytest.raises(IntegrityError), transaction.atomic():
        Tenant.objects.update(state="active", activated_at=timezone.now())
    with pytest.raises(IntegrityError), transaction.atomic():
        tenant.delete()


@pytest.mark.django_db
def test_addresses_that_differ_in_case_only_are_the_same() -> None:
    Person.objects.create(email="ada@acme.example")
    with pytest.raises(IntegrityError), transaction.atomic():
        Person.objects.create(email="ADA@acme.example")
    Person.objects.create(email="")
    Person.objects.create(email="")


@pytest.mark.django_db(transaction=True)
def test_migrations_go_back_and_forth() -> None:
    call_command("migrate", "tenants", "zero", verbosity=0)
    call_command("migrate", verbosity=0)
    assert Tenant.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [{"role": Role.VIEWER}, {"enabled": False}, {"removed": True}, {"tenant": None, "role": Role.OPERATOR}],
)
def test_the_database_keeps_an_owner_for_an_active_tenant(change: dict[str, Any]) -> None:
    tenant = owned_tenant()
    owner = Member.objects.get(tenant=tenant)
    with pytest.raises(IntegrityError), transaction.atomic():
        Member.objects.filter(pk=owner.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        owner.delete()
    another = Person.objects.create(sub=uuid.uuid4(), email="another@acme.example")
    Member.objects.create(person=another, tenant=tenant, role=Role.OWNER)
    assert owner.delete()[0] == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_leave_at_once_the_database_keeps_one() -> None:
    tenant = owned_tenant()
    another = Person.objects.create(sub=uuid.uuid4(), email="another@acme.example")
    Member.objects.create(person=another, tenant=tenant, role=Role.OWNER)
    start, refused = threading.Barrier(2), []

    def step_down(member: Member) -> None:
        start.wait(timeout=60)
        try:
            with transaction.atomic():
                Member.objects.filter(pk=member.pk).update(role=Role.VIEWER)
                # Neither sees what the other has not committed yet.
                time.sleep(0.2)
        except IntegrityError as error:
            refused.append(str(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=step_down, args=(member,)) for member in Member.objects.all()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(refused) == 1
    assert "an active tenant keeps an owner" in refused[0]
    assert Member.objects.filter(role=Role.OWNER).count() == 1


@pytest.mark.django_db
def test_an_org_id_is_a_uuid_in_its_one_spelling() -> None:
    tenant = owned_tenant()
    spelling = {"sqlite": tenant.org_id.hex.upper()}.get(connection.vendor, "no uuid")
    with pytest.raises((IntegrityError, DataError)), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tenants_tenant (org_id, name, slug, plan, state, reason, metadata, created_at)"
            " VALUES (%s, 'B', 'b', 'free', 'pending', '', '{}', %s)",
            [spelling, timezone.now()],
        )
    with connection.cursor() as cursor:
        cursor.execute("SELECT CAST(org_id AS text) FROM tenants_tenant")
        ((kept,),) = cursor.fetchall()
    assert kept == (tenant.org_id.hex if connection.vendor == "sqlite" else str(tenant.org_id))
