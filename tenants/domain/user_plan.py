"""The user that a member should have in the pool, the user as it is, and the changes that lead from one to the other.

Decides, and does nothing. Every change of a user in Cognito goes through `plan`, so a dry run prints what happens.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


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
    """A user that should exist. `org` is "" for operators; `sign_out`: tokens issued so far must stop working."""

    email: str
    name: str
    org: str
    role: str
    enabled: bool
    mail_invitation: bool = True
    sign_out: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A user as the pool has it; `status` is Cognito's UserStatus, such as FORCE_CHANGE_PASSWORD."""

    sub: str
    email: str
    name: str
    org: str
    role: str
    enabled: bool
    status: str


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
class Delete:
    category: ClassVar[Quota] = Quota.UPDATE
    in_words: ClassVar[str] = "delete"


Change = Create | SetRole | Enable | Disable | SignOut | Delete


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
        return (Create(desired),) if desired.enabled else ()
    changes: list[Change] = []
    if seen.role != desired.role:
        changes.append(SetRole(desired.role))
    if seen.enabled != desired.enabled:
        changes.append(Enable() if desired.enabled else Disable())
    if desired.sign_out or (seen.enabled and not desired.enabled):
        changes.append(SignOut())
    return tuple(changes)


def _not_theirs(seen: Seen, org: str) -> str:
    has = f"belongs to organisation {seen.org}" if seen.org else "belongs to no organisation"
    return (
        f"The user pool has a user {seen.email} that {has}, not to {org or 'the operators'}. "
        "An organisation can never be changed there: delete that user, or remove this member and invite another "
        "address."
    )
