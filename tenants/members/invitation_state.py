"""How far somebody has come since they were invited, in words, from what was really seen."""

from __future__ import annotations

from dataclasses import dataclass

from tenants.domain.dates import formatted
from tenants.models import Member


@dataclass(frozen=True, slots=True)
class InvitationState:
    name: str
    in_words: str
    can_be_resent: bool


def invitation_state(member: Member) -> InvitationState:
    if member.signed_in_at:
        return InvitationState("signed-in", f"has signed in on {formatted(member.signed_in_at)}", can_be_resent=False)
    return InvitationState("invited", "invited", can_be_resent=True)
