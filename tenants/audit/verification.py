"""Verifying the audit trail: that no entry was changed, dropped, added or moved, in the database or in an export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenants.audit.actions import Action
from tenants.audit.chain import BEGINNING, ChainCheck, Entry, Flaw, Point
from tenants.audit.files import Progress
from tenants.audit.reading import UnreadableEntry, events_in_order, trail_head
from tenants.domain.errors import NotNow
from tenants.models import AuditEvent


@dataclass(frozen=True, slots=True)
class Verdict:
    """The entries after `start` and up to `head` are whole: `entries` of them. `flaw` follows; None means no flaw."""

    start: Point
    head: Point
    entries: int
    flaw: Flaw | None


def verify(*, anchor: Point | None = None, progress: Progress = lambda _: None) -> Verdict:
    """Checks the whole trail in the database. `anchor` is an earlier head that the trail has to contain.

    Raises NotNow if retention has moved the anchor into a file.
    """
    while True:
        head = trail_head()
        start = Point(head.kept_after, head.kept_after_hash)
        _check_reachable(anchor, start)
        verdict = _verify_from(start, anchor, progress)
        # Retention may have run at the same time, which looks like a gap.
        if verdict.flaw is None or trail_head().kept_after == start.seq:
            return verdict


def verify_file(path: Path, *, anchor: Point | None = None, progress: Progress = lambda _: None) -> Verdict:
    """Checks an export, which may begin later than the trail. Raises OSError, and NotNow as `verify` does."""
    check, flaw = ChainCheck(BEGINNING, anchor), None
    start = check.at
    try:
        for entry in _entries_in(path):
            if not check.entries and entry.seq > 1:
                start = check.at = Point(entry.seq - 1, entry.previous_hash)
                _check_reachable(anchor, start)
            flaw = check.add(entry)
            if flaw is not None:
                break
            progress(check.entries)
    except UnreadableEntry as error:
        flaw = _flaw_of_unreadable(error)
    return Verdict(start, check.at, check.entries, flaw or check.finish(check.at))


def _verify_from(start: Point, anchor: Point | None, progress: Progress) -> Verdict:
    check = ChainCheck(start, None if anchor == start else anchor)
    flaw = _check_new_entries(check, progress)
    head = trail_head()
    # Others go on writing. Entries and head are written together, so a head read after its entries is never behind.
    while flaw is None and head.seq > check.at.seq:
        reached = check.at.seq
        flaw = _check_new_entries(check, progress)
        if check.at.seq == reached:
            break
        head = trail_head()
    flaw = flaw or check.finish(Point(head.seq, head.hash)) or _flaw_of_retention(start)
    return Verdict(start, check.at, check.entries, flaw)


def _check_new_entries(check: ChainCheck, progress: Progress) -> Flaw | None:
    try:
        for event in events_in_order(AuditEvent.objects.all(), after=check.at.seq):
            flaw = check.add(Entry(event.seq, event.content(), event.previous_hash, event.hash))
            if flaw is not None:
                return flaw
            progress(check.entries)
    except UnreadableEntry as error:
        return _flaw_of_unreadable(error)
    return None


def _flaw_of_unreadable(error: UnreadableEntry) -> Flaw:
    return Flaw(error.seq, "changed", f"Entry {error.seq} was changed: {error.why}.")


def _flaw_of_retention(start: Point) -> Flaw | None:
    """Finds a beginning that was moved by hand: no entry of retention names it."""
    if not start.seq:
        earlier = AuditEvent.objects.filter(seq__lt=1).exists()
        return Flaw(0, "added", "There are entries before the first one.") if earlier else None
    shortened = AuditEvent.objects.filter(action=Action.AUDIT_SHORTENED, seq__gt=start.seq).order_by("-seq").first()
    if shortened is None or shortened.after.get("through") != str(start):
        message = f"The trail begins after entry {start.seq}, but no entry says that it was shortened to there."
        return Flaw(start.seq, "missing", message)
    return None


def _entries_in(path: Path) -> Iterator[Entry]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                content = json.loads(line, object_pairs_hook=_without_duplicates)
                previous_hash, own_hash = content.pop("previous_hash"), content.pop("hash")
                entry = Entry(int(content["seq"]), content, str(previous_hash), str(own_hash))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise UnreadableEntry(number, f"line {number} of the file is not an entry") from error
            yield entry


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises ValueError for a key that occurs twice: readers disagree about which of the values counts."""
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key occurs twice")
    return content


def _check_reachable(anchor: Point | None, start: Point) -> None:
    if anchor is None or anchor.seq > start.seq or anchor == start:
        return
    if anchor.seq == start.seq:
        raise NotNow(f"This begins after entry {anchor.seq}, whose hash differs from the anchor’s.")
    raise NotNow(f"This begins after entry {start.seq}, so entry {anchor.seq} is not in it. Verify an earlier export.")
