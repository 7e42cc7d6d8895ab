"""What happened to one tenant, from the audit trail: in sentences, day by day, the newest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import groupby
from uuid import UUID

from django.db.models import QuerySet

from tenants.audit.actions import Action
from tenants.audit.reading import trail_head
from tenants.audit.sentences import Part, Told, sentence
from tenants.models import AuditEvent

_BAD = {
    Action.TENANT_REFUSED,
    Action.MEMBER_REFUSED,
    Action.MEMBER_STUCK,
    Action.MEMBER_CONFLICT,
    Action.SIGN_IN_FAILED,
    Action.REFUSED,
    Action.RECONCILIATION_STOPPED,
}
_GRAVE = {
    Action.TENANT_SUSPENDED,
    Action.TENANT_SIGNED_OUT,
    Action.TENANT_DENIED,
    Action.TENANT_CLOSING,
    Action.TENANT_PURGED,
    Action.TENANT_CLOSED,
}
_GOOD = {Action.TENANT_ACTIVATED, Action.TENANT_REACTIVATED, Action.TENANT_REOPENED}


class About(StrEnum):
    """What can be picked out of a timeline."""

    TENANT = "tenant"
    MEMBERS = "members"
    PEOPLE = "people"


_BEGINS = {About.TENANT: ("tenant.",), About.MEMBERS: ("member.", "drift."), About.PEOPLE: ("person.",)}


@dataclass(frozen=True, slots=True)
class Moment:
    """`mood` is good, warn, bad or "". `seq` is the entry's number in the audit trail."""

    seq: int
    at: datetime
    action: str
    said: tuple[Part, ...]
    why: str
    mood: str


@dataclass(frozen=True, slots=True)
class Day:
    """In UTC."""

    day: date
    moments: tuple[Moment, ...]


def entries_of(org_id: UUID) -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(org=org_id)


def about(entries: QuerySet[AuditEvent], what: str) -> QuerySet[AuditEvent]:
    """`what` is one of About."""
    begins = _BEGINS[About(what)]
    return entries.filter(action__in=[action for action in Action if action.startswith(begins)])


def by_day(entries: Iterable[AuditEvent]) -> tuple[Day, ...]:
    """In the order in which they are given."""
    return tuple(
        Day(day, tuple(map(moment, of_the_day))) for day, of_the_day in groupby(entries, lambda entry: entry.at.date())
    )


def moment(entry: AuditEvent) -> Moment:
    return Moment(entry.seq, entry.at, entry.action, said(entry), entry.why, _mood(entry.action))


def said(entry: AuditEvent) -> tuple[Part, ...]:
    """The entry as a sentence."""
    return sentence(
        Told(entry.action, entry.actor, entry.actor_name, entry.target, dict(entry.before), dict(entry.after))
    )


def was_shortened() -> bool:
    """Whether retention has moved older entries into files, so that a timeline may begin later than its tenant did."""
    return trail_head().kept_after > 0


def _mood(action: str) -> str:
    return "bad" if action in _BAD else "warn" if action in _GRAVE else "good" if action in _GOOD else ""
