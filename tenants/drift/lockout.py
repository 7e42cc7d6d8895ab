"""Disables a user of the pool whom no member has: an operator asks, and the worker does it within a second.

A member's own user is never disabled here: the member is, and the worker makes Cognito match.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Replace
from django.utils import timezone

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.domain import texts
from tenants.domain.actor import WORKER, Actor
from tenants.domain.dates import formatted
from tenants.domain.errors import NotNow, PortalError, UserGone
from tenants.domain.steps import WHY_OPTIONAL, Step, Typed, refusal_of, with_reason
from tenants.domain.user_plan import Quota
from tenants.members.in_cognito import no_worker
from tenants.models import MOST_REASON, Drift, DriftKind, Lockout, Member, Person
from tenants.provisioning.dispatcher import Tools
from tenants.sign_in.endings import end_sessions

# A user of one of these kinds may be nobody's. Users of members have the steps of a member.
KINDS = (DriftKind.UNKNOWN_USER, DriftKind.ORG)
_AT_ONCE = 20
_CLAIM_SECONDS, _AGAIN_SECONDS = 30.0, 5.0
_CREDENTIALS = "AWS credentials already issued to this user work until they expire, for up to an hour."


def ask(drift: Drift, *, by: Actor, why: str = "") -> Lockout:
    """Raises NotNow where the user is a member's, or is disabled already."""
    check_may_ask(drift)
    why = texts.reason_if_given(why)
    with transaction.atomic():
        asked, _ = Lockout.objects.update_or_create(
            sub=drift.sub,
            defaults={
                "email": drift.email,
                "org": drift.seen_org,
                "asked_at": timezone.now(),
                "due_at": timezone.now(),
                "done_at": None,
                "last_error": "",
            },
        )
        _end_sessions(asked)
        record(Action.USER_DISABLE_ASKED, by=by, org=_org(asked), target=str(asked), after={"sub": asked.sub}, why=why)
    return asked


def check_may_ask(drift: Drift) -> None:
    """Raises NotNow."""
    who = drift.email or drift.sub
    if drift.kind not in KINDS or not drift.sub or drift.seen_enabled is None:
        raise NotNow(f"{who} has no user of their own in Cognito to disable here.")
    if owner := _owner(drift.sub):
        instead = "The worker deletes it." if owner.removed else "Disable the member instead."
        raise NotNow(f"{who} is the user of a {'removed ' if owner.removed else ''}member, {owner.person}. {instead}")
    if not drift.seen_enabled:
        raise NotNow(f"{who} is disabled in Cognito already.")


def carry_out(tools: Tools) -> int:
    """Up to 20 that are due; how many were tried. Safe with several workers: Cognito may be told twice."""
    tried = 0
    while tried < _AT_ONCE and (lockout := _claim()) is not None:
        _disable(lockout, tools)
        tried += 1
    return tried


def _claim() -> Lockout | None:
    """The one due longest. After a kill, another worker has it once the claim runs out."""
    now = timezone.now()
    for lockout in Lockout.objects.filter(due_at__lte=now).order_by("due_at")[:_AT_ONCE]:
        mine = Lockout.objects.filter(pk=lockout.pk, due_at=lockout.due_at)
        lockout.due_at = now + timedelta(seconds=_CLAIM_SECONDS)
        if mine.update(due_at=lockout.due_at):
            return lockout
    return None


def _disable(lockout: Lockout, tools: Tools) -> None:
    if owner := _owner(lockout.sub):
        _finish(lockout, None, f"It is the user of a member by now, {owner.person}.")
        return
    calls: tuple[Callable[[str], None], ...] = (tools.directory.disable, tools.directory.sign_out)
    for call in calls:
        answer = tools.pacer.call(Quota.UPDATE, partial(call, lockout.sub))
        if isinstance(answer, UserGone):
            _finish(lockout, None, "There is no such user any more.")
            return
        if isinstance(answer, PortalError):
            _put_off(lockout, answer)
            return
    _finish(lockout, timezone.now(), "")


def _put_off(lockout: Lockout, problem: PortalError) -> None:
    later = timezone.now() + timedelta(seconds=_AGAIN_SECONDS)
    mine = Lockout.objects.filter(pk=lockout.pk, due_at=lockout.due_at)
    mine.update(due_at=later, last_error=problem.for_operators[:MOST_REASON])


def _finish(lockout: Lockout, at: datetime | None, why_not: str) -> None:
    with transaction.atomic():
        mine = Lockout.objects.filter(pk=lockout.pk, due_at=lockout.due_at)
        if not mine.update(due_at=None, done_at=at, last_error=why_not) or at is None:
            return
        # The newest comparison, on pages and in the metrics, need not wait for the next one.
        seen = Replace(F("seen"), Value(", enabled,"), Value(", disabled,"))
        Drift.objects.filter(sub=lockout.sub, kind__in=KINDS).update(seen_enabled=False, seen=seen)
        _end_sessions(lockout)
        after = {"sub": lockout.sub, "signed_out": True}
        record(Action.USER_DISABLED, by=WORKER, org=_org(lockout), target=str(lockout), after=after)


def _end_sessions(lockout: Lockout) -> None:
    """Also somebody who is a member of nothing may have signed in."""
    if uuid := _uuid(lockout.sub):
        end_sessions(Person.objects.filter(sub=uuid))


def _owner(sub: str) -> Member | None:
    uuid = _uuid(sub)
    return Member.objects.filter(person__sub=uuid).select_related("person").first() if uuid else None


def _org(lockout: Lockout) -> UUID | None:
    return _uuid(lockout.org)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class LockoutState:
    """Of the user of one difference: whether it can be asked for now, and what became of the last time."""

    can_be_asked: bool
    in_words: str


def states(drifts: Sequence[Drift]) -> dict[int, LockoutState]:
    """By primary key, for a list of differences. Two queries."""
    subs = {drift.sub for drift in drifts if drift.kind in KINDS}
    ids = [uuid for sub in subs if (uuid := _uuid(sub))]
    owned = set(map(str, Member.objects.filter(person__sub__in=ids).values_list("person__sub", flat=True)))
    asked = Lockout.objects.in_bulk(subs)
    return {drift.pk: _state(drift, asked.get(drift.sub), is_owned=drift.sub in owned) for drift in drifts}


def _state(drift: Drift, asked: Lockout | None, *, is_owned: bool) -> LockoutState:
    is_nobodys = drift.kind in KINDS and bool(drift.seen_enabled) and not is_owned
    if asked is None or drift.kind not in KINDS:
        return LockoutState(is_nobodys, "")
    if asked.due_at is not None:
        why = f": {asked.last_error}" if asked.last_error else "."
        return LockoutState(can_be_asked=False, in_words=f"The worker disables it{why}")
    if asked.done_at is None:
        return LockoutState(is_nobodys, f"It was not disabled. {asked.last_error}")
    return LockoutState(is_nobodys, f"The portal disabled it on {formatted(timezone.localtime(asked.done_at))}.")


def _ask(drift: Drift, *, why: str, by: Actor) -> Drift:
    ask(drift, why=why, by=by)
    return drift


def _expects(drift: Drift, _: Typed) -> tuple[str, ...]:
    return (
        f"Within a second or so the worker disables {drift.email or drift.sub} in Cognito and signs them out there.",
        "From then on Cognito refuses every sign-in and every renewal as this user.",
        _CREDENTIALS,
        "The user stays in the pool. Enable it again, or delete it, in Cognito.",
        *filter(None, [no_worker()]),
    )


DISABLE_USER = Step(
    name="disable-user",
    verb="Disable in Cognito now",
    help="disable a user of the pool that belongs to no member",
    heading=lambda drift: f"Disable {drift.email or drift.sub} in Cognito",
    fields=(WHY_OPTIONAL,),
    expects=_expects,
    prevented=lambda drift: refusal_of(lambda: check_may_ask(drift)),
    does=with_reason(_ask),
    done=lambda drift: (
        f"The portal ended all sessions of {drift.email or drift.sub}. Not done yet: disabling them in Cognito. The "
        "worker does it next."
    ),
    grave=True,
)
