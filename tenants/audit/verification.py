"""Verifying the audit trail: that no entry was changed, dropped, added or moved, in the database or in an export.

The whole trail is one chain, and the entries of each organisation are another. The chain of an organisation can be
verified without the entries of others; its points have the numbers of `org_seq`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.db.models import QuerySet

from tenants.audit.actions import Action
from tenants.audit.chain import BEGINNING, ChainCheck, Flaw, Point
from tenants.audit.files import Progress
from tenants.audit.linked import LinkedEntry, lines_of, linked
from tenants.audit.org_chains import OrgChains, all_org_heads, start_of
from tenants.audit.reading import UnreadableEntry, events_in_order, org_head, trail_head
from tenants.domain.errors import NotNow
from tenants.models import AuditEvent, AuditHead, AuditOrgHead


@dataclass(frozen=True, slots=True)
class Verdict:
    """The entries after `start` and up to `head` are whole: `entries` of them. `flaw` follows; None means no flaw."""

    start: Point
    head: Point
    entries: int
    flaw: Flaw | None


def verify(*, org: UUID | None = None, anchor: Point | None = None, progress: Progress = lambda _: None) -> Verdict:
    """Checks the whole trail in the database, or the chain of one organisation.

    `anchor` is an earlier head that the chain has to contain. Raises NotNow if retention has moved it into a file.
    """
    while True:
        kept_after = trail_head().kept_after
        verdict = _verify_org(org, anchor, progress) if org else _verify_all(anchor, progress)
        # Retention may have run at the same time, which looks like a gap.
        if verdict.flaw is None or trail_head().kept_after == kept_after:
            return verdict


def verify_part(org: UUID, *, most: int, through: Point | None = None, anchor: Point | None = None) -> Verdict:
    """Checks the newest `most` entries of an organisation's chain, or as many that end with `through`.

    `start` of the result is where the part before it ends, or where the chain begins. An anchor outside of the part is
    not looked for; raises NotNow if retention has moved it into a file.
    """
    while True:
        kept_after = trail_head().kept_after
        verdict = _verify_part(org, most, through, anchor)
        # As above.
        if verdict.flaw is None or trail_head().kept_after == kept_after:
            return verdict


def verify_file(
    path: Path, *, org: UUID | None = None, anchor: Point | None = None, progress: Progress = lambda _: None
) -> Verdict:
    """Checks an export, which may begin later than the trail. With `org`, only that organisation's lines are read.

    Raises OSError, and NotNow as `verify` does.
    """
    check, flaw = ChainCheck(BEGINNING, anchor), None
    add = _adds_to_org(check) if org else _adds_to_both(check, OrgChains(None))
    start = check.at
    try:
        for entry in _lines(path, org):
            first = entry.in_org if org else entry.in_trail
            if not check.entries and first.seq > 1:
                start = check.at = Point(first.seq - 1, first.previous_hash)
                _check_reachable(anchor, start)
            flaw = add(entry)
            if flaw is not None:
                break
            progress(check.entries)
    except UnreadableEntry as error:
        flaw = _flaw_of_unreadable(error)
    return Verdict(start, check.at, check.entries, flaw or check.finish(check.at))


def _verify_all(anchor: Point | None, progress: Progress) -> Verdict:
    # Heads that are read before the entries are never ahead of them.
    head, org_chains = trail_head(), OrgChains(all_org_heads())
    start = Point(head.kept_after, head.kept_after_hash)
    check = _check_from(start, anchor)
    walk = _Walk(AuditEvent.objects.all(), trail_head, check, _adds_to_both(check, org_chains), progress, start.seq)
    flaw = walk.flaw() or org_chains.finish(all_org_heads(), last=check.at.seq) or _flaw_of_retention(start)
    return Verdict(start, check.at, check.entries, flaw)


def _verify_org(org: UUID, anchor: Point | None, progress: Progress) -> Verdict:
    start, after = start_of(org_head(org)), trail_head().kept_after
    check = _check_from(start, anchor)
    events = AuditEvent.objects.filter(org=org)
    flaw = _Walk(events, lambda: org_head(org), check, _adds_to_org(check), progress, after).flaw()
    return Verdict(start, check.at, check.entries, flaw)


def _verify_part(org: UUID, most: int, through: Point | None, anchor: Point | None) -> Verdict:
    start, after = start_of(org_head(org)), trail_head().kept_after
    _check_reachable(anchor, start)
    events = AuditEvent.objects.filter(org=org)
    end = AuditOrgHead(org=org, seq=through.seq, hash=through.hash) if through else None
    if through is not None:
        events = events.filter(org_seq__lte=through.seq)
    before = events.order_by("-org_seq").values_list("seq", "org_seq", "org_hash")[most : most + 1]
    for seq, org_seq, org_hash in before:
        start, after = Point(org_seq or 0, org_hash), seq
    is_here = anchor and start.seq < anchor.seq and (through is None or anchor.seq <= through.seq)
    check = ChainCheck(start, anchor if is_here else None)
    flaw = _Walk(events, lambda: end or org_head(org), check, _adds_to_org(check), lambda _: None, after).flaw()
    return Verdict(start, check.at, check.entries, flaw)


def _check_from(start: Point, anchor: Point | None) -> ChainCheck:
    _check_reachable(anchor, start)
    return ChainCheck(start, None if anchor == start else anchor)


Adds = Callable[[LinkedEntry], Flaw | None]


def _adds_to_both(check: ChainCheck, org_chains: OrgChains) -> Adds:
    return lambda entry: check.add(entry.in_trail) or org_chains.add(entry)


def _adds_to_org(check: ChainCheck) -> Adds:
    return lambda entry: entry.flaw_of_content() or check.add(entry.in_org)


@dataclass(slots=True)
class _Walk:
    """Goes through the entries in the database up to the chain's head. `after` is the number of the last one read."""

    events: QuerySet[AuditEvent]
    head: Callable[[], AuditHead | AuditOrgHead]
    check: ChainCheck
    add: Adds
    progress: Progress
    after: int

    def flaw(self) -> Flaw | None:
        flaw, head = self._flaw_of_new_entries(), self.head()
        # Others go on writing. Entries and head are written together, so a head read after its entries is never behind.
        while flaw is None and head.seq > self.check.at.seq:
            reached = self.check.at.seq
            flaw = self._flaw_of_new_entries()
            if self.check.at.seq == reached:
                break
            head = self.head()
        return flaw or self.check.finish(Point(head.seq, head.hash))

    def _flaw_of_new_entries(self) -> Flaw | None:
        try:
            for event in events_in_order(self.events, after=self.after):
                flaw = self.add(linked(event))
                if flaw is not None:
                    return flaw
                self.after = event.seq
                self.progress(self.check.entries)
        except UnreadableEntry as error:
            return _flaw_of_unreadable(error)
        return None


def _lines(path: Path, org: UUID | None) -> Iterator[LinkedEntry]:
    return (entry for entry in lines_of(path) if org is None or entry.org == org)


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


def _check_reachable(anchor: Point | None, start: Point) -> None:
    if anchor is None or anchor.seq > start.seq or anchor == start:
        return
    if anchor.seq == start.seq:
        raise NotNow(f"This begins after entry {anchor.seq}, whose hash differs from the anchor’s.")
    raise NotNow(f"This begins after entry {start.seq}, so entry {anchor.seq} is not in it. Verify an earlier export.")
