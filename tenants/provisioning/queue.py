"""Members that are due, handed out: each to one holder at a time, until the lease runs out.

Leases go by the database's clock, since those of the machines may differ. Whoever is killed leaves a lease behind;
whoever finds one that ran out looks in the pool before deciding, so nothing is lost and nothing that matters repeated.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from tenants.members.roster import desired_user
from tenants.models import Member, Provisioning, Suspension
from tenants.provisioning.attempt import Attempt

LEASE_SECONDS = 60.0
# A call is over by then, one way or the other: none begins with less than this left of its lease.
CALL_SECONDS = 20.0


@dataclass(slots=True)
class Claim:
    """A member that is ours, and how far we are with it.

    `held_until` is in seconds since the epoch by this machine's clock. `throttled`: how often Cognito was too busy.
    """

    member: Member
    holder: str
    attempt: Attempt
    held_until: float
    throttled: int = 0


def due() -> QuerySet[Member]:
    """Members that somebody could begin with, the longest due first."""
    return _free().filter(due_at__lte=timezone.now()).order_by("due_at", "pk")


def claim(holder: str, *, most: int) -> list[Claim]:
    """Up to so many due members, leased. Those of tenants just suspended or closed go before all others."""
    if not due().exists():
        # On SQLite the rest would keep everybody else from writing.
        return []
    frozen = Suspension.objects.filter(lifted_at=None, signed_out_at=None).values("tenant")
    with transaction.atomic():
        first = _locked(due().filter(tenant__in=frozen), most)
        more = _locked(due().exclude(pk__in=first), most - len(first))
        return _leased([*first, *more], holder)


def claim_one(member: Member, holder: str) -> Claim | None:
    """None where nothing is to be done, or somebody else works on it. A failure's pause is not waited for."""
    with transaction.atomic():
        return next(iter(_leased(_locked(_free().filter(pk=member.pk), 1), holder)), None)


def hold(claim: Claim, *, at: float) -> bool:
    """Leases it for a call at that time, in seconds since the epoch; False where it is somebody else's by now."""
    if claim.held_until - at >= CALL_SECONDS:
        return True
    now = time.time()
    lasts = max(0.0, at - now) + LEASE_SECONDS
    held = ours(claim).update(leased_until=Now() + timedelta(seconds=lasts))
    claim.held_until = now + lasts
    return bool(held)


def ours(claim: Claim) -> QuerySet[Member]:
    """The member's row, unless somebody else works on it by now."""
    return Member.objects.filter(pk=claim.member.pk, leased_by=claim.holder)


def attempt_for(member: Member) -> Attempt:
    """What the row says of the user is believed unless somebody may have changed it since without writing it down."""
    should_be, seen = desired_user(member), member.seen
    left_behind = bool(member.leased_by) or member.attempts > 0
    # Whoever was never made needs no look before they are; before nothing is done for somebody, one does.
    never_made = member.person.sub is None and should_be is not None and should_be.enabled
    unseen = seen is None and not never_made
    return Attempt(
        org=str(member.org_id or ""),
        wanted=should_be,
        seen=seen,
        sub=str(member.person.sub or ""),
        email=member.person.email,
        looks=left_behind or unseen,
    )


def _free() -> QuerySet[Member]:
    return Member.objects.filter(Q(leased_until=None) | Q(leased_until__lt=Now()), provisioning=Provisioning.DUE)


def _locked(members: QuerySet[Member], most: int) -> list[int]:
    # SQLite knows no SKIP LOCKED and needs none: the transaction is the only writer from its beginning.
    return list(members.select_for_update(skip_locked=True).values_list("pk", flat=True)[:most])


def _leased(pks: Sequence[int], holder: str) -> list[Claim]:
    """Read only once they are locked: a tenant that was suspended just before would else be seen as it was."""
    until = time.time() + LEASE_SECONDS
    members = Member.objects.filter(pk__in=pks)
    found = list(members.select_related("person", "tenant").order_by("due_at", "pk"))
    members.update(leased_by=holder, leased_until=Now() + timedelta(seconds=LEASE_SECONDS))
    return [Claim(member, holder, attempt_for(member), until) for member in found]
