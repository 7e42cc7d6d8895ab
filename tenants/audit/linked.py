"""Entries with their places in both chains, from the database or from a line of an export."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from iam.nesting import check_nesting
from tenants.audit.chain import MAX_DEPTH, Entry, Flaw, entry_hash, org_link
from tenants.audit.reading import ORG_LINKS, UnreadableEntry
from tenants.models import AuditEvent


@dataclass(frozen=True, slots=True)
class LinkedEntry:
    """`org_seq` is 0 where `org` is None: an entry of the platform's own."""

    seq: int
    content: Mapping[str, object]
    previous_hash: str
    hash: str
    org: UUID | None
    org_seq: int
    org_previous_hash: str
    org_hash: str

    @property
    def in_trail(self) -> Entry:
        return Entry(self.seq, self.content, self.previous_hash, self.hash)

    @property
    def in_org(self) -> Entry:
        return Entry(self.org_seq, org_link(self.org_seq, self.hash), self.org_previous_hash, self.org_hash)

    def flaw_of_content(self) -> Flaw | None:
        """For a chain that covers the entry's hash and not its content."""
        if entry_hash(self.previous_hash, self.content) == self.hash:
            return None
        return Flaw(self.org_seq, "changed", f"Entry {self.org_seq} was changed: its hash is not that of its content.")


def linked(event: AuditEvent) -> LinkedEntry:
    return LinkedEntry(
        event.seq,
        event.content(),
        event.previous_hash,
        event.hash,
        event.org,
        event.org_seq or 0,
        event.org_previous_hash,
        event.org_hash,
    )


def lines_of(path: Path) -> Iterator[LinkedEntry]:
    """Raises OSError, and UnreadableEntry for a line that is no entry."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                check_nesting(text := line.decode("utf-8-sig"), deepest=2 * MAX_DEPTH)
                yield _parsed(json.loads(text, object_pairs_hook=_without_duplicates))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise UnreadableEntry(number, f"line {number} of the file is not an entry") from error


def _parsed(line: dict[str, Any]) -> LinkedEntry:
    previous_hash, own_hash, org = str(line.pop("previous_hash")), str(line.pop("hash")), line["org"]
    org_seq, org_previous_hash, org_hash = [line.pop(name) for name in ORG_LINKS] if org else (0, "", "")
    return LinkedEntry(
        int(line["seq"]),
        line,
        previous_hash,
        own_hash,
        UUID(org) if org else None,
        int(org_seq),
        str(org_previous_hash),
        str(org_hash),
    )


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises ValueError for a key that occurs twice: readers disagree about which of the values counts."""
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key occurs twice")
    return content
