"""Verifying an organisation's own chain on a page: a bounded part at a time, the newest first, within limits."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenants.audit.chain import Point
from tenants.audit.reading import org_head
from tenants.audit.timeline import entries_of
from tenants.audit.verification import Verdict, verify_part
from tenants.domain.errors import InvalidInput, NotNow
from tenants.limits import is_within

_log = logging.getLogger(__name__)
# Some two seconds of processor time.
MOST_VERIFIED = 20_000
MOST_A_MINUTE = 10


@dataclass(frozen=True, slots=True)
class OwnVerdict:
    """`first` and `last` are the times of the verified entries, None where there are none.

    `kept` is the head that somebody kept, if it is in this part, and `earlier` where the part before this one ends;
    None if the chain begins here.
    """

    verdict: Verdict
    first: datetime | None
    last: datetime | None
    kept: Point | None
    earlier: Point | None


def verify_own(org: UUID, *, through: Point | None = None, kept: Point | None = None) -> OwnVerdict:
    """Logs a broken chain as an error. Raises InvalidInput for a `through` that is not of the chain, and NotNow."""
    if not is_within(MOST_A_MINUTE, f"verify the trail of {org}"):
        raise NotNow("Your organisation’s trail was verified often in this minute. Wait a minute and try again.")
    if through is not None and not entries_of(org).filter(org_seq=through.seq, org_hash=through.hash).exists():
        raise InvalidInput("This part is not of your organisation’s trail. Verify it from its end again.")
    verdict = verify_part(org, most=MOST_VERIFIED, through=through, anchor=kept)
    if verdict.flaw is not None:
        _log_broken(org, verdict, kept)
    start, end = verdict.start.seq, verdict.head.seq
    times = entries_of(org).filter(org_seq__gt=start, org_seq__lte=end).values_list("at", flat=True)
    return OwnVerdict(
        verdict,
        first=times.order_by("org_seq").first(),
        last=times.order_by("-org_seq").first(),
        kept=kept if kept and start < kept.seq <= end else None,
        earlier=verdict.start if start > org_head(org).kept_after else None,
    )


def _log_broken(org: UUID, verdict: Verdict, kept: Point | None) -> None:
    flaw = verdict.flaw
    if flaw is None:
        return
    # Somebody may have mistyped what they kept.
    level = logging.WARNING if kept and flaw.kind == "anchor" else logging.ERROR
    facts = {"org": str(org), "why": flaw.kind, "entry": flaw.seq}
    _log.log(level, "the audit trail of an organisation is not whole", extra=facts)
