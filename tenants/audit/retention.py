"""Shortening the audit trail: exports its oldest entries to a file, verifies the file, then deletes them.

The trail's beginning moves first, and the entries are deleted afterwards. A killed run is finished by the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.db.models import Max, Min

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.audit.chain import Point
from tenants.audit.files import Progress, atomic_file, write_lines
from tenants.audit.reading import EntryFilter, json_lines, trail_head
from tenants.audit.verification import verify_file
from tenants.audit.writing import HEADS_AT_ONCE
from tenants.domain.actor import Actor
from tenants.domain.errors import NotNow
from tenants.models import AuditEvent, AuditHead, AuditOrgHead

DELETED_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Prefix:
    """The entries after `start` and up to `through`."""

    start: Point
    through: Point

    def __len__(self) -> int:
        return self.through.seq - self.start.seq


def entries_older_than(moment: datetime) -> Prefix:
    """The entries up to the first one recorded at `moment` or later; of length 0 if there are none."""
    head = trail_head()
    start = Point(head.kept_after, head.kept_after_hash)
    kept = AuditEvent.objects.filter(seq__gt=start.seq)
    first = kept.filter(at__gte=moment).aggregate(first=Min("seq"))["first"]
    last = (kept.filter(seq__lt=first) if first else kept).order_by("-seq").values_list("seq", "hash").first()
    return Prefix(start, Point(*last) if last else start)


def export_path(prefix: Prefix, directory: Path) -> Path:
    """Named after the first entry, so that a second run finds the file of a killed one."""
    return directory / f"audit-{prefix.start.seq + 1:012}.jsonl"


def shorten(prefix: Prefix, export: Path, *, by: Actor, progress: Progress = lambda _: None) -> int:
    """Exports the prefix and deletes it. Returns how many entries were deleted, including those of an earlier run.

    Uses the file of an earlier run if it is good. Raises NotNow, with nothing deleted, if the file holds something
    else, if the trail is broken, or if another process has shortened it meanwhile.
    """
    if len(prefix):
        if not export.exists():
            with atomic_file(export) as file:
                write_lines(json_lines(EntryFilter(), through=prefix.through.seq), file, progress=progress)
        _move_beginning(prefix.start, _verified_end(export, prefix), export, by=by)
    return delete_exported(progress=progress)


def delete_exported(*, progress: Progress = lambda _: None) -> int:
    """Deletes the entries before the trail's beginning, batch by batch. Returns how many.

    They are in a file: the beginning moves only after one has been verified.
    """
    through, deleted = trail_head().kept_after, 0
    while True:
        exported = AuditEvent.objects.filter(seq__lte=through)
        first = exported.aggregate(first=Min("seq"))["first"]
        if first is None:
            return deleted
        batch = exported.filter(seq__lt=first + DELETED_AT_ONCE)
        # The only place that deletes entries. Triggers refuse it for entries after the beginning.
        deleted += batch._raw_delete(batch.db)
        progress(deleted)


def _verified_end(export: Path, prefix: Prefix) -> Point:
    """The last entry of the file, read back from the disk and compared with the trail."""
    verdict = verify_file(export)
    if verdict.flaw is not None:
        raise NotNow(f"{export} is not whole, so nothing was deleted. {verdict.flaw.message}")
    in_trail = AuditEvent.objects.filter(seq=verdict.head.seq, hash=verdict.head.hash).exists()
    if verdict.start != prefix.start or not in_trail or verdict.head.seq > prefix.through.seq:
        raise NotNow(f"{export} does not hold the entries to delete. Nothing was deleted; choose a new file.")
    return verdict.head


def _move_beginning(start: Point, through: Point, export: Path, *, by: Actor) -> None:
    with transaction.atomic():
        head = AuditHead.objects.select_for_update().get(pk=1)
        if head.kept_after != start.seq:
            raise NotNow("Another process has just shortened the audit trail. Run the command again.")
        AuditHead.objects.filter(pk=1).update(kept_after=through.seq, kept_after_hash=through.hash)
        _move_beginnings_of_orgs(start, through)
        record(
            Action.AUDIT_SHORTENED,
            by=by,
            target=export.name,
            before={"through": str(start)},
            after={"through": str(through), "entries": through.seq - start.seq},
        )


def _move_beginnings_of_orgs(start: Point, through: Point) -> None:
    """The chain of each organisation begins after its last entry in the file. Expects the lock on the trail's head."""
    exported = AuditEvent.objects.filter(seq__gt=start.seq, seq__lte=through.seq, org__isnull=False)
    last_of_each = exported.order_by().values("org").annotate(last=Max("seq")).values("last")
    last = {event.org: event for event in AuditEvent.objects.filter(seq__in=last_of_each)}
    heads = list(AuditOrgHead.objects.filter(org__in=exported.order_by().values("org")))
    for head in heads:
        head.kept_after, head.kept_after_hash = last[head.org].org_seq or 0, last[head.org].org_hash
    AuditOrgHead.objects.bulk_update(heads, ["kept_after", "kept_after_hash"], batch_size=HEADS_AT_ONCE)
