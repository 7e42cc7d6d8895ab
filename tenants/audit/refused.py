"""Recording what was refused: after the transaction, which the refusal may roll back, and within limits.

Anybody can repeat a refusal at will. The same one is therefore recorded once a minute, and of one person only so many.
What was left out is counted, and a later entry of the same person says how many.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial, wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from django.db import Error, connection, transaction

from tenants.audit.actions import Action
from tenants.audit.chain import canonical
from tenants.audit.writing import record
from tenants.domain import log_context
from tenants.domain.actor import VISITOR, Actor, ActorKind
from tenants.domain.errors import InvalidInput, NotAllowed, NotNow
from tenants.domain.networks import network_of
from tenants.domain.org_id import is_org_id
from tenants.limits import count, is_first_in_a_minute, is_within, take_count
from tenants.models import Member, OwnerRecovery, Tenant

_log = logging.getLogger(__name__)
# How long a refused request waits for the head of the chain.
LOCK_WAIT_MS = 500
# Entries a minute with the same action. Of all visitors together: otherwise many addresses could fill the trail.
MOST_OF_ONE_RECORDED = 30
MOST_VISITORS_RECORDED = 60
# They make many entries in any case, each for something that they have done.
_UNLIMITED = {ActorKind.OPERATOR, ActorKind.BREAK_GLASS, ActorKind.TERMINAL, ActorKind.WORKER}
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def record_refusal(
    action: Action, *, by: Actor, org: UUID | None, target: str, after: Mapping[str, object], why: str
) -> None:
    """Records a refusal after the open transaction, which the refusal itself may roll back.

    Logs a failing database instead of raising: the person has to see the refusal in any case.
    """
    entry = partial(_record_or_log, action, by=by, org=org, target=target, after=after, why=why)
    transaction.on_commit(entry)


def record_refusal_once(
    action: Action,
    *,
    by: Actor,
    target: str,
    refusal: str,
    org: UUID | None = None,
    why: str = "",
    asked_for: str = "",
    **after: str,
) -> None:
    """The same, but once a minute for the same person and refusal: for what anybody can repeat at will.

    `asked_for` is whose rows or page the person asked for: an org id, or other words. What no tenant has counts as one
    and the same, so that invented org ids cannot use up the limit before a real one. Visitors are distinguished by
    address.
    """
    asked_for_tenant = _is_of_a_tenant(asked_for)
    facts = {"refusal": refusal, **after}
    what = canonical({**facts, "target": target, "why": why, "org": org, "of": asked_for if asked_for_tenant else ""})
    kind = f"{action} of a tenant" if asked_for_tenant else f"{action}"
    if not is_first_in_a_minute(f"refused {_person(by)} {action} {what!r}"):
        count(f"{kind} of {_person(by)}")
        return
    facts |= {"asked_for": asked_for} if asked_for else {}
    _record_within_limits(kind, action, by=by, org=org, target=target, after=facts, why=why)


def _record_within_limits(kind: str, action: Action, *, by: Actor, after: Mapping[str, object], **entry: Any) -> None:
    """Entries of another `kind` do not count: filling one limit hides nothing of another."""
    limits = {f"{kind} of {_person(by)}": MOST_OF_ONE_RECORDED}
    if by == VISITOR:
        limits[f"{kind} of visitors"] = MOST_VISITORS_RECORDED
    for limited, most in limits.items():
        if not is_within(most, f"recorded {limited}"):
            count(limited)
            if is_first_in_a_minute(f"too many {limited}"):
                record_refusal(Action.REFUSED_TOO_OFTEN, by=by, **{**entry, "after": {"action": action, "most": most}})
            return
    left_out = sum(map(take_count, limits))
    record_refusal(action, by=by, after={**after, **({"not_recorded": left_out} if left_out else {})}, **entry)


def _is_of_a_tenant(asked_for: str) -> bool:
    try:
        return is_org_id(asked_for) and Tenant.objects.filter(org_id=asked_for).exists()
    except Error:
        # Then nothing can be recorded either, and the log says so.
        return False


def _person(by: Actor) -> str:
    return by.id if by != VISITOR else network_of(log_context.facts().get("address", ""))


def audit_refusals(action: Action) -> Callable[[Callable[_Parameters, _Result]], Callable[_Parameters, _Result]]:
    """Decorates a use case: records its InvalidInput, NotAllowed and NotNow as refusals.

    The use case takes `by` and, if there is one yet, a `tenant`, `member` or `recovery`. If one decorated use case
    calls another, only the outer refusal is recorded: its transaction rolls back the inner one's.
    """

    def decorate(use_case: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
        @wraps(use_case)
        def recording(*arguments: _Parameters.args, **options: _Parameters.kwargs) -> _Result:
            try:
                return use_case(*arguments, **options)
            except (InvalidInput, NotAllowed, NotNow) as error:
                named = signature(use_case).bind(*arguments, **options).arguments
                org, target = _org_and_target(named)
                after = {"refusal": type(error).__name__, "asked": use_case.__name__}
                _record_step(action, by=named["by"], org=org, target=target, after=after, why=error.message)
                raise

        return recording

    return decorate


def _record_step(action: Action, *, by: Actor, **entry: Any) -> None:
    if by.kind in _UNLIMITED:
        record_refusal(action, by=by, **entry)
    else:
        _record_within_limits(action, action, by=by, **entry)


def _record_or_log(action: Action, **entry: Any) -> None:
    try:
        with _short_lock_wait():
            record(action, **entry)
    except Error as error:
        _log.exception("refusal not recorded", extra={"action": action, "why": type(error).__name__})


@contextmanager
def _short_lock_wait() -> Iterator[None]:
    """A transaction that fails after LOCK_WAIT_MS if another one holds the head of the chain."""
    if connection.vendor != "sqlite":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        ((previous,),) = cursor.fetchall()
        cursor.execute(f"PRAGMA busy_timeout = {LOCK_WAIT_MS}")
        try:
            with transaction.atomic():
                yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {previous}")


def _org_and_target(arguments: Mapping[str, object]) -> tuple[UUID | None, str]:
    member, tenant = arguments.get("member"), arguments.get("tenant")
    if isinstance(member, Member):
        return member.org_id, str(member.person)
    recovery = arguments.get("recovery")
    if isinstance(recovery, OwnerRecovery):
        return recovery.tenant.org_id, recovery.email
    org = tenant.org_id if isinstance(tenant, Tenant) else None
    return org, str(arguments.get("email") or tenant or arguments.get("name") or "")
