"""How far somebody who was invited has come, in words: pages, commands and comparisons all say the same.

Read from the member's row alone. What the row does not know, the state does not claim.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Q, QuerySet
from django.utils import timezone

from tenants.domain.dates import formatted, formatted_day
from tenants.domain.tenant_state import MAY_SIGN_IN
from tenants.domain.user_plan import INVITATION_LASTS, INVITED
from tenants.members.roster import desired_user
from tenants.models import Member, Provisioning, signed_in_members

# AWS's clock decides when a temporary password lapses. Nobody is told that it has before that is sure.
CLOCKS_DIFFER = timedelta(minutes=5)


class Invited(StrEnum):
    """The names of the states, in filters and in `--json`."""

    NOT_CREATED = "not-created"
    BEING_CREATED = "being-created"
    INVITED = "invited"
    LAPSED = "lapsed"
    NOT_DELIVERED = "not-delivered"
    NOT_MAILED = "not-mailed"
    SIGNED_IN = "signed-in"


# A user with a temporary password, or about to have one. Another mail helps them in.
_RESENDABLE = (Invited.INVITED, Invited.LAPSED, Invited.NOT_DELIVERED, Invited.NOT_MAILED)


@dataclass(frozen=True, slots=True)
class InvitationState:
    """`in_words` begins with a small letter. `can_be_resent`: another mail would let them in."""

    name: Invited
    in_words: str
    can_be_resent: bool

    @property
    def needs_a_resend(self) -> bool:
        """Nobody has a mail with which they could get in."""
        return self.can_be_resent and self.name in (Invited.LAPSED, Invited.NOT_DELIVERED)


def invitation_state(member: Member, *, now: datetime | None = None) -> InvitationState:
    """Needs `person` and `tenant`. `now` None is the present."""
    name = _name(member, now or timezone.now())
    desired = desired_user(member)
    may_sign_in = desired is not None and desired.enabled
    owed = "; to be mailed again" if member.resend and name in _RESENDABLE else ""
    # Cognito mails nobody again who has another status, such as somebody who signed up and has not confirmed.
    can_be_resent = may_sign_in and name in _RESENDABLE and member.seen_status == INVITED
    return InvitationState(name, f"{_in_words(name, member)}{owed}", can_be_resent)


def needing_a_resend(members: QuerySet[Member], *, now: datetime | None = None) -> QuerySet[Member]:
    """Those of the members whose `invitation_state` says `needs_a_resend`."""
    may_sign_in = Q(tenant=None) | Q(tenant__state__in=MAY_SIGN_IN)
    stranded = in_state(Invited.LAPSED, now=now) | in_state(Invited.NOT_DELIVERED, now=now)
    return members.filter(may_sign_in, stranded, enabled=True, removed=False, seen_status=INVITED)


def in_state(name: Invited, *, now: datetime | None = None) -> Q:
    """Members whose `invitation_state` has this name: SIGNED_IN, LAPSED or NOT_DELIVERED. The others have no filter."""
    if name == Invited.SIGNED_IN:
        return signed_in_members()
    with_user = ~signed_in_members() & Q(seen_enabled__isnull=False, person__sub__isnull=False)
    if name == Invited.NOT_DELIVERED:
        return with_user & ~Q(mail_problem="")
    return with_user & Q(mail_problem="", mailed_at__lt=(now or timezone.now()) - INVITATION_LASTS - CLOCKS_DIFFER)


def _name(member: Member, now: datetime) -> Invited:
    if member.has_signed_in:
        return Invited.SIGNED_IN
    if member.seen is None:
        return _name_without_user(member)
    if member.mail_problem:
        return Invited.NOT_DELIVERED
    if member.mailed_at is None:
        return Invited.NOT_MAILED
    return Invited.LAPSED if now > member.mailed_at + INVITATION_LASTS + CLOCKS_DIFFER else Invited.INVITED


def _name_without_user(member: Member) -> Invited:
    desired = desired_user(member)
    is_due = member.provisioning == Provisioning.DUE
    return Invited.BEING_CREATED if is_due and desired is not None and desired.enabled else Invited.NOT_CREATED


def _in_words(name: Invited, member: Member) -> str:
    lasts_until = timezone.localtime(member.mailed_at + INVITATION_LASTS) if member.mailed_at else None
    match name:
        case Invited.NOT_CREATED:
            return "not created yet"
        case Invited.BEING_CREATED:
            return "being created"
        case Invited.INVITED:
            return f"invited, expires on {formatted(lasts_until)}" if lasts_until else "invited"
        case Invited.LAPSED:
            return f"lapsed on {formatted_day(lasts_until)}" if lasts_until else "lapsed"
        case Invited.NOT_DELIVERED:
            return f"mail not delivered: {member.mail_problem}"
        case Invited.NOT_MAILED:
            return "not mailed"
        case Invited.SIGNED_IN:
            last = member.signed_in_at
            return f"has signed in, last on {formatted_day(timezone.localtime(last))}" if last else "has signed in"
