"""The list of tenants: searched, narrowed, ordered by name, date or state, a page at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from tenants.domain.dates import formatted_day
from tenants.domain.errors import InvalidInput
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.search import search_tenants, with_members
from tenants.lifecycle.steps import plan_choices
from tenants.models import Member, Provisioning, Tenant
from tenants.models.keyset import Branch
from tenants.operators.decorators import page_view
from tenants.operators.tenants import BULK_STEPS
from tenants.pages.lists import (
    Filter,
    apply_filters,
    narrowed_by,
    query_param,
    read_choices,
    read_page,
    without_page,
)

_WORST_FIRST = (Provisioning.CONFLICT, Provisioning.STUCK, Provisioning.DUE)
_A_WEEK = timedelta(days=7)
# What a head of a column sorts by first, and what the order is called.
_ORDERS = {
    "name": "by name, A to Z",
    "-name": "by name, Z to A",
    "created": "oldest first",
    "-created": "newest first",
    "state": "by state, from pending to closed",
    "-state": "by state, from closed to pending",
}
_FIRST_OF = {"name": "name", "state": "state", "created": "-created"}
_NEWEST = "-created"


@dataclass(frozen=True, slots=True)
class TenantRow:
    """`owner` is the first of its owners, None where it has none; `other_owners` how many more there are.

    `provisioning` is the worst state among its members.
    """

    tenant: Tenant
    owner: Member | None
    other_owners: int
    provisioning: Provisioning


@dataclass(frozen=True, slots=True)
class SortedHead:
    """`address` sorts by this column, or the other way round where the list is already; `aria` is aria-sort's value."""

    label: str
    address: str
    aria: str


def filters() -> tuple[Filter, ...]:
    states = tuple((state, state.capitalize()) for state in TenantState)
    return (
        Filter("state", "State", states, lambda rows, v: rows.filter(state=v)),
        Filter("plan", "Plan", plan_choices(), lambda rows, v: rows.filter(plan=v)),
        Filter(
            "provisioning",
            "Provisioning",
            (("unresolved", "Stuck or conflict"), ("due", "Due"), ("stuck", "Stuck"), ("conflict", "Conflict")),
            _unsettled,
        ),
    )


@page_view
def list_page(request: HttpRequest) -> HttpResponse:
    offered, text, order = filters(), query_param(request, "q"), _order(request)
    choices, week = read_choices(request, offered), _week(query_param(request, "week"))
    rows = _created_in(apply_filters(Tenant.objects.all(), offered, choices), week)
    branches = search_tenants(rows, text) if text else _in_order(rows, order)
    page = read_page(branches, request, in_turn=not text and order.endswith("state"), counted=not text)
    in_words = f"week from {formatted_day(week)} (UTC)" if week else ""
    context = {
        "page": page,
        "rows": _rows(page.rows),
        "filters": choices,
        "text": text,
        "week": f"{week:%Y-%m-%d}" if week else "",
        "narrowed": narrowed_by(request, choices, [("q", "Find", text), ("week", "Created", in_words)]),
        "too_short": 0 < len(text) < 3 and text.isascii(),
        "heads": {} if text else _heads(request, order),
        "sort": request.GET.get("sort", ""),
        "order": _ORDERS[_NEWEST if text else order],
        "bulk_steps": BULK_STEPS,
    }
    return render(request, "operators/tenants.html", context)


def _unsettled(tenants: QuerySet[Tenant], provisioning: str) -> QuerySet[Tenant]:
    return with_members(tenants, ["stuck", "conflict"] if provisioning == "unresolved" else [provisioning])


def _order(request: HttpRequest) -> str:
    order = query_param(request, "sort") or _NEWEST
    if order not in _ORDERS:
        raise InvalidInput(f"This list has no order “{order}”. Choose one from the heads of its columns.")
    return order


def _in_order(rows: QuerySet[Tenant], order: str) -> list[Branch]:
    ascending = not order.startswith("-")
    match order.removeprefix("-"):
        case "name":
            return [Branch(rows.annotate(folded_name=Lower("name")), ("folded_name", "id"), ascending)]
        case "state":
            # A branch each: in one query with all states no index would lead to a page far down.
            states = list(TenantState) if ascending else list(reversed(TenantState))
            return [Branch(rows.filter(state=state), ("created_at", "id")) for state in states]
        case _:
            return [Branch(rows, ("created_at", "id"), ascending)]


def _heads(request: HttpRequest, order: str) -> Mapping[str, SortedHead]:
    return {
        name: _head(request, label, name, order)
        for name, label in (("name", "Name"), ("state", "State"), ("created", "Created"))
    }


def _head(request: HttpRequest, label: str, name: str, order: str) -> SortedHead:
    is_sorted, goes_up = order.removeprefix("-") == name, not order.startswith("-")
    sort = (f"-{name}" if goes_up else name) if is_sorted else _FIRST_OF[name]
    aria = ("ascending" if goes_up else "descending") if is_sorted else ""
    return SortedHead(label, f"?{urlencode({**without_page(request.GET.dict()), 'sort': sort})}", aria)


def _week(text: str) -> datetime | None:
    """The Monday of the week of this day, midnight UTC."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        monday = datetime.combine(day - timedelta(days=day.weekday()), time.min, UTC)
        # The calendar ends within its last week.
        return (monday + _A_WEEK) - _A_WEEK
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"“{text}” is not a day. Write it like 2026-03-31.") from error


def _created_in(rows: QuerySet[Tenant], week: datetime | None) -> QuerySet[Tenant]:
    return rows.filter(created_at__gte=week, created_at__lt=week + _A_WEEK) if week else rows


def _rows(tenants: Sequence[Tenant]) -> list[TenantRow]:
    """Two queries, however many there are."""
    if not tenants:
        return []
    unsettled = Member.objects.filter(tenant__in=tenants).exclude(provisioning=Provisioning.SETTLED)
    pairs = set(unsettled.values_list("tenant_id", "provisioning").distinct())
    owners = _owners(tenants)
    return [_row(tenant, owners.get(tenant.pk, []), pairs) for tenant in tenants]


def _owners(tenants: Sequence[Tenant]) -> Mapping[Any, list[Member]]:
    found = Member.objects.filter(tenant__in=tenants, role=Role.OWNER, removed=False).select_related("person")
    owners: dict[Any, list[Member]] = {}
    for owner in found.order_by("id"):
        owners.setdefault(owner.tenant_id, []).append(owner)
    return owners


def _row(tenant: Tenant, owners: Sequence[Member], pairs: Iterable[tuple[Any, str]]) -> TenantRow:
    worst = next((state for state in _WORST_FIRST if (tenant.pk, state) in pairs), Provisioning.SETTLED)
    return TenantRow(tenant, owners[0] if owners else None, max(0, len(owners) - 1), worst)
