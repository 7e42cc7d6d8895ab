"""Writing the audit trail.

A use case records its change here, in the same transaction and as its last step: recording locks the head of the
chain until the transaction ends. Refusals are recorded after the transaction, which they may roll back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from django.db import Error, connection, transaction
from django.utils import timezone

from tenants.audit.actions import Action
from tenants.audit.chain import GENESIS, entry_hash, storable, storable_text
from tenants.domain import log_context
from tenants.domain.actor import VISITOR, Actor
from tenants.domain.errors import InvalidInput, NotAllowed, NotNow
from tenants.domain.networks import network_of
from tenants.limits import is_first_in_a_minute, is_within
from tenants.models import AuditEvent, AuditHead, Member, OwnerRecovery, Tenant

_log = logging.getLogger(__name__)
# How long a refused request waits for the head of the chain.
LOCK_WAIT_MS = 500
# Of all visitors together, a minute: otherwise many addresses could fill the trail.
MOST_VISITORS_RECORDED = 60
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def record(
    action: Action,
    *,
    by: Actor,
    org: UUID | None = None,
    target: str = "",
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    why: str = "",
) -> AuditEvent:
    """Appends an entry with the request's id and address. If that fails, the surrounding transaction cannot commit.

    `before` and `after` hold JSON values, datetimes and UUIDs; raises TypeError for others. Long texts are cut.
    """
    return record_all([NewEntry(action, by, org, target, before, after, why)])[0]


@dataclass(frozen=True, slots=True)
class NewEntry:
    """The arguments of `record`, for `record_all`."""

    action: Action
    by: Actor
    org: UUID | None = None
    target: str = ""
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None
    why: str = ""

    def content(self) -> dict[str, Any]:
        facts = log_context.facts()
        return {
            "org": self.org,
            "actor": storable_text(self.by.id, 120),
            "actor_name": storable_text(self.by.name, 254),
            "action": storable_text(self.action),
            "target": storable_text(self.target, 254),
            "before": storable(self.before or {}),
            "after": storable(self.after or {}),
            "why": storable_text(self.why, 500),
            "request_id": storable_text(facts.get("request_id", ""), 64),
            "address": storable_text(facts.get("address", ""), 64),
        }


def record_all(entries: Sequence[NewEntry]) -> list[AuditEvent]:
    """Appends the entries in this order, as `record` does."""
    contents = [entry.content() for entry in entries]
    with transaction.atomic(savepoint=False):
        head, _ = AuditHead.objects.select_for_update().get_or_create(
            pk=1, defaults={"hash": GENESIS, "kept_after_hash": GENESIS}
        )
        events: list[AuditEvent] = []
        for content in contents:
            # The time is taken while the head is locked, so that it grows with the numbers.
            event = AuditEvent(seq=head.seq + 1, at=timezone.now(), previous_hash=head.hash, **content)
            head.seq, head.hash = event.seq, entry_hash(head.hash, event.content())
            event.hash = head.hash
            events.append(event)
        AuditEvent.objects.bulk_create(events)
        AuditHead.objects.filter(pk=1).update(seq=head.seq, hash=head.hash)
    return events


def record_refusal(
    action: Action, *, by: Actor, org: UUID | None, target: str, after: Mapping[str, object], why: str
) -> None:
    """Records a refusal after the open transaction, which the refusal itself may roll back.

    Logs a failing database instead of raising: the person has to see the refusal in any case.
    """
    entry = partial(_record_or_log, action, by=by, org=org, target=target, after=after, why=why)
    transaction.on_commit(entry)


def record_refusal_once(
    action: Action, *, by: Actor, target: str, refusal: str, org: UUID | None = None, why: str = "", **after: str
) -> None:
    """The same, but once a minute for the same actor, `target` and `refusal`: for what anybody can repeat at will.

    Visitors are distinguished by address, and at most MOST_VISITORS_RECORDED a minute are recorded of all together.
    """
    if _should_record(by, f"{target} {refusal}"):
        record_refusal(action, by=by, org=org, target=target, after={"refusal": refusal, **after}, why=why)


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
                record_refusal(action, by=named["by"], org=org, target=target, after=after, why=error.message)
                raise

        return recording

    return decorate


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


def _should_record(by: Actor, what: str) -> bool:
    if by != VISITOR:
        return is_first_in_a_minute(f"refused {by.id} {what}")
    network = network_of(log_context.facts().get("address", ""))
    return is_first_in_a_minute(f"refused {network} {what}") and is_within(MOST_VISITORS_RECORDED, "refused visitors")


def _org_and_target(arguments: Mapping[str, object]) -> tuple[UUID | None, str]:
    member, tenant = arguments.get("member"), arguments.get("tenant")
    if isinstance(member, Member):
        return member.org_id, str(member.person)
    recovery = arguments.get("recovery")
    if isinstance(recovery, OwnerRecovery):
        return recovery.tenant.org_id, recovery.email
    org = tenant.org_id if isinstance(tenant, Tenant) else None
    return org, str(arguments.get("email") or tenant or arguments.get("name") or "")
