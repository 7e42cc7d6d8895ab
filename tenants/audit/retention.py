"""Shortening the audit trail: its oldest entries go into a file, and from the database once that file proved whole.

What the trail begins after is moved first and the entries are deleted then; killed anywhere, it is simply run again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.db.models import Min

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.audit.chain import Point
from tenants.audit.files import Progress, appearing_whole, write_lines
from tenants.audit.reading import EntryFilter, lines, trail_head, verify_file
from tenants.domain.actor import Actor
from tenants.domain.errors import NotNow
from tenants.models import AuditEvent, AuditHead

DELETED_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Prefix:
    """The entries after `start` and up to `through`."""

    start: Point
    through: Point

    def __len__(self) -> int:
        return self.through.seq - self.start.seq


def older_than(moment: datetime) -> Prefix:
    """What was recorded before, up to the first entry that was not; of length 0 if there is none."""
    head = trail_head()
    start = Point(head.kept_after, head.kept_after_hash)
    kept = AuditEvent.objects.filter(seq__gt=start.seq)
    first = kept.filter(at__gte=moment).aggregate(first=Min("seq"))["first"]
    last = (kept.filter(seq__lt=first) if first else kept).order_by("-seq").values_list("seq", "hash").first()
    return Prefix(start, Point(*last) if last else start)


def file_for(prefix: Prefix, directory: Path) -> Path:
    """Named for where it begins, so that whoever runs it again after it was killed finds the same one."""
    return directory / f"audit-{prefix.start.seq + 1:012}.jsonl"


def shorten(prefix: Prefix, export: Path, *, by: Actor, progress: Progress = lambda _: None) -> int:
    """Exports the prefix and deletes it. How many entries went, those of an earlier attempt among them.

    A file that an earlier attempt has written already is checked and used. Raises NotNow, with nothing deleted, for one
    that is something else, for a broken trail, and where somebody else shortened it meanwhile.
    """
    if len(prefix):
        if not export.exists():
            with appearing_whole(export) as file:
                write_lines(lines(EntryFilter(), through=prefix.through.seq), file, progress=progress)
        _move_beginning(prefix.start, _checked(export, prefix), export, by=by)
    return remove_passed(progress=progress)


def remove_passed(*, progress: Progress = lambda _: None) -> int:
    """Deletes what the trail's beginning has passed, batch by batch: it is in a file by then. How many it was."""
    through, removed = trail_head().kept_after, 0
    while True:
        passed = AuditEvent.objects.filter(seq__lte=through)
        first = passed.aggregate(first=Min("seq"))["first"]
        if first is None:
            return removed
        batch = passed.filter(seq__lt=first + DELETED_AT_ONCE)
        # The one place that deletes entries. Triggers let only those go that the head has passed.
        removed += batch._raw_delete(batch.db)
        progress(removed)


def _checked(export: Path, prefix: Prefix) -> Point:
    """Where the file ends, read back from the disk and found to be the trail's own beginning."""
    found = verify_file(export)
    if found.flaw is not None:
        raise NotNow(f"{export} is not whole, so nothing was deleted. {found.flaw.says}")
    same = AuditEvent.objects.filter(seq=found.head.seq, hash=found.head.hash).exists()
    if found.start != prefix.start or not same or found.head.seq > prefix.through.seq:
        raise NotNow(
            f"{export} holds something else than the entries to delete. Choose a file that does not exist yet."
        )
    return found.head


def _move_beginning(start: Point, through: Point, export: Path, *, by: Actor) -> None:
    with transaction.atomic():
        head = AuditHead.objects.select_for_update().get(pk=1)
        if head.kept_after != start.seq:
            raise NotNow("Somebody else has just shortened the audit trail. Run the command again.")
        AuditHead.objects.filter(pk=1).update(kept_after=through.seq, kept_after_hash=through.hash)
        record(
            Action.AUDIT_SHORTENED,
            by=by,
            target=export.name,
            before={"through": str(start)},
            after={"through": str(through), "entries": through.seq - start.seq},
        )
