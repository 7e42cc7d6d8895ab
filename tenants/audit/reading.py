"""Reading the audit trail in order: whether it is whole, and as JSON Lines that can be verified anywhere else.

Entries are read in batches by their number, so that memory stays flat and nobody who writes is held up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import DataError
from django.db.models import QuerySet

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.audit.chain import BEGINNING, Entry, Flaw, Point, Walk, canonical
from tenants.audit.files import Progress, appearing_whole, write_lines
from tenants.domain.actor import Actor
from tenants.domain.errors import InvalidInput, NotNow
from tenants.models import AuditEvent, AuditHead

BATCH = 2_000
# What Django and the databases' drivers raise over values that Python has none for.
_NOT_READABLE = (ValueError, TypeError, AttributeError, DataError)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`entries` were whole, after `start` and up to `head`; what comes behind is `flaw`, None for nothing wrong."""

    start: Point
    head: Point
    entries: int
    flaw: Flaw | None


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries: `since` is the first moment, `until` the first one no more; None for all."""

    org: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    def of(self, events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        asked = {"org": self.org, "at__gte": self.since, "at__lt": self.until}
        return events.filter(**{name: value for name, value in asked.items() if value is not None})


class _Unreadable(Exception):
    """An entry is not even in the form of one."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(why)
        self.flaw = Flaw(seq, "changed", f"Entry {seq} was changed: {why}.")


def verify(*, noted: Point | None = None, progress: Progress = lambda _: None) -> Verdict:
    """Follows the whole trail in the database. Raises NotNow where `noted` was passed by retention."""
    while True:
        head = trail_head()
        start = Point(head.kept_after, head.kept_after_hash)
        _check_can_be_found(noted, start)
        verdict = _verified(start, noted, progress)
        # Somebody may have shortened the trail meanwhile, which looks like a gap.
        if verdict.flaw is None or trail_head().kept_after == start.seq:
            return verdict


def verify_file(path: Path, *, noted: Point | None = None, progress: Progress = lambda _: None) -> Verdict:
    """Follows an export, which may begin later than the trail did. Raises OSError, and NotNow as `verify` does."""
    walk, flaw = Walk(BEGINNING, noted), None
    start = walk.at
    try:
        for entry in _entries_of(path):
            if not walk.entries and entry.seq > 1:
                start = walk.at = Point(entry.seq - 1, entry.previous_hash)
                _check_can_be_found(noted, start)
            flaw = walk.step(entry)
            if flaw is not None:
                break
            progress(walk.entries)
    except _Unreadable as error:
        flaw = error.flaw
    return Verdict(start, walk.at, walk.entries, flaw or walk.end(walk.at))


def trail_head() -> AuditHead:
    """The head as it is now, not locked; that of an empty trail where nothing was ever recorded."""
    empty = AuditHead(hash=BEGINNING.hash, kept_after_hash=BEGINNING.hash)
    return AuditHead.objects.filter(pk=1).first() or empty


def export_to_file(wanted: EntryFilter, path: Path, *, by: Actor, progress: Progress = lambda _: None) -> int:
    """Writes the entries there are now; the file appears once it is whole and its export recorded. How many it holds.

    Raises InvalidInput for a file that exists already, OSError for one that cannot be written.
    """
    if path.exists():
        raise InvalidInput(f"{path} exists already. Choose another name.", field="output")
    with appearing_whole(path) as file:
        entries, digest = write_lines(lines(wanted), file, progress=progress)
        done = {"entries": entries, "sha256": digest}
        record(Action.AUDIT_EXPORTED, by=by, org=wanted.org, target=path.name, after=_shown(wanted) | done)
    return entries


def export_lines(wanted: EntryFilter, *, by: Actor) -> Iterator[bytes]:
    """The same for a pipe: recorded first, since nobody can take back what has been read."""
    through = trail_head().seq
    record(Action.AUDIT_EXPORTED, by=by, org=wanted.org, target="-", after=_shown(wanted))
    return lines(wanted, through=through)


def lines(wanted: EntryFilter, *, through: int | None = None) -> Iterator[bytes]:
    """Each entry as a line: what its hash covers, `previous_hash` and `hash`. Without those that retention passed."""
    head = trail_head()
    events = wanted.of(AuditEvent.objects.filter(seq__lte=head.seq if through is None else through))
    for event in _in_order(events, after=head.kept_after):
        yield canonical(event.content() | {"previous_hash": event.previous_hash, "hash": event.hash}) + b"\n"


def _verified(start: Point, noted: Point | None, progress: Progress) -> Verdict:
    walk = Walk(start, noted)
    if noted == start:
        walk.noted = None
    flaw = _follow(walk, progress)
    head = trail_head()
    # Others go on writing. Entries and head are written together, so a head read after its entries is never behind.
    while flaw is None and head.seq > walk.at.seq:
        came_to = walk.at.seq
        flaw = _follow(walk, progress)
        if walk.at.seq == came_to:
            break
        head = trail_head()
    flaw = flaw or walk.end(Point(head.seq, head.hash)) or _flaw_of_retention(start)
    return Verdict(start, walk.at, walk.entries, flaw)


def _follow(walk: Walk, progress: Progress) -> Flaw | None:
    try:
        for event in _in_order(AuditEvent.objects.all(), after=walk.at.seq):
            flaw = walk.step(Entry(event.seq, event.content(), event.previous_hash, event.hash))
            if flaw is not None:
                return flaw
            progress(walk.entries)
    except _Unreadable as error:
        return error.flaw
    return None


def _flaw_of_retention(start: Point) -> Flaw | None:
    """Whoever moves the beginning by hand to hide what was before has no entry that says so."""
    if not start.seq:
        found = AuditEvent.objects.filter(seq__lt=1).exists()
        return Flaw(0, "added", "There are entries before the first one.") if found else None
    shortened = AuditEvent.objects.filter(action=Action.AUDIT_SHORTENED, seq__gt=start.seq).order_by("-seq").first()
    if shortened is None or shortened.after.get("through") != str(start):
        says = f"The trail begins after entry {start.seq}, but no entry of it says that it was shortened to there."
        return Flaw(start.seq, "missing", says)
    return None


def _in_order(events: QuerySet[AuditEvent], *, after: int) -> Iterator[AuditEvent]:
    while batch := _batch(events.filter(seq__gt=after).order_by("seq")[:BATCH]):
        yield from batch
        after = batch[-1].seq


def _batch(events: QuerySet[AuditEvent]) -> list[AuditEvent]:
    """Raises _Unreadable for the first entry that the database's values cannot be read of."""
    try:
        return list(events)
    except _NOT_READABLE:
        numbers = list(events.values_list("seq", flat=True))
    readable: list[AuditEvent] = []
    for seq in numbers:
        try:
            readable.append(AuditEvent.objects.get(seq=seq))
        except _NOT_READABLE as error:
            if readable:
                # They may hold a flaw that comes earlier; this one is met again in the next batch.
                return readable
            raise _Unreadable(seq, "what the database holds of it cannot be read") from error
    return readable


def _entries_of(path: Path) -> Iterator[Entry]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                content = json.loads(line, object_pairs_hook=_without_repetition)
                previous_hash, own_hash = content.pop("previous_hash"), content.pop("hash")
                entry = Entry(int(content["seq"]), content, str(previous_hash), str(own_hash))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise _Unreadable(number, f"line {number} of the file is not an entry") from error
            yield entry


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values by one name readers take different ones."""
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a name stands there twice")
    return content


def _check_can_be_found(noted: Point | None, start: Point) -> None:
    if noted is None or noted.seq > start.seq or noted == start:
        return
    if noted.seq == start.seq:
        raise NotNow(f"Entry {noted.seq} is where this begins, and it has another hash than the one that was noted.")
    raise NotNow(f"Entry {noted.seq} is from before this begins, after entry {start.seq}. Look in the export of then.")


def _shown(wanted: EntryFilter) -> dict[str, object]:
    return {"since": wanted.since, "until": wanted.until}
