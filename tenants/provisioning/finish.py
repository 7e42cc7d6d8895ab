"""Writes down how attempts ended: members' rows, what that means for their tenants, and the audit trail.

A pending tenant opens once Cognito has its owner. A suspension begins again where somebody had let a member in.

Many members at a time, since all processes add to the audit trail one after the other: a worker that comes to write
brings along all attempts that have ended meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

from django.db import DataError, IntegrityError, transaction

from tenants.audit import NewEntry, record_all
from tenants.audit.actions import Action
from tenants.domain.actor import WORKER, Actor
from tenants.domain.errors import NotNow, PortalError
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.domain.user_plan import Change, Create, Delete, Disable
from tenants.lifecycle import transitions
from tenants.lifecycle.suspension import begin_again
from tenants.members.open_recovery import note_owners_with_a_password
from tenants.members.roster import owners
from tenants.models import Member, Tenant
from tenants.provisioning.member_rows import mark_stuck, requeue_lost, write_rows
from tenants.provisioning.queue import Claim
from tenants.provisioning.results import Attempted, Outcome

_log = logging.getLogger(__name__)
OUR_FAULT = "The portal failed over this member. Its log says how; try again once that is mended."
_WRONG_WITH_ONE = (IntegrityError, DataError, ValueError, TypeError)
_RECORDED_OUTCOMES = {Outcome.STUCK: Action.MEMBER_STUCK, Outcome.CONFLICT: Action.MEMBER_CONFLICT}


def finish(claim: Claim, failure: PortalError | None = None, *, by: Actor = WORKER) -> Outcome:
    """Writes down what was found and done. A member that was changed meanwhile stays due."""
    return finish_all([Attempted(claim, failure)], by=by)[0]


def release(claim: Claim) -> None:
    """Leaves the member as due as it was. What was done is written down."""
    finish_all([Attempted(claim, given_back=True)])


def finish_all(ended: Sequence[Attempted], *, by: Actor = WORKER) -> list[Outcome]:
    """In one transaction. Members whose rows are locked follow one by one, each waited for."""
    with transaction.atomic():
        outcomes = _write_down(ended, by=by, waits=len(ended) == 1)
    for one in ended:
        if one not in outcomes:
            with transaction.atomic():
                outcomes |= _write_down([one], by=by, waits=True)
    if confirmed := [one.claim.member.pk for one in ended if _is_confirmed_owner(one)]:
        note_owners_with_a_password(Member.objects.filter(pk__in=confirmed))
    return [outcomes[one] for one in ended]


def finish_or_mark_stuck(ended: Sequence[Attempted]) -> list[Outcome]:
    """As `finish_all`, but a member that cannot be written down is stuck then, and does not hold up the others.

    Raises errors of the database itself.
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
        _log.exception("member stuck", extra={"member": one.claim.member.pk})
        with transaction.atomic():
            if mark_stuck(one.claim, why=OUR_FAULT):
                record_all([_entry(one.claim, Action.MEMBER_STUCK, by=WORKER, why=OUR_FAULT)])
        return Outcome.STUCK


def _write_down(ended: Sequence[Attempted], *, by: Actor, waits: bool) -> dict[Attempted, Outcome]:
    """Without members whose rows another transaction has locked, unless it `waits` for them.

    Tenants are locked before members, as everywhere.
    """
    tenants = _tenants_to_activate(ended)
    _restart_suspensions(ended)
    generations = _generations(ended, waits=waits)
    here = [one for one in ended if waits or one.claim.member.pk in generations]
    held = [one for one in here if generations.get(one.claim.member.pk) is not None]
    unchanged = [one for one in held if generations[one.claim.member.pk] == one.claim.member.generation]
    write_rows(held, unchanged)
    # A call that failed may have changed the user all the same.
    requeue_lost([one for one in here if one not in held and (one.claim.attempt.done or one.failure)])
    if entries := list(_entries(here, held, unchanged, by=by)):
        # Last, since all other processes that write to the audit trail wait from here on.
        record_all(entries)
    _activate_tenants(tenants, unchanged, by=by)
    return {one: one.outcome if one in unchanged or one.given_back else Outcome.OVERTAKEN for one in here}


def _generations(ended: Sequence[Attempted], *, waits: bool) -> dict[int, int | None]:
    """The rows' generations as they are now, locked; None for a row that another holder has by now.

    A change of a tenant locks all of its members in another order, so waiting for one while holding others would be
    a deadlock.
    """
    holders = {one.claim.member.pk: one.claim.holder for one in ended}
    rows = Member.objects.filter(pk__in=holders).select_for_update(skip_locked=not waits)
    now = rows.order_by("pk").values_list("pk", "generation", "leased_by")
    return {pk: generation if leased_by == holders[pk] else None for pk, generation, leased_by in now}


def _entries(
    here: Sequence[Attempted], held: Sequence[Attempted], unchanged: Sequence[Attempted], *, by: Actor
) -> Iterator[NewEntry]:
    for one in here:
        yield from _entries_of_calls(one, by=by, is_ours=one in held)
        if one in unchanged and one.outcome in _RECORDED_OUTCOMES:
            yield _entry(one.claim, _RECORDED_OUTCOMES[one.outcome], by=by, why=one.why)


def _entries_of_calls(one: Attempted, *, by: Actor, is_ours: bool) -> Iterator[NewEntry]:
    """What was done by others is recorded by the holder that has the member now."""
    attempt = one.claim.attempt
    found = attempt.found if is_ours and not attempt.conflict else []
    if is_ours and attempt.adopted and attempt.seen is not None and not attempt.conflict and not _has_created(one):
        yield _entry(one.claim, Action.MEMBER_ADOPTED, by=by, after={"sub": attempt.seen.sub})
    if attempt.done or found:
        action = Action.MEMBER_DELETED if attempt.deletes else Action.MEMBER_PROVISIONED
        after: dict[str, object] = {"changes": _words(attempt.done)}
        yield _entry(one.claim, action, by=by, after=after | ({"found": _words(found)} if found else {}))

    if is_ours and attempt.mail.problem:
        yield _entry(one.claim, Action.MEMBER_NOT_REACHED, by=by, why=attempt.mail.problem)


def _has_created(one: Attempted) -> bool:
    return any(isinstance(change, Create) for change in one.claim.attempt.done)


def _words(changes: Iterable[Change]) -> list[str]:
    return [change.in_words for change in changes]


def _entry(
    claim: Claim, action: Action, *, by: Actor, after: dict[str, object] | None = None, why: str = ""
) -> NewEntry:
    member = claim.member
    return NewEntry(action, by, org=member.org_id, target=str(member.person), after=after, why=why)


def _tenants_to_activate(ended: Sequence[Attempted]) -> dict[int, Tenant]:
    """By primary key, locked: tenants that may become active, since Cognito has their owner now."""
    pending = (one.claim.member.tenant for one in ended if _makes_tenant_active(one))
    pks = {tenant.pk for tenant in pending if tenant is not None}
    locked = Tenant.objects.filter(pk__in=pks).select_for_update().order_by("pk") if pks else ()
    return {tenant.pk: tenant for tenant in locked}


def _activate_tenants(tenants: dict[int, Tenant], unchanged: Iterable[Attempted], *, by: Actor) -> None:
    """Activates those of the `tenants` whose owner's row was not changed meanwhile."""
    opened = {one.claim.member.tenant_id for one in unchanged if _makes_tenant_active(one)}
    for pk, tenant in tenants.items():
        if pk in opened:
            _activate(tenant, by=by)


def _restart_suspensions(ended: Sequence[Attempted]) -> None:
    """Where a member of a suspended tenant had to be locked out again: somebody had let them in meanwhile."""
    tenants = [one.claim.member.tenant_id for one in ended if _was_locked_out(one)]
    if pks := {pk for pk in tenants if pk is not None}:
        begin_again(pks)


def _makes_tenant_active(one: Attempted) -> bool:
    member, seen = one.claim.member, one.claim.attempt.seen
    if member.tenant is None or member.tenant.state != TenantState.PENDING or one.outcome != Outcome.SETTLED:
        return False
    return member.role == Role.OWNER and seen is not None and seen.enabled


def _is_confirmed_owner(one: Attempted) -> bool:
    member, seen = one.claim.member, one.claim.attempt.seen
    is_new = member.tenant is not None and member.tenant.owner_signed_in_at is None
    return is_new and member.role == Role.OWNER and seen is not None and not seen.is_invited


def _was_locked_out(one: Attempted) -> bool:
    """A sign-out alone says nothing: a member who is disabled twice is signed out twice."""
    attempt = one.claim.attempt
    return attempt.was_enabled and any(isinstance(change, Disable | Delete) for change in attempt.done)


def _activate(tenant: Tenant, *, by: Actor) -> None:
    try:
        if tenant.state == TenantState.PENDING and owners(tenant).exists():
            transitions.activate(tenant, by=by)
    except NotNow:
        _log.info("not activated", extra={"tenant": tenant.slug})
