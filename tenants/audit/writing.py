"""Writing the audit trail.

A use case records its change here, in the same transaction and as its last step: recording locks the head of the
chain until the transaction ends.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from tenants.audit.actions import Action
from tenants.audit.chain import GENESIS, entry_hash, org_link, storable, storable_text
from tenants.domain import log_context
from tenants.domain.actor import Actor
from tenants.models import AuditEvent, AuditHead, AuditOrgHead

_EMPTY = {"hash": GENESIS, "kept_after_hash": GENESIS}
HEADS_AT_ONCE = 200


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
        # The lock of this one row also protects the heads of all organisations.
        head, _ = AuditHead.objects.select_for_update().get_or_create(pk=1, defaults=_EMPTY)
        org_heads = _OrgHeads.of({entry.org for entry in entries if entry.org})
        events: list[AuditEvent] = []
        for content in contents:
            # The time is taken while the head is locked, so that it grows with the numbers.
            event = AuditEvent(seq=head.seq + 1, at=timezone.now(), previous_hash=head.hash, **content)
            head.seq, head.hash = event.seq, entry_hash(head.hash, event.content())
            event.hash = head.hash
            org_heads.append(event)
            events.append(event)
        AuditEvent.objects.bulk_create(events)
        AuditHead.objects.filter(pk=1).update(seq=head.seq, hash=head.hash)
        org_heads.save()
    return events


@dataclass(frozen=True, slots=True)
class _OrgHeads:
    """The ends of the organisations' own chains, while entries are appended: one query to read them, one to write."""

    known: dict[UUID, AuditOrgHead]
    new: dict[UUID, AuditOrgHead]

    @classmethod
    def of(cls, orgs: Collection[UUID]) -> Self:
        known = {head.org: head for head in AuditOrgHead.objects.filter(org__in=orgs)} if orgs else {}
        return cls(known, {org: AuditOrgHead(org=org, **_EMPTY) for org in orgs if org not in known})

    def append(self, event: AuditEvent) -> None:
        if event.org is None:
            return
        head = self.known.get(event.org) or self.new[event.org]
        event.org_seq, event.org_previous_hash = head.seq + 1, head.hash
        event.org_hash = entry_hash(head.hash, org_link(event.org_seq, event.hash))
        head.seq, head.hash = event.org_seq, event.org_hash

    def save(self) -> None:
        match [*self.known.values()]:
            case [head]:
                # The usual case. Django takes longer to compose the general statement.
                AuditOrgHead.objects.filter(pk=head.pk).update(seq=head.seq, hash=head.hash)
            case heads:
                AuditOrgHead.objects.bulk_update(heads, ["seq", "hash"], batch_size=HEADS_AT_ONCE)
        if self.new:
            AuditOrgHead.objects.bulk_create(self.new.values())
