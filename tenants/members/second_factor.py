"""What pages say of a member's second factor: the stack's rule, and what the worker last saw in Cognito."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from tenants.domain.errors import NotNow
from tenants.domain.permissions import who_helps
from tenants.models import Member, SecondFactor

_REQUIRED = "Everybody signs in with a password and a code from an authenticator app."
_STILL_ASKED = (
    "Nobody has to use a second factor here, but Cognito asks everybody who has set up an authenticator app for a code."
)
_NOT_REQUIRED = "A password is enough to sign in. Nobody can set up a second factor here."
_IN_WORDS = {
    SecondFactor.ENROLLED: "An authenticator app is set up",
    SecondFactor.NONE: "No authenticator app is set up",
}
_NEVER_LOOKED = "Not looked at yet"
_BEING_RESET = "Being reset: the worker is about to delete the authenticator"


@dataclass(frozen=True, slots=True)
class ShownSecondFactor:
    """`in_words` is what was seen at `seen_at`, None if nobody looked. `rule` is a sentence about the stack.

    `in_words` is "" where nobody looked and nobody will, because the stack asks for no second factor. `who_resets` is
    whom the member asks after losing their phone, "" where a password is enough for them.
    """

    rule: str
    who_resets: str
    in_words: str
    seen_at: datetime | None


def shown_second_factor(member: Member) -> ShownSecondFactor:
    """A stack that requires none still asks those who have one: its pool has MfaConfiguration OPTIONAL, not OFF.

    https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-mfa.html
    """
    required: bool = settings.REQUIRE_MFA
    is_asked = required or member.second_factor == SecondFactor.ENROLLED
    rule = _REQUIRED if required else _STILL_ASKED if is_asked else _NOT_REQUIRED
    who_resets = who_helps(member.role) if is_asked else ""
    if member.reset_mfa:
        return ShownSecondFactor(rule, who_resets, _BEING_RESET, None)
    never_looked = _NEVER_LOOKED if required else ""
    seen = _IN_WORDS[SecondFactor(member.second_factor)] if member.second_factor else never_looked
    return ShownSecondFactor(rule, who_resets, seen, member.second_factor_seen_at)


def check_may_reset(member: Member) -> None:
    """Raises NotNow where there is nothing to reset. Where there may be something, what was seen may be old."""
    if member.reset_mfa:
        raise NotNow(f"The second factor of {member.person} is being reset already.")
    if not settings.REQUIRE_MFA and member.second_factor != SecondFactor.ENROLLED:
        raise NotNow(f"{member.person} has no second factor, and nobody needs one here.")
    if not member.has_signed_in:
        raise NotNow(f"{member.person} has never signed in, so they have no second factor yet.")
