"""One member on the way from what is in the user pool to what should be: which call comes next.

Knows no AWS and no database. Whoever makes the calls tells what came of each, and stops at whatever else goes wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from tenants.domain.roles import Role
from tenants.domain.user_plan import Change, Conflict, Delete, DesiredUser, Disable, Quota, Seen, SignOut, plan

# Somebody else is creating and deleting the same user; more rounds would not end it.
_MOST_STEPS = 12


@dataclass(frozen=True, slots=True)
class Look:
    """Ask the pool for the user with this sub or e-mail address."""

    name: str
    category: ClassVar[Quota] = Quota.READ


Step = Look | Change


@dataclass(slots=True)
class Attempt:
    """`seen` is the user as last known, `sub` its "" or real id. `looks`: ask before anything is decided.

    `done` are the changes that were carried out, `found` those that somebody else had carried out without writing it
    down. `met_enabled`: the user was able to sign in. `steps` counts the answers so far, `conflict` is why nothing may
    be done.
    """

    org: str
    wanted: DesiredUser | None
    seen: Seen | None
    sub: str
    email: str
    looks: bool
    done: list[Change] = field(default_factory=list)
    found: list[Change] = field(default_factory=list)
    adopted: bool = False
    met_enabled: bool = False
    conflict: str = ""
    steps: int = 0
    _todo: list[Change] | None = None

    @property
    def restless(self) -> bool:
        """It does not end."""
        return self.steps > _MOST_STEPS

    @property
    def deleted(self) -> bool:
        return any(isinstance(change, Delete) for change in (*self.done, *self.found))

    @property
    def planned(self) -> tuple[Change, ...]:
        return tuple(self._todo or ())

    def next_step(self) -> Step | None:
        """None where nothing is left to do. Asked again before an answer was told, it is the same one."""
        if self.looks and (self.sub or self.email):
            return Look(self.sub or self.email)
        if self._todo is None:
            self._decide()
        return self._todo[0] if self._todo and not self.conflict else None

    def looked(self, seen: Seen | None) -> None:
        """Where somebody was `adopted`, they may be another member's whom only the database knows: `is_not_theirs`."""
        before, self.seen, self.steps = self.seen, seen, self.steps + 1
        self.looks, self._todo = False, None
        if seen is not None and seen.sub != self.sub:
            self.adopted = seen.org == self.org
            if not _may_be_theirs(seen, self.org, self.wanted):
                self.is_not_theirs(_MADE_BY_OTHERS.format(email=seen.email))
            return
        self._note_found(before)
        if seen is None and self.sub:
            # The id is of a user that is gone; there may be another one with the address.
            self.sub, self.looks = "", True

    def is_not_theirs(self, why: str) -> None:
        """The user who was found by the address: a conflict, unless nobody is wanted."""
        if self.wanted is None:
            self.seen, self.adopted, self._todo = None, False, None
        else:
            self.conflict = why

    def did(self, seen: Seen | None) -> None:
        """The step before was a change, and this is the user as it left them."""
        self.steps += 1
        if self._todo:
            self.done.append(self._todo.pop(0))
        self.seen = seen
        self.sub = seen.sub if seen else ""

    def exists(self) -> None:
        """There is a user with this address already: perhaps made by a worker that could not write it down."""
        self.steps += 1
        self.sub, self.looks = "", True

    def gone(self) -> None:
        self.steps += 1
        if self.wanted is None:
            self.found.append(Delete())
        self.seen, self.sub, self._todo, self.adopted = None, "", None, False

    def _note_found(self, before: Seen | None) -> None:
        """What has happened to their user since the row was written, if it is what should happen."""
        if before is None or (self.seen is None and self.wanted is not None):
            return
        planned, left = (plan(self.wanted, user, org=self.org) for user in (before, self.seen))
        if isinstance(planned, Conflict) or isinstance(left, Conflict):
            return
        # Nothing shows whether they were signed out too.
        self.found = [change for change in planned if change not in left and not isinstance(change, SignOut)]
        if self.wanted is not None and any(isinstance(change, Disable) for change in self.found):
            self.wanted = replace(self.wanted, sign_out=True)

    def _decide(self) -> None:
        self.met_enabled |= self.seen is not None and self.seen.enabled
        decided = plan(self.wanted, self.seen, org=self.org)
        if isinstance(decided, Conflict):
            self.conflict, self._todo = decided.why, []
        else:
            self._todo = list(decided)


_MADE_BY_OTHERS = (
    "The user pool has a user {email} that the portal did not make, so nothing shows that it is this person's. "
    "Delete that user, or remove this member and invite another address."
)


def _may_be_theirs(seen: Seen, org: str, wanted: DesiredUser | None) -> bool:
    """Only the portal gives a user an organisation or the operators' role; `plan` judges other organisations."""
    if wanted is None and seen.org != org:
        return False
    return bool(org or seen.org) or (seen.role == Role.OPERATOR and (wanted is None or wanted.role == Role.OPERATOR))
