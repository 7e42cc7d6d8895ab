"""Reading the audit trail in order, and exporting it as JSON Lines that can be verified anywhere else.

Entries are read in batches by their number: memory stays flat, and writers are not blocked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.db import DataError
from django.db.models import QuerySet

from tenants.audit.actions import Action
from tenants.audit.chain import BEGINNING, canonical
from tenants.audit.files import Progress, atomic_file, write_lines
from tenants.audit.writing import record
from tenants.domain.actor import Actor
from tenants.domain.errors import InvalidInput
from tenants.models import AuditEvent, AuditHead, AuditOrgHead

BATCH = 2_000
# Members of a line that `hash` does not cover. The platform's own entries have the first two only.
LINKS = ("previous_hash", "hash")
ORG_LINKS = ("org_seq", "org_previous_hash", "org_hash")
_EMPTY = {"hash": BEGINNING.hash, "kept_after_hash": BEGINNING.hash}
# Django and the database drivers raise these for a stored value that Python cannot hold.
_UNREADABLE = (ValueError, TypeError, AttributeError, RecursionError, DataError)


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries: `since` is inclusive, `until` exclusive. None means no limit."""

    org: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    def apply(self, events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        limits = {"org": self.org, "at__gte": self.since, "at__lt": self.until}
        return events.filter(**{name: value for name, value in limits.items() if value is not None})

    @property
    def period(self) -> dict[str, object]:
        return {"since": self.since, "until": self.until}


class UnreadableEntry(Exception):
    """An entry that cannot be parsed. `seq` is its number, or the number of its line in a file."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(why)
        self.seq = seq
        self.why = why


def trail_head() -> AuditHead:
    """The head as it is now, not locked; the head of an empty trail if nothing was ever recorded."""
    return AuditHead.objects.filter(pk=1).first() or AuditHead(**_EMPTY)


def org_head(org: UUID) -> AuditOrgHead:
    """The same for the entries of one organisation."""
    return AuditOrgHead.objects.filter(pk=org).first() or AuditOrgHead(org=org, **_EMPTY)


def export_to_file(entry_filter: EntryFilter, path: Path, *, by: Actor, progress: Progress = lambda _: None) -> int:
    """Writes the current entries and returns their number. The file appears once it is complete and recorded.

    Raises InvalidInput for a file that exists already, OSError for one that cannot be written.
    """
    if path.exists():
        raise InvalidInput(f"{path} exists already. Choose another name.", field="output")
    with atomic_file(path) as file:
        entries, digest = write_lines(json_lines(entry_filter), file, progress=progress)
        after = {**entry_filter.period, "entries": entries, "sha256": digest}
        record(Action.AUDIT_EXPORTED, by=by, org=entry_filter.org, target=path.name, after=after)
    return entries


def export_lines(entry_filter: EntryFilter, *, by: Actor) -> Iterator[bytes]:
    """The same for a pipe. Recorded before the first line, since lines cannot be taken back."""
    through = trail_head().seq
    record(Action.AUDIT_EXPORTED, by=by, org=entry_filter.org, target="-", after=entry_filter.period)
    return json_lines(entry_filter, through=through)


def json_lines(entry_filter: EntryFilter, *, through: int | None = None) -> Iterator[bytes]:
    """One line an entry: what its hash covers, `previous_hash` and `hash`, and its place in its organisation's chain.

    `through` is the number of the last entry; None for the present head. Leaves out what retention has exported.
    """
    head = trail_head()
    events = entry_filter.apply(AuditEvent.objects.filter(seq__lte=head.seq if through is None else through))
    for event in events_in_order(events, after=head.kept_after):
        yield canonical(event.content() | {name: getattr(event, name) for name in links_of(event)}) + b"\n"


def links_of(event: AuditEvent) -> tuple[str, ...]:
    return LINKS + ORG_LINKS if event.org else LINKS


def events_in_order(events: QuerySet[AuditEvent], *, after: int) -> Iterator[AuditEvent]:
    """By number, beginning behind `after`. Raises UnreadableEntry."""
    while batch := _batch(events.filter(seq__gt=after).order_by("seq")[:BATCH]):
        yield from batch
        after = batch[-1].seq


def _batch(events: QuerySet[AuditEvent]) -> list[AuditEvent]:
    try:
        return list(events)
    except _UNREADABLE:
        return _readable_part(list(events.values_list("seq", flat=True)))


def _readable_part(numbers: list[int]) -> list[AuditEvent]:
    """The entries before the first one that cannot be read. Raises UnreadableEntry if that is the very first."""
    readable: list[AuditEvent] = []
    for seq in numbers:
        try:
            readable.append(AuditEvent.objects.get(seq=seq))
        except _UNREADABLE as error:
            if readable:
                # They may contain an earlier flaw. The next batch begins with the unreadable one.
                return readable
            raise UnreadableEntry(seq, "its values in the database cannot be read") from error
    return readable
