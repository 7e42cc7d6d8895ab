"""One member compared with the user in the pool: what differs, in the words of a drift. Calls nobody and saves nothing.

The worker's own attempt decides, so what differs here is what a worker would change, or would not dare to.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from tenants.domain.user_plan import Change, Create, Delete, DesiredUser, Disable, Enable, Seen, SetRole, SignOut
from tenants.models import MOST_EMAIL, Drift, DriftKind, Member, Provisioning
from tenants.provisioning.attempt import Attempt
from tenants.provisioning.queue import attempt_for

_MOST_WORDS, _MOST_ORG, _MOST_SUB = 120, 36, 36
NO_USER = "no user"
SEEN_FIELDS = ("seen_at", "seen_org", "seen_role", "seen_enabled", "seen_status")


def fresh_attempt(member: Member) -> Attempt:
    """A worker's attempt that believes nothing it has not looked at. Needs `person` and `tenant` at hand."""
    attempt = attempt_for(member)
    attempt.looks = True
    return attempt


def is_in_hand(member: Member, now: datetime) -> bool:
    """A worker is on it or will be, and what it finds is newer than what anybody else has seen."""
    leased = member.leased_until is not None and member.leased_until > now
    return leased or member.provisioning == Provisioning.DUE


def differences(member: Member, attempt: Attempt, last_looked: Seen | None) -> list[Drift]:
    """Not saved, and of no run yet. `attempt` has looked at everything it wants to; `last_looked` is what came last."""
    attempt.next_step()
    if attempt.conflict and last_looked is not None:
        return [_drift(member, DriftKind.ORG, _org(attempt.org), _whose(last_looked, attempt.org), last_looked)]
    if attempt.adopted and last_looked is not None:
        seen = f"another user with this address, {described(last_looked.role, enabled=last_looked.enabled)}"
        return [_drift(member, DriftKind.MISSING_USER, _wanted(attempt.wanted), seen, last_looked)]
    found = [_of_change(member, attempt, change) for change in attempt.planned]
    return [drift for drift in found if drift is not None]


def note_seen(member: Member, attempt: Attempt, *, at: datetime) -> bool:
    """Sets on the member, unsaved, what was seen of their own user; whether anything but `seen_at` changed.

    A user that is not theirs, or is not yet, is not noted; the worker looks for itself then.
    """
    before = [getattr(member, name) for name in SEEN_FIELDS[1:]]
    own = attempt.seen if attempt.sub else None
    member.seen_org, member.seen_role = (own.org[:36], own.role[:16]) if own else ("", "")
    member.seen_enabled = own.enabled if own else None
    member.seen_status = own.status[:32] if own else ""
    member.seen_at = at
    return before != [getattr(member, name) for name in SEEN_FIELDS[1:]]


def described(role: str, *, enabled: bool) -> str:
    return f"{role or 'no role'}, {'enabled' if enabled else 'disabled'}"


def unknown_user(user: Seen) -> Drift:
    org = f"of organisation {user.org}" if user.org else "of no organisation"
    seen = f"{described(user.role, enabled=user.enabled)}, {org}"
    return _drift(None, DriftKind.UNKNOWN_USER, "", seen, user)


def _of_change(member: Member, attempt: Attempt, change: Change) -> Drift | None:
    seen = attempt.seen
    match change:
        case Create(should_be):
            return _drift(member, DriftKind.MISSING_USER, _wanted(should_be), NO_USER, None)
        case SetRole(role):
            return _drift(member, DriftKind.ROLE, role, (seen.role if seen else "") or "no role", seen)
        case Enable():
            return _drift(member, DriftKind.ENABLED, "enabled", "disabled", seen)
        case Disable():
            return None if seen is None else _drift(member, DriftKind.ENABLED, "disabled", "enabled", seen)
        case Delete():
            return _drift(member, DriftKind.UNKNOWN_USER, NO_USER, "a user of somebody who was removed", seen)
        case SignOut():
            return None
        case _:
            assert_never(change)


def is_let_in(drift: Drift) -> bool:
    """Somebody who should not be enabled is."""
    return drift.kind == DriftKind.ENABLED and drift.wanted == "disabled"


def _drift(member: Member | None, kind: DriftKind, wanted: str, seen: str, user: Seen | None) -> Drift:
    org, sub, email = (user.org, user.sub, user.email) if user else ("", "", "")
    if member is not None:
        org = str(member.org_id or "")
        sub, email = sub or str(member.person.sub or ""), member.person.email
    return Drift(
        kind=kind,
        member=member,
        org=_plain(org, _MOST_ORG),
        sub=_plain(sub, _MOST_SUB),
        email=_plain(email, MOST_EMAIL),
        wanted=_plain(wanted, _MOST_WORDS),
        seen=_plain(seen, _MOST_WORDS),
    )


def _wanted(wanted: DesiredUser | None) -> str:
    return described(wanted.role, enabled=wanted.enabled) if wanted else NO_USER


def _org(org: str) -> str:
    return f"organisation {org}" if org else "no organisation"


def _whose(user: Seen, org: str) -> str:
    return _org(user.org) if user.org != org else "somebody else's user"


def _plain(text: str, most: int) -> str:
    """Whatever somebody typed into the pool, fit for a terminal and a database."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)[:most]
