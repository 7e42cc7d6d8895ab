"""Mails that are due, handed out in batches: each to one holder at a time, until the lease runs out.

All times are the database's, since the machines' clocks may differ.
"""

from __future__ import annotations

import random
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from tenants.models import OutgoingMail

LEASE_SECONDS = 120.0
# A mail that the server did not take yet is tried again after a minute, then two, four, … up to an hour.
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 60.0, 3600.0
GIVEN_UP_AFTER = timedelta(days=3)
KEPT_FOR = timedelta(days=7)
# Of rows that one statement gives up or deletes.
_MOST = 500
_FREE = {"leased_until": None, "leased_by": ""}
# A link in it may open something.
_BLANK = {"text": "", "html": ""}


def due() -> QuerySet[OutgoingMail]:
    """Mails that could be sent now, the longest due first."""
    free = Q(leased_until=None) | Q(leased_until__lt=Now())
    return OutgoingMail.objects.filter(free, due_at__lte=Now()).order_by("due_at", "pk")


def claim(holder: str, *, most: int) -> list[OutgoingMail]:
    """Leases up to `most` mails that are due."""
    if not due().exists():
        # On SQLite the rest would keep all other processes from writing.
        return []
    with transaction.atomic():
        mails = list(due().select_for_update(skip_locked=True)[:most])
        until = Now() + timedelta(seconds=LEASE_SECONDS)
        _rows(mails).update(leased_by=holder, leased_until=until)
    return mails


def give_back(holder: str) -> None:
    """The mails that the holder did not come to are due as before."""
    OutgoingMail.objects.filter(leased_by=holder).update(**_FREE)


def mark_sent(mail: OutgoingMail) -> None:
    """Also where another holder has it by now: the server took it."""
    done = {"sent_at": Now(), "due_at": None, "attempts": F("attempts") + 1, "last_error": ""}
    OutgoingMail.objects.filter(pk=mail.pk).update(**done, **_BLANK, **_FREE)


def put_off(mail: OutgoingMail, holder: str, why: str) -> None:
    """It is tried again later, unless it was written three days ago: then it is given up."""
    if _old().filter(pk=mail.pk).exists():
        give_up(mail, holder, why)
        return
    seconds = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2 ** min(mail.attempts, 10))
    due_at = Now() + timedelta(seconds=seconds * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
    _held(mail, holder).update(due_at=due_at, attempts=F("attempts") + 1, last_error=why, **_FREE)


def give_up(mail: OutgoingMail, holder: str, why: str) -> None:
    _held(mail, holder).update(due_at=None, attempts=F("attempts") + 1, last_error=why, **_BLANK, **_FREE)


def give_up_old(why: str) -> None:
    """For while the server is away, when no mail is tried: gives up some that were written three days ago."""
    mails = _rows(list(_old().filter(due_at__isnull=False).order_by("created_at")[:_MOST]))
    mails.update(due_at=None, last_error=why, **_BLANK, **_FREE)


def delete_old() -> int:
    """Deletes some rows of mails that were sent or given up, a week after they were written. Returns how many."""
    ended = OutgoingMail.objects.filter(due_at=None, created_at__lt=Now() - KEPT_FOR)
    rows = list(ended.order_by("created_at").only("pk")[:_MOST])
    return _rows(rows).delete()[0] if rows else 0


def _old() -> QuerySet[OutgoingMail]:
    return OutgoingMail.objects.filter(created_at__lt=Now() - GIVEN_UP_AFTER)


def _held(mail: OutgoingMail, holder: str) -> QuerySet[OutgoingMail]:
    return OutgoingMail.objects.filter(pk=mail.pk, leased_by=holder)


def _rows(mails: list[OutgoingMail]) -> QuerySet[OutgoingMail]:
    return OutgoingMail.objects.filter(pk__in=[mail.pk for mail in mails])
