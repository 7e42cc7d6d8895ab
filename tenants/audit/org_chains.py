"""The chains of all organisations, checked while the whole trail is read.

Their number is kept in memory, that of the entries is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from tenants.audit.chain import BEGINNING, ChainCheck, Flaw, Point
from tenants.audit.linked import LinkedEntry
from tenants.models import AuditOrgHead

Heads = Mapping[UUID, AuditOrgHead]


def all_org_heads() -> Heads:
    return {head.org: head for head in AuditOrgHead.objects.iterator()}


@dataclass(slots=True)
class OrgChains:
    """`heads` are from before the entries are read; None for a file, where a chain begins with its first entry."""

    heads: Heads | None
    checks: dict[UUID, ChainCheck] = field(default_factory=dict)

    def add(self, entry: LinkedEntry) -> Flaw | None:
        if entry.org is None:
            return None
        check = self.checks.get(entry.org)
        if check is None:
            check = self.checks[entry.org] = ChainCheck(self._start(entry, entry.org))
        flaw = check.add(entry.in_org)
        return flaw and _of_org(entry.org, entry.seq, flaw.kind, flaw.message)

    def finish(self, heads_now: Heads, *, last: int) -> Flaw | None:
        """What is wrong if the entries end with `last`. Others may have written since, so a head may be further."""
        for org in {**(self.heads or {}), **self.checks}:
            kind = self._kind_of_end(org, heads_now.get(org))
            if kind is not None:
                return _of_org(org, last + 1, kind, "Its entries do not end where its head says.")
        return None

    def _start(self, entry: LinkedEntry, org: UUID) -> Point:
        if self.heads is None:
            return Point(entry.org_seq - 1, entry.org_previous_hash)
        return start_of(self.heads.get(org))

    def _kind_of_end(self, org: UUID, now: AuditOrgHead | None) -> str | None:
        before = (self.heads or {}).get(org)
        check = self.checks.get(org)
        at = check.at if check else start_of(before)
        if before is not None and at.seq < before.seq:
            return "truncated"
        if now is None or at.seq > now.seq:
            return "added"
        return "head" if at.seq == now.seq and at.hash != now.hash else None


def start_of(head: AuditOrgHead | None) -> Point:
    return Point(head.kept_after, head.kept_after_hash) if head else BEGINNING


def _of_org(org: UUID, seq: int, kind: str, message: str) -> Flaw:
    return Flaw(seq, kind, f"In the chain of the organisation {org}: {message}")
