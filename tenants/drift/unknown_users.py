"""Users whom no member was found for, looked at once more.

Some were on their way in or out while the pool was read, and some belong to a member whose difference is listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models.functions import Lower
from django.utils import timezone

from tenants.drift.comparison import is_in_hand
from tenants.drift.paced_pool import PacedPool
from tenants.models import Drift, Person


def known_after_all(drifts: Sequence[Drift], pool: PacedPool) -> list[int]:
    """Which of the differences, by primary key, are none. Raises what the pool does."""
    people = _people_of(drifts)
    return [drift.pk for drift in drifts if _is_known_after_all(drift, people, pool)]


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


def _is_known_after_all(drift: Drift, people: _People, pool: PacedPool) -> bool:
    owner = people.by_sub.get(drift.sub)
    if owner is not None and owner.memberships.all():
        return True
    if (person := people.by_email.get(drift.email.casefold())) is None:
        return False
    member = next(iter(person.memberships.all()), None)
    if member is None:
        return pool.look(drift.sub) is None
    return is_in_hand(member, timezone.now()) or member.seen_enabled is None
