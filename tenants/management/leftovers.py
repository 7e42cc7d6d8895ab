"""Rows that are of no use any more once they are old, and whose writers delete none, or only when they write again.

Sign-ins, sessions, sign-ups, counts and mails have jobs of their own. What people did is in the audit trail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from tenants.models import BreakGlassLink, Lockout, SentForm

EVERY_SECONDS = 60.0
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Leftovers:
    """`field` says when a row began to be old; it is `kept` for so long after that."""

    rows: QuerySet[SentForm] | QuerySet[BreakGlassLink] | QuerySet[Lockout]
    field: str
    kept: timedelta

    def clear(self) -> int:
        """Deletes some of the oldest. How many."""
        old = self.rows.filter(**{f"{self.field}__lt": timezone.now() - self.kept})
        keys: list[str | int] = list(old.order_by(self.field).values_list("pk", flat=True)[:_AT_ONCE])
        # The condition again: a row may have begun anew meanwhile.
        return old.filter(pk__in=keys).delete()[0] if keys else 0


def leftovers() -> Sequence[Leftovers]:
    return (
        # A form counts as sent before for ten minutes.
        Leftovers(SentForm.objects.all(), "begun_at", timedelta(hours=1)),
        # Access with a link lasts half an hour. For a while, the trail can say of a link that it was used or expired.
        Leftovers(BreakGlassLink.objects.all(), "expires_at", timedelta(days=30)),
        Leftovers(Lockout.objects.filter(due_at=None), "asked_at", timedelta(days=365)),
    )


def clear() -> int:
    """The worker's job. How many rows were deleted, of all kinds."""
    return sum(kind.clear() for kind in leftovers())
