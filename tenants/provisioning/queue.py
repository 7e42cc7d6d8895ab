"""Members that are due, handed out: each to one holder at a time, until the lease runs out.

Leases use the database's clock, since the machines' clocks may differ. A worker that is killed leaves leases behind.
The next holder looks in the pool before it decides, so that nothing is lost and no change that matters is made twice.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from tenants.domain.user_plan import DesiredUser
from tenants.members.roster import desired_user
from tenants.models import Member, Provisioning, Suspension
from tenants.provisioning.attempt import Attempt

# Somebody may wait to be disabled, so a killed worker keeps its members no longer than the next constant requires.
LEASE_SECONDS = 30.0
# The longest that a call takes: none begins with less than this left of its lease.
CALL_SECONDS = 20.0


@dataclass(slots=True)
class Claim:
    """A member that is leased to `holder`, and how far the attempt for it has come.

    `held_until` is in seconds since the epoch by this machine's clock. `throttled`: how often Cognito was too busy.
    `is_probe`: its mail shows whether Cognito sends mails again.
    """

    member: Member
    holder: str
    attempt: Attempt
    held_until: float
    throttled: int = 0
    is_probe: bool = False


def due() -> QuerySet[Member]:
    """Members that a worker could begin with, the longest due first."""
    return _free().filter(due_at__lte=timezone.now()).order_by("due_at", "pk")


def claim(holder: str, *, most: int) -> list[Claim]:
    """Leases up to `most` due members. Those of tenants just suspended or closed go before all others."""
    if not due().exists():
        # On SQLite the rest would keep all other processes from writing.
        return []
    frozen = Suspension.objects.filter(lifted_at=None, signed_out_at=None).values("tenant")
    with transaction.atomic():
        first = _locked(due().filter(tenant__in=frozen), most)
        more = _locked(due().exclude(pk__in=first), most - len(first))
        return _leased([*first, *more], holder)


def claim_one(member: Member, holder: str) -> Claim | None:
    """None where nothing is due, or another holder works on it. Does not wait for the time of the next try."""
    with transaction.atomic():
        return next(iter(_leased(_locked(_free().filter(pk=member.pk), 1), holder)), None)


def hold(claim: Claim, *, at: float) -> bool:
    """Extends the lease for a call at that time, in seconds since the epoch. False where another holder has it now."""
    if claim.held_until - at >= CALL_SECONDS:
        return True
    now = time.time()
    lasts = max(0.0, at - now) + LEASE_SECONDS
    held = ours(claim).update(leased_until=Now() + timedelta(seconds=lasts))
    claim.held_until = now + lasts
    return bool(held)


def ours(claim: Claim) -> QuerySet[Member]:
    """The member's row; empty where another holder has it by now."""
    return Member.objects.filter(pk=claim.member.pk, leased_by=claim.holder)


def attempt_for(member: Member) -> Attempt:
    """Believes what the row says of the user, unless a call may have been made since and not been written down.

    Looks first where the row says that somebody is kept out already, since the row may be old. Before an invitation is
    mailed again, or an authenticator deleted, a look shows whether it is still wanted. Reads `invited_by` too.
    """
    desired, seen = _with_inviter(desired_user(member), member), member.seen
    left_behind = bool(member.leased_by) or member.attempts > 0
    # A user who never existed needs no look before they are created. Where no user should be able to sign in, a look
    # shows that there is none.
    to_be_created = member.person.sub is None and desired is not None and desired.enabled
    unseen = seen is None and not to_be_created
    kept_out = seen is not None and not seen.enabled and desired is not None and not desired.enabled
    return Attempt(
        org=str(member.org_id or ""),
        desired=desired,
        seen=seen,
        sub=str(member.person.sub or ""),
        email=member.person.email,
        must_look=left_behind or unseen or kept_out or member.resend or member.reset_mfa,
        may_be_mailed=left_behind and seen is None and member.mail_invitation and not _is_known(member),
    )


def _is_known(member: Member) -> bool:
    """Whether the row says what became of the mail, though not of the user."""
    return member.resend or bool(member.mail_problem)


def _with_inviter(desired: DesiredUser | None, member: Member) -> DesiredUser | None:
    if desired is None or member.tenant is None or member.invited_by is None:
        return desired
    return replace(desired, invited_by=member.invited_by.name or member.invited_by.email)


def _free() -> QuerySet[Member]:
    return Member.objects.filter(Q(leased_until=None) | Q(leased_until__lt=Now()), provisioning=Provisioning.DUE)


def _locked(members: QuerySet[Member], most: int) -> list[int]:
    # SQLite has no SKIP LOCKED and needs none: the transaction is the only writer from its beginning.
    return list(members.select_for_update(skip_locked=True).values_list("pk", flat=True)[:most])


def _leased(pks: Sequence[int], holder: str) -> list[Claim]:
    """Reads the rows only once they are locked, so that it sees a suspension that came just before."""
    until = time.time() + LEASE_SECONDS
    members = Member.objects.filter(pk__in=pks)
    rows = list(members.select_related("person", "tenant", "invited_by").order_by("due_at", "pk"))
    members.update(leased_by=holder, leased_until=Now() + timedelta(seconds=LEASE_SECONDS))
    return [Claim(member, holder, attempt_for(member), until) for member in rows]
