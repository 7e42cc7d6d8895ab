"""What happened to one tenant, from the audit trail: sentences, grouped by day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import groupby
from uuid import UUID

from django.db.models import QuerySet
from django.utils.timezone import get_current_timezone, localtime

from tenants.audit.actions import Action
from tenants.audit.reading import trail_head
from tenants.audit.sentences import EntryFacts, SentencePart, sentence
from tenants.models import AuditEvent

_BAD = {
    Action.TENANT_REFUSED,
    Action.MEMBER_REFUSED,
    Action.MEMBER_STUCK,
    Action.MEMBER_CONFLICT,
    Action.SIGN_IN_FAILED,
    Action.REFUSED,
    Action.KEY_REFUSED,
    Action.PATH_REFUSED,
    Action.REFUSED_TOO_OFTEN,
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


class Subject(StrEnum):
    """What the entries of a timeline can be filtered by."""

    TENANT = "tenant"
    MEMBERS = "members"
    PEOPLE = "people"


_PREFIXES = {Subject.TENANT: ("tenant.",), Subject.MEMBERS: ("member.", "drift."), Subject.PEOPLE: ("person.",)}


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """`mood` is good, warn, bad or "". `seq` is the entry's number in the audit trail."""

    seq: int
    at: datetime
    action: str
    sentence: tuple[SentencePart, ...]
    why: str
    mood: str


@dataclass(frozen=True, slots=True)
class Day:
    """A day in the reader’s time zone, with its entries."""

    day: date
    entries: tuple[TimelineEntry, ...]


def entries_of(org_id: UUID) -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(org=org_id)


def filter_by_subject(entries: QuerySet[AuditEvent], subject: str) -> QuerySet[AuditEvent]:
    """`subject` is the value of a Subject; raises ValueError for any other."""
    prefixes = _PREFIXES[Subject(subject)]
    return entries.filter(action__in=[action for action in Action if action.startswith(prefixes)])


def group_by_day(entries: Iterable[AuditEvent]) -> tuple[Day, ...]:
    """Keeps the order of the entries. Expects those of one day to be neighbours."""
    return by_day(map(timeline_entry, entries))


def by_day(entries: Iterable[TimelineEntry]) -> tuple[Day, ...]:
    """The same with entries that have their sentences."""
    days = groupby(entries, lambda entry: localtime(entry.at).date())
    return tuple(Day(day, tuple(of_the_day)) for day, of_the_day in days)


def timeline_entry(entry: AuditEvent) -> TimelineEntry:
    return TimelineEntry(entry.seq, entry.at, entry.action, entry_sentence(entry), entry.why, mood_of(entry.action))


def entry_sentence(entry: AuditEvent) -> tuple[SentencePart, ...]:
    """Points in time are in the reader's zone."""
    return sentence(
        EntryFacts(
            entry.action, entry.actor, entry.actor_name, entry.target, dict(entry.before), dict(entry.after),
            zone=get_current_timezone(),
        )
    )  # fmt: skip


def was_shortened() -> bool:
    """Whether retention has moved entries into files. A timeline may then begin later than its tenant."""
    return trail_head().kept_after > 0


def mood_of(action: str) -> str:
    return "bad" if action in _BAD else "warn" if action in _GRAVE else "good" if action in _GOOD else ""
