"""The audit trail as CSV. Memory stays flat, and no cell begins as a spreadsheet's formula does."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC
from functools import partial
from uuid import UUID

from django.db.models import QuerySet

from tenants.audit import activity
from tenants.audit.sentences import plain_text
from tenants.models import AuditEvent

COLUMNS = ("seq", "at", "actor", "actor_name", "action", "org", "target", "before", "after", "why", "request_id",
           "address", "previous_hash", "hash", "org_seq", "org_previous_hash", "org_hash")  # fmt: skip
# The same places in the organisation's chain, and no fact that is the platform's.
OWN_COLUMNS = ("org_seq", "at", "action", "what", "addresses", "why", "hash", "org_previous_hash", "org_hash")
BATCH = 1000
# https://owasp.org/www-community/attacks/CSV_Injection
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Echo:
    """A file for the csv module that returns each line instead of writing it."""

    def write(self, line: str) -> str:
        return line


def csv_lines(events: QuerySet[AuditEvent]) -> Iterator[str]:
    """Oldest first, a query for every thousand: a slow download keeps no transaction open."""
    return _lines(events, COLUMNS, lambda batch: [[_value(event, column) for column in COLUMNS] for event in batch])


def own_csv_lines(org: UUID, events: QuerySet[AuditEvent]) -> Iterator[str]:
    """The same as the organisation reads it, with three queries for every thousand."""
    return _lines(events, OWN_COLUMNS, partial(_own_rows, org))


Rows = Callable[[Sequence[AuditEvent]], Iterable[Sequence[str]]]


def _lines(events: QuerySet[AuditEvent], columns: Sequence[str], rows: Rows) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(columns)
    after = 0
    while True:
        batch = list(events.filter(seq__gt=after).order_by("seq")[:BATCH])
        yield "".join(writer.writerow(map(_cell, row)) for row in rows(batch))
        if len(batch) < BATCH:
            return
        after = batch[-1].seq


def _own_rows(org: UUID, batch: Sequence[AuditEvent]) -> Iterator[Sequence[str]]:
    for event, told in zip(batch, activity.told(org, batch, zone=UTC), strict=True):
        words = plain_text(told.sentence)
        addresses = " ".join(dict.fromkeys(part.address for part in told.sentence if part.address))
        chain = (event.hash, event.org_previous_hash, event.org_hash)
        yield str(told.seq), told.at.isoformat(), told.action, words, addresses, told.why, *chain


def _value(event: AuditEvent, column: str) -> str:
    value = getattr(event, column)
    if column == "at":
        return str(value.isoformat())
    if column in {"before", "after"}:
        value = json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""
    return "" if value is None else str(value)


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text
