"""The audit trail: a list of its entries, newest first; one entry with before and after; and the list as CSV."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
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
from tenants.audit.kinds import GROUPS, actions_of, kind_in_words
from tenants.audit.timeline import entry_sentence
from tenants.domain.actor import VISITOR, WORKER
from tenants.domain.errors import InvalidInput
from tenants.domain.steps import Field
from tenants.models import AuditEvent, Person, Tenant
from tenants.models.keyset import Branch
from tenants.operators.decorators import action_view, page_view
from tenants.pages.day_range import read_days, shortcuts
from tenants.pages.lists import Narrowing, Page, narrowed_by, query_param, read_page, without_page
from tenants.sign_in.access import signed_in

# By the names that entries show.
_PROGRAMS = {program.name: program.id for program in (WORKER, VISITOR)}

_HINT = (
    "“Who” is a whole e-mail address, a sub, or a program such as worker or command. “Tenant” is a short name or an "
    "org id."
)
# What may narrow the list, as it is called above it.
_LABELS = (("action", "Event"), ("actor", "Who"), ("org", "Tenant"), ("from", "From"), ("to", "To"))


@dataclass(slots=True)
class _Asked:
    """What the address asks for. `values` are as typed, `problems` are each at its field."""

    rows: QuerySet[AuditEvent]
    values: dict[str, str] = field(default_factory=dict)
    problems: list[InvalidInput] = field(default_factory=list)
    tenant: Tenant | None = None


@page_view
def list_page(request: HttpRequest) -> HttpResponse:
    asked = _asked(request)
    context = {
        "asked": asked.values,
        "errors": {problem.field: problem.message for problem in asked.problems},
        "wrong": [Field(problem.field, "", error=problem.message) for problem in asked.problems],
        "tenant": asked.tenant,
        "with_targets": "@" in asked.values["actor"],
        "groups": GROUPS,
        "shortcuts": shortcuts(request),
        "narrowed": _narrowed(asked, request),
        "query": request.GET.urlencode(),
        "hint": f"{_HINT} Days are in {timezone.get_current_timezone_name()}.",
    }
    if asked.problems:
        return render(request, "operators/audit.html", context, status=400)
    page = _page(asked, request)
    return render(request, "operators/audit.html", {**context, "page": page, "rows": _with_tenants(page.rows)})


def _page(asked: _Asked, request: HttpRequest) -> Page:
    # A range of days uses the index on the time: entries are numbered in order even if a clock was wrong.
    key = ("at", "seq") if asked.values["from"] or asked.values["to"] else ("seq",)
    return read_page([Branch(asked.rows, key)], request)


def _asked(request: HttpRequest) -> _Asked:
    days, of_days = read_days(request)
    asked = _Asked(AuditEvent.objects.filter(**days.limits()))
    asked.values |= {name: request.GET.get(name, "") for name in ("action", "actor", "org", "from", "to")}
    for name, narrow in (("action", _narrow_to_kind), ("actor", _narrow_to_actor), ("org", _narrow_to_tenant)):
        try:
            if text := query_param(request, name):
                narrow(asked, text)
        except InvalidInput as problem:
            asked.problems.append(InvalidInput(problem.message, field=name))
    asked.problems += of_days
    return asked


def _narrowed(asked: _Asked, request: HttpRequest) -> tuple[Narrowing, ...]:
    """In words. What cannot be understood narrows nothing: its field says what is wrong."""
    words = {**asked.values, "action": kind_in_words(asked.values["action"])}
    if asked.tenant:
        words["org"] = asked.tenant.name
    words |= {problem.field: "" for problem in asked.problems}
    return narrowed_by(request, (), [(name, label, words[name].strip()) for name, label in _LABELS])


def _narrow_to_kind(asked: _Asked, kind: str) -> None:
    actions = actions_of(kind)
    if not actions:
        raise InvalidInput(f"Unknown event “{kind}”. Choose one from the list.")
    asked.rows = asked.rows.filter(action__in=actions)


def _narrow_to_actor(asked: _Asked, text: str) -> None:
    # The entries of one tenant are few enough to look through for what was done to the person.
    asked.rows = asked.rows.filter(_by(text, with_targets=bool(asked.values["org"])))


def _narrow_to_tenant(asked: _Asked, text: str) -> None:
    asked.tenant, org_id = _tenant_and_org(text)
    asked.rows = asked.rows.filter(org=org_id)


def _by(text: str, *, with_targets: bool) -> Q:
    """By the sub or the program, which are indexed; for an address of no known person, by the name in the entry.

    `with_targets`: also what was done to the person.
    """
    text = _PROGRAMS.get(text.lower(), text)
    folded = Person.objects.alias(address=Lower("email")).exclude(email="")
    subs = folded.filter(address=text.lower(), sub__isnull=False).values_list("sub", flat=True)
    actors = [text, *map(str, subs)]
    condition = Q(actor__in=actors)
    if "@" in text and len(actors) == 1:
        condition |= Q(actor_name__in=[text, text.lower()])
    return condition | Q(target__in=[text, text.lower()]) if with_targets and "@" in text else condition


def _tenant_and_org(text: str) -> tuple[Tenant | None, UUID]:
    """By its org id, which no tenant may have any more, or its short name. Raises InvalidInput."""
    try:
        org_id = UUID(text)
    except ValueError as error:
        tenant = Tenant.objects.filter(slug=text.lower()).first()
        if tenant is None:
            why = f"No tenant has the short name “{text}”, and it is no org id. Enter one of the two."
            raise InvalidInput(why) from error
        return tenant, tenant.org_id
    return Tenant.objects.filter(org_id=org_id).first(), org_id


def _with_tenants(events: Iterable[AuditEvent]) -> list[tuple[AuditEvent, str, Tenant | None]]:
    events = list(events)
    orgs = {event.org for event in events if event.org}
    tenants = {tenant.org_id: tenant for tenant in Tenant.objects.filter(org_id__in=orgs)} if orgs else {}
    return [(event, kind_in_words(event.action), tenants.get(event.org) if event.org else None) for event in events]


@page_view
def detail_page(request: HttpRequest, seq: int) -> HttpResponse:
    event = get_object_or_404(AuditEvent, pk=seq)
    context = {
        "event": event,
        "kind": kind_in_words(event.action),
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
    asked = _asked(request)
    for problem in asked.problems:
        raise problem
    newest = AuditEvent.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    given = without_page(request.GET.dict())
    days_in = {"days_in": timezone.get_current_timezone_name()} if {"from", "to"} & given.keys() else {}
    record(Action.AUDIT_EXPORTED, by=signed_in(request).actor, after={"as": "csv", "of": given, **days_in})
    response = StreamingHttpResponse(
        csv_lines(asked.rows.filter(seq__lte=newest)), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="audit-{timezone.now():%Y-%m-%d-%H%M}.csv"'
    return response
