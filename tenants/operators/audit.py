"""The audit trail: who did what to whom, newest first; one entry with before and after; and all of it as CSV."""

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
from django.urls import URLPattern
from django.utils import timezone

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.audit.csv import csv_lines
from tenants.audit.timeline import entry_sentence
from tenants.domain.actor import VISITOR, WORKER
from tenants.domain.errors import InvalidInput
from tenants.models import AuditEvent, Person, Tenant
from tenants.operators.shown_only import ShownOnly, actor_of
from tenants.pages.lists import Branch, Filter, Page, apply_filters, choose, query_param, read_page, without_page

FILTERS = (
    Filter("action", "What", tuple((action, action) for action in Action), lambda rows, v: rows.filter(action=v)),
)
_TYPED = ("actor", "org", "from", "to")
# By what entries call them.
_PROGRAMS = {program.name: program.id for program in (WORKER, VISITOR)}
# The day itself, to its last microsecond: there is none after the last day of the calendar.
_A_DAY = timedelta(days=1, microseconds=-1)


class AuditAdmin(ShownOnly):
    def get_urls(self) -> list[URLPattern]:
        return [
            self.page_at("", list_page, "audit"),
            self.act_at("export/", export, "audit_export"),
            self.page_at("<int:seq>/", detail_page, "audit_entry"),
        ]


def list_page(request: HttpRequest) -> HttpResponse:
    context = {
        "filters": choose(request, FILTERS),
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
    # By the index of the time where that is asked for: clocks may have been wrong, and numbers do not say when.
    key = ("at", "seq") if query_param(request, "from") or query_param(request, "to") else ("seq",)
    return read_page([Branch(_asked_for(request), key)], request)


def _asked_for(request: HttpRequest) -> QuerySet[AuditEvent]:
    """Raises InvalidInput for what is no org id, or no day."""
    rows = apply_filters(AuditEvent.objects.all(), FILTERS, choose(request, FILTERS))
    if actor := query_param(request, "actor"):
        rows = rows.filter(_by(actor))
    if org := query_param(request, "org"):
        rows = rows.filter(org=_org(org))
    if first := query_param(request, "from"):
        rows = rows.filter(at__gte=_midnight(first, field="from"))
    if last := query_param(request, "to"):
        rows = rows.filter(at__lte=_midnight(last, field="to") + _A_DAY)
    return rows


def _by(text: str) -> Q:
    """By the sub or the program's name that an index is of; else by what the entry itself calls them."""
    text = _PROGRAMS.get(text.lower(), text)
    folded = Person.objects.alias(address=Lower("email")).exclude(email="")
    subs = folded.filter(address=text.lower(), sub__isnull=False).values_list("sub", flat=True)
    actors = [text, *map(str, subs)]
    is_gone = "@" in text and len(actors) == 1
    return Q(actor__in=actors) | Q(actor_name__in=[text, text.lower()]) if is_gone else Q(actor__in=actors)


def _org(text: str) -> UUID:
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


def export(request: HttpRequest) -> HttpResponseBase:
    """What the list shows, whole, as it is now. That somebody took it along stands in the trail too."""
    rows = _asked_for(request)
    newest = AuditEvent.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    record(Action.AUDIT_EXPORTED, by=actor_of(request), after={"as": "csv", "of": without_page(request.GET.dict())})
    response = StreamingHttpResponse(csv_lines(rows.filter(seq__lte=newest)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="audit-{timezone.now():%Y-%m-%d-%H%M}.csv"'
    return response
