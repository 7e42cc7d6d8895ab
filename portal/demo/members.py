"""The cast in Django's database: what should be. Run once Cognito has told everybody's `sub`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from django.db import transaction

from portal.demo.cast import CAST, CastMember
from tenants.domain.tenant_state import TenantState
from tenants.models import Member, Person, Tenant
from tenants.standing import forget_standing


@transaction.atomic
def put_members_in_place(subs: Mapping[str, str]) -> None:
    """`subs` maps e-mail addresses to subs. Who is in place with the same sub already is left as they are."""
    for member in CAST:
        if member.email in subs:
            _put_in_place(member, uuid.UUID(subs[member.email]))


def _put_in_place(member: CastMember, sub: uuid.UUID) -> None:
    if Member.objects.filter(person__email=member.email, person__sub=sub).exists():
        return
    # Of an earlier world: the same e-mail, another sub.
    Person.objects.filter(email=member.email).exclude(sub=sub).delete()
    person, _ = Person.objects.update_or_create(sub=sub, defaults={"email": member.email, "name": member.name})
    tenant = None
    if member.organisation is not None:
        tenant, _ = Tenant.objects.update_or_create(
            org_id=member.organisation.org_id.value,
            defaults={"name": member.organisation.name, "state": TenantState.ACTIVE},
        )
    Member.objects.update_or_create(
        person=person, defaults={"tenant": tenant, "role": member.role, "enabled": True, "identity_id": ""}
    )
    forget_standing(person.pk)
