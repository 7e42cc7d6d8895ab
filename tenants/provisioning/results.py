"""What came of members in hand, written down: rows, people's ids, tenants that can open, and the audit trail.

Many at a time, since entries of the trail are made one after the other by everybody: a worker that comes to write
brings along whatever else has ended meanwhile.
"""

from __future__ import annotations

import logging
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import DataError, IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from tenants.audit import NewEntry, record_all
from tenants.audit.actions import Action
from tenants.aws.failures import scope_of
from tenants.domain.actor import WORKER, Actor
from tenants.domain.errors import NotNow, PortalError
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.domain.user_plan import Change, Delete, Disable
from tenants.lifecycle import transitions
from tenants.members.roster import owners
from tenants.models import Member, Person, Provisioning, SignIn, Suspension, Tenant
from tenants.models.tenants import MOST_REASON
from tenants.provisioning.queue import Claim, ours
from tenants.sign_in.standing import forget_standing

_log = logging.getLogger(__name__)
OUR_FAULT = "The portal failed over this member. Its log says how; try again once that is mended."
_LOST = "A worker that had been held up changed the user after another one had gone on with them."
_FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 2.0, 300.0
_WRONG_WITH_ONE = (IntegrityError, DataError, ValueError, TypeError)
_FREE: Mapping[str, Any] = {"leased_until": None, "leased_by": ""}


class Outcome(StrEnum):
    SETTLED = "settled"
    LATER = "later"
    STUCK = "stuck"
    CONFLICT = "conflict"
    GIVEN_BACK = "given-back"
    # Changed meanwhile, or taken over by somebody else: still due.
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, slots=True, eq=False)
class Attempted:
    """`given_back`: before the attempt was through, which leaves the member as due as it was."""

    claim: Claim
    failure: PortalError | None = None
    given_back: bool = False

    @property
    def outcome(self) -> Outcome:
        """Unless it was overtaken, which only the database knows."""
        if self.given_back:
            return Outcome.GIVEN_BACK
        if self.claim.attempt.conflict:
            return Outcome.CONFLICT
        if self.failure is None:
            return Outcome.SETTLED
        return Outcome.LATER if scope_of(self.failure) == "passing" else Outcome.STUCK

    @property
    def why(self) -> str:
        return (self.claim.attempt.conflict or (self.failure.for_operators if self.failure else ""))[:MOST_REASON]


def finish(claim: Claim, failure: PortalError | None = None, *, by: Actor = WORKER) -> Outcome:
    """Writes down what was found and done. A member that was changed meanwhile stays due."""
    return finish_all([Attempted(claim, failure)], by=by)[0]


def release(claim: Claim) -> None:
    """Leaves the member as due as it was. What was done is written down."""
    finish_all([Attempted(claim, given_back=True)])


def finish_all(ended: Sequence[Attempted], *, by: Actor = WORKER) -> list[Outcome]:
    """In one transaction, but for members whom somebody is just changing: those are waited for one by one."""
    with transaction.atomic():
        outcomes = _write_down(ended, by=by, waits=len(ended) == 1)
    for one in ended:
        if one not in outcomes:
            with transaction.atomic():
                outcomes |= _write_down([one], by=by, waits=True)
    return [outcomes[one] for one in ended]


def finish_whatever_happens(ended: Sequence[Attempted]) -> list[Outcome]:
    """As `finish_all`, but nobody holds up the others: who cannot be written down is set aside.

    Raises whatever is wrong with the database or the shared cache themselves.
    """
    try:
        return finish_all(ended)
    except _WRONG_WITH_ONE:
        _log.exception("members are written down one by one", extra={"members": len(ended)})
        return [_finish_alone(one) for one in ended]


def _finish_alone(one: Attempted) -> Outcome:
    try:
        return finish_all([one])[0]
    except _WRONG_WITH_ONE:
        _log.exception("member set aside", extra={"member": one.claim.member.pk})
        _set_aside(one.claim)
        return Outcome.STUCK


def _set_aside(claim: Claim) -> None:
    with transaction.atomic():
        unchanged = ours(claim).filter(generation=claim.member.generation)
        stuck = unchanged.update(**_FREE, provisioning=Provisioning.STUCK, last_error=OUR_FAULT)
        ours(claim).update(**_FREE)
        if stuck:
            record_all([_happened(claim, Action.MEMBER_STUCK, by=WORKER, why=OUR_FAULT)])


def _write_down(ended: Sequence[Attempted], *, by: Actor, waits: bool) -> dict[Attempted, Outcome]:
    """Without those whose rows somebody else has locked. Tenants are locked before members, as everywhere."""
    tenants = _tenants_to_activate(ended)
    _begin_rings_again(ended)
    generations = _generations(ended, waits=waits)
    here = [one for one in ended if waits or one.claim.member.pk in generations]
    held = [one for one in here if generations.get(one.claim.member.pk) is not None]
    unchanged = [one for one in held if generations[one.claim.member.pk] == one.claim.member.generation]
    _write_rows(held, unchanged)
    # A call that failed may have done its work all the same.
    _have_looked_at_again([one for one in here if one not in held and (one.claim.attempt.done or one.failure)])
    happened: list[NewEntry] = []
    for one in here:
        happened += _done(one, by=by, is_ours=one in held)
        if one in unchanged and one.outcome in _RECORDED_OUTCOMES:
            happened.append(_happened(one.claim, _RECORDED_OUTCOMES[one.outcome], by=by, why=one.why))
    if happened:
        # As the last thing: everybody else who writes waits from here on.
        record_all(happened)
    for one in unchanged:
        if one.claim.member.tenant_id in tenants and _makes_tenant_active(one):
            _activate(tenants.pop(one.claim.member.tenant_id), by=by)
    return {one: one.outcome if one in unchanged or one.given_back else Outcome.OVERTAKEN for one in here}


_RECORDED_OUTCOMES = {Outcome.STUCK: Action.MEMBER_STUCK, Outcome.CONFLICT: Action.MEMBER_CONFLICT}


def _generations(ended: Sequence[Attempted], *, waits: bool) -> dict[int, int | None]:
    """Of the rows as they are now, locked; None for one that is somebody else's by now.

    Whoever changes a tenant locks all of its members, in an order of their own: to wait for one while holding others
    would be a deadlock.
    """
    holders = {one.claim.member.pk: one.claim.holder for one in ended}
    rows = Member.objects.filter(pk__in=holders).select_for_update(skip_locked=not waits)
    found = rows.order_by("pk").values_list("pk", "generation", "leased_by")
    return {pk: generation if leased_by == holders[pk] else None for pk, generation, leased_by in found}


def _write_rows(held: Sequence[Attempted], unchanged: Sequence[Attempted]) -> None:
    now, rows, leaving = timezone.now(), [], []
    for one in held:
        fields: dict[str, Any] = {**_seen_fields(one.claim, now), **_FREE}
        if one in unchanged and one.outcome == Outcome.SETTLED and one.claim.attempt.wanted is None:
            leaving.append(one.claim.member)
            continue
        if one in unchanged:
            fields |= _state_fields(one, now)
        rows.append((one.claim.member.pk, fields))
    _note_subs(held)
    _update_alike(rows)
    if leaving:
        _bid_farewell(leaving)


def _have_looked_at_again(lost: Sequence[Attempted]) -> None:
    """Somebody else went on with them meanwhile, and what was done here may have undone that."""
    if lost:
        Member.objects.filter(pk__in=[one.claim.member.pk for one in lost]).update(
            provisioning=Provisioning.DUE,
            due_at=timezone.now(),
            generation=F("generation") + 1,
            # The next attempt begins with a look, even where whoever has them now writes down what they saw before.
            attempts=1,
            last_error=_LOST,
        )


def _update_alike(rows: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    """Members made at the same time mostly become the same: one UPDATE does for all of those."""
    alike: dict[tuple[tuple[str, Any], ...], list[int]] = defaultdict(list)
    for pk, fields in rows:
        alike[tuple(fields.items())].append(pk)
    for items, pks in alike.items():
        Member.objects.filter(pk__in=pks).update(**dict(items))


def _state_fields(one: Attempted, now: datetime) -> Mapping[str, Any]:
    match one.outcome:
        case Outcome.GIVEN_BACK:
            return {}
        case Outcome.SETTLED:
            done = {"provisioning": Provisioning.SETTLED, "due_at": None, "attempts": 0, "last_error": ""}
            return {**done, "sign_out": False}
        case Outcome.LATER:
            attempts = one.claim.member.attempts + 1
            wait = min(_LONGEST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2 ** min(attempts, 10))
            at = now + timedelta(seconds=random.uniform(0, wait))  # noqa: S311 - jitter
            return {"attempts": attempts, "due_at": at, "last_error": one.why}
        case _:
            stuck = Provisioning.STUCK if one.outcome == Outcome.STUCK else Provisioning.CONFLICT
            return {"provisioning": stuck, "last_error": one.why}


def _seen_fields(claim: Claim, now: datetime) -> Mapping[str, Any]:
    """What a conflict found is somebody else's; where nobody asked Cognito, nothing was seen."""
    attempt = claim.attempt
    if attempt.conflict or not attempt.steps:
        return {}
    seen = attempt.seen
    return {
        "seen_at": now,
        # Cut, since an edit by hand may have made them anything.
        "seen_org": seen.org[:36] if seen else "",
        "seen_role": seen.role[:16] if seen else "",
        "seen_enabled": seen.enabled if seen else None,
        "seen_status": seen.status[:32] if seen else "",
    }


def _note_subs(held: Sequence[Attempted]) -> None:
    subs: dict[int, UUID] = {}
    for one in held:
        attempt, person = one.claim.attempt, one.claim.member.person
        if attempt.seen is not None and not attempt.conflict and str(person.sub) != attempt.seen.sub:
            subs[person.pk] = UUID(attempt.seen.sub)
    if not subs:
        return
    # They signed in before this was written down: that row is theirs too, and what it was signed in with goes.
    Person.objects.filter(sub__in=subs.values(), memberships=None).delete()
    Person.objects.bulk_update([Person(pk=pk, sub=sub) for pk, sub in subs.items()], ["sub"])
    forget_standing(*subs)


def _bid_farewell(leaving: Sequence[Member]) -> None:
    """The rows go with the users; the people stay, without an id and signed out.

    Whom only a tenant that is closed for good knew goes with it.
    """
    people = [member.person_id for member in leaving]
    Member.objects.filter(pk__in=[member.pk for member in leaving]).delete()
    SignIn.objects.filter(person__in=people).delete()
    Person.objects.filter(pk__in=people).update(sub=None)
    of_the_closed = [one.person_id for one in leaving if one.tenant and one.tenant.state == TenantState.CLOSED]
    Person.objects.filter(pk__in=of_the_closed, memberships=None).delete()
    forget_standing(*people)


def _done(one: Attempted, *, by: Actor, is_ours: bool) -> Iterator[NewEntry]:
    """Whoever has the member by now finds what was not done here, and records it."""
    attempt = one.claim.attempt
    found = attempt.found if is_ours and not attempt.conflict else []
    if is_ours and attempt.adopted and attempt.seen is not None and not attempt.conflict:
        yield _happened(one.claim, Action.MEMBER_ADOPTED, by=by, after={"sub": attempt.seen.sub})
    if attempt.done or found:
        action = Action.MEMBER_DELETED if attempt.deleted else Action.MEMBER_PROVISIONED
        after: dict[str, object] = {"changes": _words(attempt.done)}
        yield _happened(one.claim, action, by=by, after=after | ({"found": _words(found)} if found else {}))


def _words(changes: Iterable[Change]) -> list[str]:
    return [change.in_words for change in changes]


def _happened(
    claim: Claim, action: Action, *, by: Actor, after: dict[str, object] | None = None, why: str = ""
) -> NewEntry:
    return NewEntry(action, by, org=claim.org, target=str(claim.member.person), after=after, why=why)


def _tenants_to_activate(ended: Sequence[Attempted]) -> dict[int | None, Tenant]:
    opening = (one.claim.member.tenant for one in ended if _makes_tenant_active(one))
    pks = {tenant.pk for tenant in opening if tenant is not None}
    found = Tenant.objects.filter(pk__in=pks).select_for_update().order_by("pk") if pks else ()
    return {tenant.pk: tenant for tenant in found}


def _makes_tenant_active(one: Attempted) -> bool:
    member, seen = one.claim.member, one.claim.attempt.seen
    if member.tenant is None or member.tenant.state != TenantState.PENDING or one.outcome != Outcome.SETTLED:
        return False
    return member.role == Role.OWNER and seen is not None and seen.enabled


def _begin_rings_again(ended: Sequence[Attempted]) -> None:
    """Where somebody of a suspended tenant had to be locked out though all had been: they were let in meanwhile."""
    locked_out = [one.claim.member.tenant_id for one in ended if _locked_out(one)]
    if tenants := {pk for pk in locked_out if pk is not None}:
        Suspension.objects.begin_again(tenants)


def _locked_out(one: Attempted) -> bool:
    """That they were signed out alone says nothing: so is who is disabled once more."""
    attempt = one.claim.attempt
    return attempt.met_enabled and any(isinstance(it, Disable | Delete) for it in attempt.done)


def _activate(tenant: Tenant, *, by: Actor) -> None:
    try:
        if tenant.state == TenantState.PENDING and owners(tenant).exists():
            transitions.activate(tenant, by=by)
    except NotNow:
        _log.info("not activated", extra={"tenant": tenant.slug})
