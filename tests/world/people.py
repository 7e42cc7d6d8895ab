"""People of an organisation who have signed in, and the actors that they are."""

from __future__ import annotations

import uuid

from django.utils import timezone

from tenants.domain.actor import Actor, ActorKind
from tenants.models import Member, Person
from tests.world.stage import member_called


def signed_in_as(email: str) -> Actor:
    """The member with this address, from now on somebody who has signed in."""
    member = member_called(email)
    if member.person.sub is None:
        Person.objects.filter(pk=member.person_id).update(sub=uuid.uuid4())
    Member.objects.filter(pk=member.pk).update(signed_in_at=timezone.now())
    return acting(email)


def acting(email: str) -> Actor:
    member = member_called(email)
    return Actor(str(member.person.sub), member.person.email, ActorKind.MEMBER, member.role)
