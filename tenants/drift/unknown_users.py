"""Users whom no member was found for, looked at once more, one by one: a list of many may be older than they are.

Some were on their way in or out while the pool was read, and some belong to a member whose difference is listed. Others
signed up, and wait until they sign in for the first time: only then does their organisation become a tenant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models.functions import Lower
from django.utils import timezone

from tenants.domain.roles import Role
from tenants.domain.user_plan import Seen
from tenants.drift.comparison import is_in_hand
from tenants.drift.paced_pool import PacedPool
from tenants.models import Drift, Person, SignUp, Tenant

_SIGNED_UP = "signed up, and has not signed in yet"
_UNCONFIRMED = "signed up, and has not confirmed the address yet"
_UNNAMED = "signed up, and has not named the organisation yet"


@dataclass(frozen=True, slots=True)
class SecondLook:
    """By the differences' primary keys: which are none, and which users are waiting, with what for."""

    known: Sequence[int]
    waiting: Mapping[int, str]


def look_again(drifts: Sequence[Drift], pool: PacedPool, *, hosted_sign_ups: bool) -> SecondLook:
    """`hosted_sign_ups`: people may sign up at Cognito's own pages. Raises what the pool does."""
    people, signed_up = _people_of(drifts), _signed_up(drifts)
    known, waiting = list[int](), dict[int, str]()
    for drift in drifts:
        if _is_a_members(drift, people):
            known.append(drift.pk)
        elif _may_be_on_the_way(drift, people, may_wait=hosted_sign_ups or drift.org in signed_up):
            user = pool.look(drift.sub)
            if user is None:
                known.append(drift.pk)
            elif why := _waits_for(user, hosted_sign_ups=hosted_sign_ups):
                waiting[drift.pk] = why
    return SecondLook(known, waiting)


@dataclass(frozen=True, slots=True)
class _People:
    """`by_email` has the addresses case-folded."""

    by_sub: dict[str, Person]
    by_email: dict[str, Person]


def _people_of(drifts: Sequence[Drift]) -> _People:
    subs = [UUID(drift.sub) for drift in drifts]
    emails = {drift.email.casefold() for drift in drifts}
    people = Person.objects.alias(folded=Lower("email")).prefetch_related("memberships")
    return _People(
        {str(person.sub): person for person in people.filter(sub__in=subs)},
        {person.email: person for person in people.filter(folded__in=emails).exclude(email="")},
    )


def _is_a_members(drift: Drift, people: _People) -> bool:
    """By their sub, or because a worker is about to find them by their address."""
    owner = people.by_sub.get(drift.sub)
    if owner is not None and owner.memberships.all():
        return True
    person = people.by_email.get(drift.email.casefold())
    members = person.memberships.all() if person is not None else ()
    return any(is_in_hand(member, timezone.now()) or member.seen_enabled is None for member in members)


def _may_be_on_the_way(drift: Drift, people: _People, *, may_wait: bool) -> bool:
    """In or out. Not where a member has the address, and another user."""
    person = people.by_email.get(drift.email.casefold())
    return may_wait if person is None else not person.memberships.all()


def _signed_up(drifts: Sequence[Drift]) -> set[str]:
    """Their organisations, as the list of the pool had them."""
    orgs = {org for drift in drifts if (org := _uuid(drift.org))}
    return set(map(str, SignUp.objects.filter(org_id__in=orgs).values_list("org_id", flat=True)))


def _waits_for(user: Seen, *, hosted_sign_ups: bool) -> str:
    """ "" for a user who does not wait."""
    org = _uuid(user.org)
    if org is None:
        return _UNCONFIRMED if hosted_sign_ups and not user.org and user.status == "UNCONFIRMED" else ""
    if SignUp.objects.filter(org_id=org).exists():
        return _SIGNED_UP
    is_unnamed = hosted_sign_ups and user.role == Role.OWNER and not Tenant.objects.filter(org_id=org).exists()
    return _UNNAMED if is_unnamed else ""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
