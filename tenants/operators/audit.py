"""The audit trail: a list of its entries, newest first; one entry with before and after; and the list as CSV."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.audit.csv import csv_lines
from tenants.audit.timeline import entry_sentence
from tenants.domain.actor import VISITOR, WORKER
from tenants.domain.errors import InvalidInput
from tenants.models import AuditEvent, Person, Tenant
from tenants.models.keyset import Branch
from tenants.operators.decorators import action_view, page_view
from tenants.pages.lists import Filter, Page, apply_filters, query_param, read_choices, read_page, without_page
from tenants.sign_in.access import signed_in

FILTERS = (
    Filter("action", "What", tuple((action, action) for action in Action), lambda rows, v: rows.filter(action=v)),
)
_TYPED = ("actor", "org", "from", "to")
# By the names that entries show.
_PROGRAMS = {program.name: program.id for program in (WORKER, VISITOR)}
# To the last microsecond of a day: the calendar's last day has no day after it.
_A_DAY = timedelta(days=1, microseconds=-1)


@page_view
def list_page(request: HttpRequest) -> HttpResponse:
    context = {
        "filters": read_choices(request, FILTERS),
        **{name: query_param(request, name) for name in _TYPED},
        "is_narrowed": bool(without_page(request.GET.dict())),
        "query": request.GET.urlencode(),
    }
    try:
        page = _page(request)
    except InvalidInput as problem:
        if problem.field not in _TYPED:
            raise
        return render(request, "operators/audit.html", {**context, "problem": problem}, status=400)
    return render(request, "operators/audit.html", {**context, "page": page, "rows": _with_tenants(page.rows)})


def _page(request: HttpRequest) -> Page:
    # A range of days uses the index on the time: entries are numbered in order even if a clock was wrong.
    key = ("at", "seq") if query_param(request, "from") or query_param(request, "to") else ("seq",)
    return read_page([Branch(_filtered(request), key)], request)


def _filtered(request: HttpRequest) -> QuerySet[AuditEvent]:
    """Raises InvalidInput for a wrong org id or day."""
    rows = apply_filters(AuditEvent.objects.all(), FILTERS, read_choices(request, FILTERS))
    if actor := query_param(request, "actor"):
        rows = rows.filter(_by(actor))
    if org := query_param(request, "org"):
        rows = rows.filter(org=_parse_org(org))
    if first := query_param(request, "from"):
        rows = rows.filter(at__gte=_midnight(first, field="from"))
    if last := query_param(request, "to"):
        rows = rows.filter(at__lte=_midnight(last, field="to") + _A_DAY)
    return rows


def _by(text: str) -> Q:
    """By the sub or the program, which are indexed; for an address of no known person, by the name in the entry."""
    text = _PROGRAMS.get(text.lower(), text)
    folded = Person.objects.alias(address=Lower("email")).exclude(email="")
    subs = folded.filter(address=text.lower(), sub__isnull=False).values_list("sub", flat=True)
    actors = [text, *map(str, subs)]
    is_gone = "@" in text and len(actors) == 1
    return Q(actor__in=actors) | Q(actor_name__in=[text, text.lower()]) if is_gone else Q(actor__in=actors)


def _parse_org(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        why = "This is not an org id. It looks like a0c3e000-0000-4000-8000-0000000000ac."
        raise InvalidInput(why, field="org") from error


def _midnight(text: str, *, field: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time.min, UTC)
    except ValueError as error:
        raise InvalidInput(f"“{text}” is not a day. Write it like 2026-03-31.", field=field) from error


def _with_tenants(events: Iterable[AuditEvent]) -> list[tuple[AuditEvent, Tenant | None]]:
    events = list(events)
    orgs = {event.org for event in events if event.org}
    tenants = {tenant.org_id: tenant for tenant in Tenant.objects.filter(org_id__in=orgs)} if orgs else {}
    return [(event, tenants.get(event.org) if event.org else None) for event in events]


@page_view
def detail_page(request: HttpRequest, seq: int) -> HttpResponse:
    event = get_object_or_404(AuditEvent, pk=seq)
    context = {
        "event": event,
        "sentence": entry_sentence(event),
        "tenant": Tenant.objects.filter(org_id=event.org).first() if event.org else None,
        "before": _pretty(event.before),
        "after": _pretty(event.after),
    }
    return render(request, "operators/audit_entry.html", context)


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) if value else ""


@action_view
def export(request: HttpRequest) -> HttpResponseBase:
    """All entries that the list would show now. The export itself is recorded in the trail."""
    rows = _filtered(request)
    newest = AuditEvent.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    record(
        Action.AUDIT_EXPORTED, by=signed_in(request).actor, after={"as": "csv", "of": without_page(request.GET.dict())}
    )
    response = StreamingHttpResponse(csv_lines(rows.filter(seq__lte=newest)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="audit-{timezone.now():%Y-%m-%d-%H%M}.csv"'
    return response
