"""The user that a member should have in the pool, the user as it is, and the changes that lead from one to the other.

Decides, and does nothing. Every change of a user in Cognito goes through `plan`, so a dry run prints what happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

# Cognito's UserStatus of somebody who has a temporary password, and has never signed in with it.
INVITED = "FORCE_CHANGE_PASSWORD"
# Of somebody who has chosen a password, so they could sign in before.
HAS_PASSWORD = ("CONFIRMED", "RESET_REQUIRED")
# The template's TemporaryPasswordValidityDays.
INVITATION_LASTS = timedelta(days=7)
# The longest value that custom:org_name and custom:invited_by take.
MOST_IN_MAIL = 256


class Quota(StrEnum):
    """Cognito's categories of calls, each with a limit of its own for the account and region.

    https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
    """

    CREATION = "UserCreation"
    UPDATE = "UserUpdate"
    READ = "UserRead"
    LIST = "UserList"


@dataclass(frozen=True, slots=True)
class DesiredUser:
    """A user that should exist. `org` is "" for operators; `sign_out`: tokens issued so far must stop working.

    `resend`: an invitation has to be mailed, also to a user who exists already. `organisation` and `invited_by` are
    names for the text of that mail, "" where it has none; Cognito keeps the first `MOST_IN_MAIL` characters.
    `reset_mfa`: their authenticator has to be deleted.
    """

    email: str
    name: str
    org: str
    role: str
    enabled: bool
    mail_invitation: bool = True
    sign_out: bool = False
    resend: bool = False
    organisation: str = ""
    invited_by: str = ""
    reset_mfa: bool = False

    @property
    def is_mailed(self) -> bool:
        """Whether Cognito mails an invitation when the user is created."""
        return self.mail_invitation or self.resend


@dataclass(frozen=True, slots=True)
class Seen:
    """A user as the pool has it; `status` is Cognito's UserStatus, such as FORCE_CHANGE_PASSWORD.

    `modified_at` is by AWS's clock. It, `email_verified` and the names in the invitation are None where only the
    database was asked. `has_authenticator` is None unless the user was looked at: lists do not show it.
    """

    sub: str
    email: str
    name: str
    org: str
    role: str
    enabled: bool
    status: str
    organisation: str | None = field(default=None, compare=False)
    invited_by: str | None = field(default=None, compare=False)
    modified_at: datetime | None = field(default=None, compare=False)
    email_verified: bool | None = field(default=None, compare=False)
    has_authenticator: bool | None = field(default=None, compare=False)

    @property
    def is_invited(self) -> bool:
        """They have a temporary password, and may be sent another one."""
        return self.status == INVITED


@dataclass(frozen=True, slots=True)
class Create:
    desired: DesiredUser
    category: ClassVar[Quota] = Quota.CREATION

    @property
    def in_words(self) -> str:
        return f"create {self.desired.email} as {self.desired.role}"


@dataclass(frozen=True, slots=True)
class SetRole:
    role: str
    category: ClassVar[Quota] = Quota.UPDATE

    @property
    def in_words(self) -> str:
        return f"set the role to {self.role}"


@dataclass(frozen=True, slots=True)
class Enable:
    category: ClassVar[Quota] = Quota.UPDATE
    in_words: ClassVar[str] = "enable"


@dataclass(frozen=True, slots=True)
class Disable:
    category: ClassVar[Quota] = Quota.UPDATE
    in_words: ClassVar[str] = "disable"


@dataclass(frozen=True, slots=True)
class SignOut:
    category: ClassVar[Quota] = Quota.UPDATE
    in_words: ClassVar[str] = "sign out everywhere"


@dataclass(frozen=True, slots=True)
class ForgetAuthenticator:
    """Where a second factor is required, they set up a new one at their next sign-in."""

    category: ClassVar[Quota] = Quota.UPDATE
    in_words: ClassVar[str] = "delete their authenticator"


@dataclass(frozen=True, slots=True)
class SetNames:
    """What the text of the invitation is made from."""

    organisation: str
    invited_by: str
    category: ClassVar[Quota] = Quota.UPDATE
    in_words: ClassVar[str] = "set who invites them, for the mail"


@dataclass(frozen=True, slots=True)
class Resend:
    """Mails a new temporary password. The one before stops working."""

    category: ClassVar[Quota] = Quota.CREATION
    in_words: ClassVar[str] = "mail the invitation again"


@dataclass(frozen=True, slots=True)
class Delete:
    category: ClassVar[Quota] = Quota.UPDATE
    in_words: ClassVar[str] = "delete"


Change = Create | SetRole | Enable | Disable | ForgetAuthenticator | SetNames | Resend | SignOut | Delete


@dataclass(frozen=True, slots=True)
class Conflict:
    """The user in the pool is not this member's, and nothing may be done to it. `why` is for the operators."""

    why: str


def plan(desired: DesiredUser | None, seen: Seen | None, *, org: str) -> tuple[Change, ...] | Conflict:
    """The changes to make, in order. `desired` is None where no user should exist, `org` "" for an operator.

    A user of another organisation is a conflict, for deleting too: since a user never changes organisations, it is
    another person's.
    """
    if seen is not None and seen.org != org:
        return Conflict(_not_theirs(seen, org))
    if desired is None:
        return () if seen is None else (SignOut(), Delete())
    if seen is None:
        # A member who may not sign in needs no user, and no invitation.
        return _create(desired) if desired.enabled else ()
    changes: list[Change] = []
    if seen.role != desired.role:
        changes.append(SetRole(desired.role))
    if desired.reset_mfa and seen.has_authenticator is not False:
        # Before the sign-out, which ends what somebody began with it.
        changes.append(ForgetAuthenticator())
    ends_tokens = desired.sign_out or seen.role != desired.role or (seen.enabled and not desired.enabled)
    if desired.enabled and not seen.enabled:
        # Who is disabled cannot sign in again meanwhile, so only what began before is ended.
        changes += [SignOut(), Enable()] if ends_tokens else [Enable()]
        return (*changes, *_invitation(desired, seen))
    if seen.enabled and not desired.enabled:
        changes.append(Disable())
    changes += _invitation(desired, seen)
    if ends_tokens:
        changes.append(SignOut())
    return tuple(changes)


def _create(desired: DesiredUser) -> tuple[Change, ...] | Conflict:
    return (Create(desired),) if desired.email else Conflict(_NO_ADDRESS)


def is_mailed(change: object) -> bool:
    """Whether Cognito mails an invitation with it."""
    return isinstance(change, Resend) or (isinstance(change, Create) and change.desired.is_mailed)


def _invitation(desired: DesiredUser, seen: Seen) -> Iterator[Change]:
    """Nobody is mailed who may not sign in, or who has a password of their own by now."""
    if not (desired.resend and desired.enabled and seen.is_invited):
        return
    names = desired.organisation[:MOST_IN_MAIL], desired.invited_by[:MOST_IN_MAIL]
    if seen.organisation is not None and names != (seen.organisation, seen.invited_by):
        yield SetNames(*names)
    yield Resend()


_NO_ADDRESS = (
    "The user pool has no user for this member, and the portal has no address to make one with. "
    "Remove this member, and invite their address."
)


def _not_theirs(seen: Seen, org: str) -> str:
    has = f"belongs to organisation {seen.org}" if seen.org else "belongs to no organisation"
    return (
        f"The user pool has a user {seen.email} that {has}, not to {org or 'the operators'}. "
        "An organisation can never be changed there: delete that user, or remove this member and invite another "
        "address."
    )
