"""Compares one member with the user in the pool, and puts differences into words. Makes no call and saves nothing.

A worker's attempt decides, so what differs here is what a worker would change, or a conflict.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from tenants.domain.user_plan import (
    Change,
    Create,
    Delete,
    DesiredUser,
    Disable,
    Enable,
    ForgetAuthenticator,
    Resend,
    Seen,
    SetNames,
    SetRole,
    SignOut,
)
from tenants.models import MOST_EMAIL, Drift, DriftKind, Member, Provisioning
from tenants.provisioning.attempt import Attempt
from tenants.provisioning.queue import attempt_for

_MOST_WORDS, _MOST_ORG, _MOST_SUB = 120, 36, 36
NO_USER = "no user"
NO_USER_NOR_ADDRESS = "no user, and no address to make one with"
SEEN_FIELDS = ("seen_at", "seen_org", "seen_role", "seen_enabled", "seen_status")


def fresh_attempt(member: Member) -> Attempt:
    """An attempt that looks in the pool first, whatever the row says. Needs `person` and `tenant` at hand."""
    attempt = attempt_for(member)
    attempt.must_look = True
    return attempt


def is_in_hand(member: Member, now: datetime) -> bool:
    """A worker works on it or will, so what the worker sees is newer than what a reconciliation has seen."""
    leased = member.leased_until is not None and member.leased_until > now
    return leased or member.provisioning == Provisioning.DUE


def is_as_kept(member: Member, listed: Seen) -> bool:
    """Whether a listing shows the user exactly as the row has them, and as they should be."""
    kept = member.seen
    if kept is None or kept != replace(_cut(listed), name=kept.name, email=listed.email.casefold()):
        return False
    attempt = fresh_attempt(member)
    attempt.take_look(listed)
    return not differences(member, attempt, listed)


def differences(member: Member, attempt: Attempt, last_seen: Seen | None) -> list[Drift]:
    """Not saved, and of no run yet. `attempt` needs no more looks; `last_seen` is the user that the last look found."""
    attempt.next_call()
    if attempt.conflict and last_seen is not None:
        return [_drift(member, DriftKind.ORG, _org(attempt.org), _whose(last_seen, attempt.org), last_seen)]
    if attempt.conflict:
        return [_drift(member, DriftKind.MISSING_USER, _desired(attempt.desired), NO_USER_NOR_ADDRESS, None)]
    if attempt.adopted and last_seen is not None:
        seen = f"another user with this address, {in_short(last_seen.role, enabled=last_seen.enabled)}"
        return [_drift(member, DriftKind.MISSING_USER, _desired(attempt.desired), seen, last_seen)]
    drifts = [_of_change(member, attempt, change) for change in attempt.to_do]
    return [drift for drift in drifts if drift is not None]


def note_seen(member: Member, attempt: Attempt, *, at: datetime) -> bool:
    """Sets on the member, unsaved, what was seen of their own user. Whether anything but `seen_at` changed.

    A user that is not theirs, or not yet, is not noted: the worker looks for itself then.
    """
    before = [getattr(member, name) for name in SEEN_FIELDS[1:]]
    own = _cut(attempt.seen) if attempt.seen and attempt.sub else None
    member.seen_org, member.seen_role = (own.org, own.role) if own else ("", "")
    member.seen_enabled = own.enabled if own else None
    member.seen_status = own.status if own else ""
    member.seen_at = at
    return before != [getattr(member, name) for name in SEEN_FIELDS[1:]]


def _cut(user: Seen) -> Seen:
    """To what the row can hold, since an edit by hand may have made it anything."""
    return replace(user, org=user.org[:36], role=user.role[:16], status=user.status[:32])


def in_short(role: str, *, enabled: bool) -> str:
    return f"{role or 'no role'}, {'enabled' if enabled else 'disabled'}"


def unknown_user(user: Seen) -> Drift:
    org = f"of organisation {user.org}" if user.org else "of no organisation"
    seen = f"{in_short(user.role, enabled=user.enabled)}, {org}"
    return _drift(None, DriftKind.UNKNOWN_USER, "", seen, user)


def _of_change(member: Member, attempt: Attempt, change: Change) -> Drift | None:
    seen = attempt.seen
    match change:
        case Create(desired):
            return _drift(member, DriftKind.MISSING_USER, _desired(desired), NO_USER, None)
        case SetRole(role):
            return _drift(member, DriftKind.ROLE, role, (seen.role if seen else "") or "no role", seen)
        case Enable():
            return _drift(member, DriftKind.ENABLED, "enabled", "disabled", seen)
        case Disable():
            return None if seen is None else _drift(member, DriftKind.ENABLED, "disabled", "enabled", seen)
        case Delete():
            return _drift(member, DriftKind.UNKNOWN_USER, NO_USER, "the user of a removed member", seen)
        case SignOut() | SetNames() | Resend() | ForgetAuthenticator():
            return None
        case _:
            assert_never(change)


def is_let_in(drift: Drift) -> bool:
    """The user is enabled, and should not be."""
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
        seen_org=_plain(user.org, _MOST_ORG) if user else "",
        seen_role=_plain(user.role, 16) if user else "",
        seen_enabled=user.enabled if user else None,
        seen_status=user.status[:32] if user else "",
    )


def _desired(user: DesiredUser | None) -> str:
    return in_short(user.role, enabled=user.enabled) if user else NO_USER


def _org(org: str) -> str:
    return f"organisation {org}" if org else "no organisation"


def _whose(user: Seen, org: str) -> str:
    return _org(user.org) if user.org != org else "somebody else's user"


def _plain(text: str, most: int) -> str:
    """A text from the pool, made fit for a terminal and a database."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)[:most]
