"""Ends everything with which people go on without signing in again, wherever the portal remembers it.

Their sessions are not looked for: each holds the number of endings that it began with, and the door compares it. So a
session ends also where its row cannot be found, where a copy of it is kept, and where a request writes it back.
Refresh tokens are revoked in Cognito by the worker: the caller marks the member to be signed out there.
"""

from __future__ import annotations

from django.db.models import F, QuerySet

from tenants.models import Person, SignIn, Tenant
from tenants.sign_in.federation import forget_credentials
from tenants.sign_in.standing import forget_standing


def end_sessions(people: QuerySet[Person]) -> None:
    """Call it in the transaction of the change, once the members are locked and before its audit entry.

    Takes effect on their next request. A sign-in under way, that began with the number before, is refused.
    """
    people.update(endings=F("endings") + 1)
    sign_ins = SignIn.objects.filter(person__in=people)
    kept = list(sign_ins.values_list("pk", "person__memberships__tenant__org_id"))
    forget_credentials([(pk, str(org or "")) for pk, org in kept])
    sign_ins.delete()
    forget_standing(*people.values_list("pk", flat=True))


def end_sessions_of(*person_ids: int) -> None:
    """As `end_sessions`, of a few people."""
    end_sessions(Person.objects.filter(pk__in=person_ids))


def end_sessions_in(tenant: Tenant) -> None:
    """As `end_sessions`, of all members."""
    end_sessions(Person.objects.filter(memberships__tenant=tenant))
