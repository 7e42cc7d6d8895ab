"""Fills the audit trail, and tampers with it as the owner of the database could."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.management import call_command
from django.db import connection

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.audit.chain import entry_hash, org_link
from tenants.domain.actor import Actor, ActorKind
from tenants.models import AuditEvent, AuditHead, AuditOrgHead

SOMEBODY = Actor("test", "a test", ActorKind.OPERATOR)
_TABLES = ("tenants_auditevent", "tenants_audithead", "tenants_auditorghead")


def record_entries(count: int, *, org: UUID | None = None) -> list[AuditEvent]:
    return [
        record(
            Action.MEMBER_ROLE_CHANGED,
            by=SOMEBODY,
            org=org,
            target=f"p{number}@acme.example",
            before={"role": "viewer"},
            after={"role": "editor", "share": 0.25, "note": "größer ✓"},
            why=f"reason {number}",
        )
        for number in range(count)
    ]


@contextmanager
def without_triggers() -> Iterator[None]:
    """Without the triggers, which the owner of the database can drop."""
    if connection.vendor != "sqlite":
        for table in _TABLES:
            run_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        for table in _TABLES:
            run_sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'tenants_audit%'")
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
        yield
        for _, text in triggers:
            cursor.execute(text)


def run_sql(statement: str, *parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def rewrite(*, first: int) -> None:
    """Recomputes every hash from entry `first` on, and the head, so that the chain is consistent again."""
    head, before = AuditHead.objects.get(), AuditEvent.objects.filter(seq=first - 1).first()
    previous = before.hash if before else head.kept_after_hash
    for event in AuditEvent.objects.filter(seq__gte=first).order_by("seq"):
        own = entry_hash(previous, event.content())
        run_sql("UPDATE tenants_auditevent SET previous_hash = %s, hash = %s WHERE seq = %s", previous, own, event.seq)
        AuditHead.objects.update(seq=event.seq, hash=own)
        previous = own
    for org in AuditOrgHead.objects.values_list("org", flat=True):
        _rewrite_org(org)


def _rewrite_org(org: UUID) -> None:
    head = AuditOrgHead.objects.get(org=org)
    previous = head.kept_after_hash
    for event in AuditEvent.objects.filter(org=org, org_seq__gt=head.kept_after).order_by("seq"):
        own = entry_hash(previous, org_link(event.org_seq or 0, event.hash))
        statement = "UPDATE tenants_auditevent SET org_previous_hash = %s, org_hash = %s WHERE seq = %s"
        run_sql(statement, previous, own, event.seq)
        AuditOrgHead.objects.filter(org=org).update(seq=event.org_seq, hash=own)
        previous = own


def make_older(days: int = 1000) -> None:
    """Makes the whole trail so many days older."""
    with without_triggers():
        for event in AuditEvent.objects.order_by("seq"):
            then = event.at - timedelta(days=days)
            run_sql("UPDATE tenants_auditevent SET at = %s WHERE seq = %s", database_value(then), event.seq)
        rewrite(first=AuditHead.objects.get().kept_after + 1)


def database_value(moment: datetime) -> object:
    return connection.ops.adapt_datetimefield_value(moment)


def verify_audit(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON output of `manage.py verify_audit`."""
    out = io.StringIO()
    try:
        call_command("verify_audit", "--json", *arguments, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())
