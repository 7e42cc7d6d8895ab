"""Writes the cast into the database, once each person's `sub` is known from Cognito."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction
from django.utils import timezone

from portal.demo.cast import CAST, CastMember, Organisation
from tenants.audit import NewEntry, record_all
from tenants.audit.actions import Action
from tenants.domain.actor import at_the_terminal
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.transitions import activate
from tenants.models import Member, Person, Provisioning, SignIn, Tenant
from tenants.sign_in.standing import forget_standing


@transaction.atomic
def ensure_members(subs: Mapping[str, str]) -> None:
    """`subs` maps e-mail addresses to subs. Leaves a member alone whose sub is already the same."""
    existing = set(Member.objects.filter(person__email__in=subs).values_list("person__email", "person__sub"))
    cast = [one for one in CAST if one.email in subs and (one.email, uuid.UUID(subs[one.email])) not in existing]
    if not cast:
        return
    people = _people(cast, subs)
    tenants = _tenants(list(dict.fromkeys(one.organisation for one in cast if one.organisation)))
    _members(cast, people, tenants)
    for tenant in tenants.values():
        if tenant.state == TenantState.PENDING:
            activate(tenant, by=at_the_terminal())
    forget_standing(*(person.pk for person in people.values()))


def _people(cast: Sequence[CastMember], subs: Mapping[str, str]) -> Mapping[str, Person]:
    """By e-mail address. Another sub belongs to an earlier world, so its sign-ins are deleted."""
    people = {person.email: person for person in Person.objects.filter(email__in=[one.email for one in cast])}
    earlier, new = list(people.values()), []
    for one in cast:
        if one.email not in people:
            people[one.email] = Person(email=one.email)
            new.append(people[one.email])
        people[one.email].sub, people[one.email].name = uuid.UUID(subs[one.email]), one.name
    Person.objects.bulk_create(new)
    if earlier:
        Person.objects.bulk_update(earlier, ["sub", "name"])
        SignIn.objects.filter(person__in=earlier).delete()
    return people


def _tenants(organisations: Sequence[Organisation]) -> Mapping[str, Tenant]:
    """By org id."""
    ids = [one.org_id.value for one in organisations]
    tenants = {str(tenant.org_id): tenant for tenant in Tenant.objects.filter(org_id__in=ids)}
    new = [
        Tenant(org_id=uuid.UUID(one.org_id.value), name=one.name, slug=one.slug)
        for one in organisations
        if one.org_id.value not in tenants
    ]
    if new:
        by = at_the_terminal()
        Tenant.objects.bulk_create(new)
        record_all([NewEntry(Action.TENANT_CREATED, by, org=one.org_id, target=one.name) for one in new])
    return tenants | {str(tenant.org_id): tenant for tenant in new}


def _members(cast: Iterable[CastMember], people: Mapping[str, Person], tenants: Mapping[str, Tenant]) -> None:
    now = timezone.now()
    members = [
        Member(
            person=people[one.email],
            tenant=tenants[one.organisation.org_id.value] if one.organisation else None,
            role=one.role,
            identity_id="",
            provisioning=Provisioning.SETTLED,
            due_at=None,
            seen_at=now,
            seen_org=one.org,
            seen_role=one.role,
            seen_enabled=True,
            seen_status="CONFIRMED",
        )
        for one in cast
    ]
    Member.objects.bulk_create(
        members,
        update_conflicts=True,
        unique_fields=["person"],
        update_fields=[
            "tenant", "role", "identity_id", "provisioning", "due_at",
            "seen_at", "seen_org", "seen_role", "seen_enabled", "seen_status",
        ],
    )  # fmt: skip
