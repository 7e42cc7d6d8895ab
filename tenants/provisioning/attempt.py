"""One member on the way from what the user pool has to what it should have: decides which call to Cognito comes next.

Knows no AWS and no database. The caller makes each call and gives the answer to the attempt; any other failure ends
the attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar

from tenants.domain.roles import Role
from tenants.domain.user_plan import (
    Change,
    Conflict,
    Create,
    Delete,
    DesiredUser,
    Disable,
    ForgetAuthenticator,
    Quota,
    Resend,
    Seen,
    SetNames,
    SetRole,
    SignOut,
    is_mailed,
    plan,
)

# Nothing shows whether these were done before.
_LEAVE_NO_TRACE = (SignOut, SetNames, Resend, ForgetAuthenticator)
# Cognito answers with the user, or there is none afterwards.
_SHOW_THE_USER = (Create, Resend, Delete)
# After so many answers, another program is creating and deleting the same user, and more calls would not end it.
_MOST_ANSWERS = 12


@dataclass(frozen=True, slots=True)
class Look:
    """Ask the pool for the user with this sub or e-mail address."""

    name: str
    category: ClassVar[Quota] = Quota.READ


Call = Look | Change


@dataclass(slots=True)
class InvitationMail:
    """What the attempt learnt of the invitation's mail.

    `sent`: Cognito took it; `sent_before` is when another worker had it sent. `problem` is why it was not delivered.
    `refused`: Cognito sends no mails at the moment, so it is still owed. `is_void`: the user is a new one, to whom no
    earlier mail is worth anything.
    """

    sent: bool = False
    sent_before: datetime | None = None
    problem: str = ""
    refused: bool = False
    is_void: bool = False


@dataclass(slots=True)
class Attempt:
    """`seen` is the user as last known; `sub` is their id, "" where there is none. `must_look`: look before deciding.

    `done` are the changes that this attempt made, `found` those that had been made before and were not written down.
    `looked`: Cognito has shown the whole user, or that there is none. `adopted`: the user was found by the address.
    `was_enabled`: the user was able to sign in at some time. `answers` counts Cognito's answers. `conflict` is why
    nothing may be done, "" where nothing is in the way.
    """

    org: str
    desired: DesiredUser | None
    seen: Seen | None
    sub: str
    email: str
    must_look: bool
    may_be_mailed: bool = False
    mail: InvitationMail = field(default_factory=InvitationMail)
    done: list[Change] = field(default_factory=list)
    found: list[Change] = field(default_factory=list)
    looked: bool = False
    adopted: bool = False
    was_enabled: bool = False
    conflict: str = ""
    answers: int = 0
    _to_do: list[Change] | None = None
    # Cognito did not confirm it, so the next look shows whether it was carried out.
    _unconfirmed: Create | None = None

    @property
    def keeps_changing(self) -> bool:
        """Another program keeps changing the user, so the attempt does not end."""
        return self.answers > _MOST_ANSWERS

    @property
    def deletes(self) -> bool:
        """The user was deleted, by this attempt or before it."""
        return any(isinstance(change, Delete) for change in (*self.done, *self.found))

    @property
    def to_do(self) -> tuple[Change, ...]:
        """The changes that are left, as far as they are decided."""
        return tuple(self._to_do or ())

    def next_call(self) -> Call | None:
        """None where nothing is left to do. The same one again until its answer is given."""
        if self.must_look and (self.sub or self.email):
            return Look(self.sub or self.email)
        if self._to_do is None:
            self._decide()
        return self._to_do[0] if self._to_do and not self.conflict else None

    def take_look(self, seen: Seen | None) -> None:
        """Takes the answer to a Look. An `adopted` user may be another member's: the database knows, see `reject`."""
        before, self.seen, self.answers = self.seen, seen, self.answers + 1
        self.looked, self.must_look, self._to_do = True, False, None
        made, self._unconfirmed = self._unconfirmed, None
        if seen is not None and seen.sub != self.sub:
            self.adopted = seen.org == self.org
            self._note_another_user(seen, made)
            if not _may_be_theirs(seen, self.org, self.desired):
                self.reject(_MADE_BY_OTHERS.format(email=seen.email))
            elif seen.email_verified is False:
                self.reject(_NOT_VERIFIED.format(email=seen.email))
            return
        self._note_found(before)
        if seen is None and self.sub:
            # The user with this id is gone. Another one may have the address.
            self.sub, self.must_look = "", True

    def reject(self, why: str) -> None:
        """The user with the member's address is another person's: a conflict, unless no user is desired."""
        if self.desired is None:
            self.seen, self.adopted, self._to_do = None, False, None
        else:
            self.conflict = why

    def take_change(self, seen: Seen | None) -> None:
        """Takes the answer to a change: the user as the change left them, None once deleted."""
        self.answers += 1
        if self._to_do:
            change = self._to_do.pop(0)
            self.looked |= isinstance(change, _SHOW_THE_USER)
            self._note_done(change)
        self.seen = seen
        self.sub = seen.sub if seen else ""

    def look_by_address(self) -> None:
        """A user with this address exists already, perhaps made by a worker that could not write it down."""
        self.answers += 1
        self.sub, self.must_look = "", True

    def look_again(self) -> None:
        """The user is not as the last look showed."""
        self.answers += 1
        self.must_look = True

    def note_undelivered(self, why: str) -> bool:
        """The user is there, but the invitation did not reach them. False if that was noted already.

        Then a look has shown no such user, and Cognito did not make one the second time either.
        """
        change = self._to_do[0] if self._to_do else None
        if self.mail.problem:
            return False
        self.mail = replace(self.mail, sent=False, problem=why)
        if self.desired is not None:
            # An operator reads why, and decides whether it is sent again. A user who is not there would be mailed.
            self.desired = replace(self.desired, resend=False, mail_invitation=True)
        self._look_for_what_was_done(change)
        return True

    def note_mail_refused(self) -> None:
        """Cognito mails nobody now, and may have created the user all the same."""
        change = self._to_do[0] if self._to_do else None
        self.mail = replace(self.mail, sent=False, refused=True)
        if self.desired is not None:
            self.desired = replace(self.desired, resend=True)
        self._look_for_what_was_done(change)

    def _look_for_what_was_done(self, change: Change | None) -> None:
        if isinstance(change, Create):
            self._unconfirmed = change
            self.look_by_address()
        else:
            self.look_again()

    def _note_done(self, change: Change) -> None:
        self.done.append(change)
        if isinstance(change, Create):
            self.mail = InvitationMail(is_void=True)
        if is_mailed(change):
            self.mail = replace(self.mail, sent=True, problem="", refused=False)

    def _note_another_user(self, seen: Seen, made: Create | None) -> None:
        """They have the member's address, and are not the user that the row knows."""
        self.mail = replace(self.mail, is_void=True)
        if made is not None and seen.org == self.org:
            self.done.append(made)
        elif self.may_be_mailed and seen.is_invited:
            self.mail = replace(self.mail, sent_before=seen.modified_at)

    def note_gone(self) -> None:
        """The user does not exist any more."""
        self.looked, self.answers = True, self.answers + 1
        if self.desired is None:
            self.found.append(Delete())
        self.seen, self.sub, self._to_do, self.adopted = None, "", None, False

    def _note_found(self, before: Seen | None) -> None:
        """Notes what was done to the user since the row was written, as far as it should be done."""
        if before is None or (self.seen is None and self.desired is not None):
            return
        then, now = (plan(self.desired, user, org=self.org) for user in (before, self.seen))
        if isinstance(then, Conflict) or isinstance(now, Conflict):
            return
        self.found = [change for change in then if change not in now and not isinstance(change, _LEAVE_NO_TRACE)]
        if self.desired is not None and any(isinstance(change, Disable | SetRole) for change in self.found):
            self.desired = replace(self.desired, sign_out=True)

    def _decide(self) -> None:
        self.was_enabled |= self.seen is not None and self.seen.enabled
        decided = plan(self.desired, self.seen, org=self.org)
        if isinstance(decided, Conflict):
            self.conflict, self._to_do = decided.why, []
        else:
            self._to_do = list(decided)


_MADE_BY_OTHERS = (
    "The user pool has a user {email} that the portal did not make, so nothing shows that it is this person's. "
    "Delete that user, or remove this member and invite another address."
)


_NOT_VERIFIED = (
    "The user pool has a user {email} whose address is not verified, so nothing shows that it is this person's. "
    "Delete that user, or remove this member and invite another address."
)


def _may_be_theirs(seen: Seen, org: str, desired: DesiredUser | None) -> bool:
    """Only the portal gives a user an organisation or the operators' role; `plan` judges other organisations."""
    if desired is None and seen.org != org:
        return False
    return bool(org or seen.org) or (seen.role == Role.OPERATOR and (desired is None or desired.role == Role.OPERATOR))
