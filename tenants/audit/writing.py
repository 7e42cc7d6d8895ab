"""Writing the audit trail. Whoever changes something records it here, in the same transaction and as its last step:
the head of the chain is locked from then until the transaction ends. What was refused is recorded once that is over.
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
from tenants.audit.chain import GENESIS, entry_hash, kept, kept_text
from tenants.domain import log_context
from tenants.domain.actor import VISITOR, Actor
from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.networks import network_of
from tenants.limits import is_first_in_a_minute, is_within
from tenants.models import AuditEvent, AuditHead, Member, Tenant

_log = logging.getLogger(__name__)
# A page that refuses waits no longer than this for others to finish their entries.
PATIENCE_MS = 500
# Anybody can be refused as a visitor, from as many addresses as they have.
MOST_VISITORS_RECORDED = 60
_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


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
    """Appends an entry; the request's id and address come with it. A transaction that it fails in cannot commit.

    `before` and `after` hold JSON values, datetimes and UUIDs; raises TypeError for others. Texts are cut to fit.
    """
    return record_all([NewEntry(action, by, org, target, before, after, why)])[0]


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What an entry is to say, as `record` takes it."""

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
            "actor": kept_text(self.by.id, 120),
            "actor_name": kept_text(self.by.name, 254),
            "action": kept_text(self.action),
            "target": kept_text(self.target, 254),
            "before": kept(self.before or {}),
            "after": kept(self.after or {}),
            "why": kept_text(self.why, 500),
            "request_id": kept_text(facts.get("request_id", ""), 64),
            "address": kept_text(facts.get("address", ""), 64),
        }


def record_all(happened: Sequence[NewEntry]) -> list[AuditEvent]:
    """Appends an entry for each, in this order, as `record` does."""
    contents = [one.content() for one in happened]
    with transaction.atomic(savepoint=False):
        head, _ = AuditHead.objects.select_for_update().get_or_create(
            pk=1, defaults={"hash": GENESIS, "kept_after_hash": GENESIS}
        )
        events: list[AuditEvent] = []
        for content in contents:
            # The time is taken behind the lock, so that it goes up with the numbers.
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
    """Records that somebody was told no, after whatever transaction is open: the refusal itself may undo that one.

    Never raises for a database that fails: the person has to be told all the same.
    """
    entry = partial(_recorded_or_logged, action, by=by, org=org, target=target, after=after, why=why)
    transaction.on_commit(entry)


def record_refusal_once(
    action: Action, *, by: Actor, target: str, refusal: str, org: UUID | None = None, why: str = "", **after: str
) -> None:
    """For what anybody may ask for as often as they like: once a minute for the same actor, `target` and `refusal`.

    Visitors are told apart by address, and of all of them together only so many a minute are recorded.
    """
    if _is_to_be_recorded(by, f"{target} {refusal}"):
        record_refusal(action, by=by, org=org, target=target, after={"refusal": refusal, **after}, why=why)


def refusals_recorded(action: Action) -> Callable[[Callable[_Asked, _Answer]], Callable[_Asked, _Answer]]:
    """For a use case with `by` and a `tenant` or `member`, if there is one yet: its NotNow and InvalidInput.

    Of use cases within each other only the outermost is recorded: its transaction takes the inner ones' with it.
    """

    def decorate(use_case: Callable[_Asked, _Answer]) -> Callable[_Asked, _Answer]:
        @wraps(use_case)
        def asked(*arguments: _Asked.args, **options: _Asked.kwargs) -> _Answer:
            try:
                return use_case(*arguments, **options)
            except (InvalidInput, NotNow) as error:
                given = signature(use_case).bind(*arguments, **options).arguments
                org, target = _what_was_asked_for(given)
                after = {"refusal": type(error).__name__, "asked": use_case.__name__}
                record_refusal(action, by=given["by"], org=org, target=target, after=after, why=error.message)
                raise

        return asked

    return decorate


def _recorded_or_logged(action: Action, **entry: Any) -> None:
    try:
        with _impatient():
            record(action, **entry)
    except Error as error:
        _log.exception("refusal not recorded", extra={"action": action, "why": type(error).__name__})


@contextmanager
def _impatient() -> Iterator[None]:
    """A transaction that fails soon where somebody else holds the head of the chain."""
    if connection.vendor != "sqlite":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {PATIENCE_MS}")
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        ((usual,),) = cursor.fetchall()
        cursor.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
        try:
            with transaction.atomic():
                yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {usual}")


def _is_to_be_recorded(by: Actor, what: str) -> bool:
    if by != VISITOR:
        return is_first_in_a_minute(f"refused {by.id} {what}")
    network = network_of(log_context.facts().get("address", ""))
    return is_first_in_a_minute(f"refused {network} {what}") and is_within(MOST_VISITORS_RECORDED, "refused visitors")


def _what_was_asked_for(given: Mapping[str, object]) -> tuple[UUID | None, str]:
    member, tenant = given.get("member"), given.get("tenant")
    if isinstance(member, Member):
        return member.org_id, str(member.person)
    org = tenant.org_id if isinstance(tenant, Tenant) else None
    return org, str(given.get("email") or tenant or given.get("name") or "")
