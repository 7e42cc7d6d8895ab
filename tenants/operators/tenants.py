"""Tenants: the list, one of them, and what steps are taken with: one tenant, several, or a new one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from tenants.domain.steps import WHY, WHY_OPTIONAL, Step, possible_steps, refused_steps
from tenants.domain.tenant_state import TenantState
from tenants.health.blockers import blockers
from tenants.lifecycle.preview import preview_for_all
from tenants.lifecycle.search import search_tenants, with_members
from tenants.lifecycle.steps import CLOSE, REACTIVATE, SUSPEND, TENANT_STEPS, plan_choices
from tenants.lifecycle.suspension import Rings, rings
from tenants.members.in_cognito import no_worker
from tenants.members.recovery import open_recovery
from tenants.models import Closing, Member, Provisioning, Suspension, Tenant
from tenants.operators.decorators import page_view
from tenants.operators.member_rows import member_rows
from tenants.operators.metadata_rows import metadata_rows
from tenants.pages.bulk import BulkStep
from tenants.pages.lists import Filter, apply_filters, query_param, read_choices, read_page
from tenants.pages.step_pages import Subjects
from tenants.sign_in.access import signed_in

_MEMBERS_SHOWN = 20
_WORST_FIRST = (
    (Provisioning.CONFLICT, "conflict"),
    (Provisioning.STUCK, "stuck"),
    (Provisioning.DUE, "due"),
)


def _unsettled(tenants: QuerySet[Tenant], provisioning: str) -> QuerySet[Tenant]:
    return with_members(tenants, ["stuck", "conflict"] if provisioning == "unresolved" else [provisioning])


def filters() -> tuple[Filter, ...]:
    states = tuple((state, state.capitalize()) for state in TenantState)
    return (
        Filter("state", "State", states, lambda rows, v: rows.filter(state=v)),
        Filter("plan", "Plan", plan_choices(), lambda rows, v: rows.filter(plan=v)),
        Filter(
            "provisioning",
            "Provisioning",
            (("unresolved", "Stuck or conflict"), ("due", "Due"), ("conflict", "Conflict")),
            _unsettled,
        ),
    )


@dataclass(frozen=True, slots=True)
class TenantRow:
    """`provisioning` is the worst state among its members, "" where all are settled."""

    tenant: Tenant
    provisioning: str


@dataclass(frozen=True, slots=True)
class Ring:
    label: str
    text: str
    is_reached: bool


@page_view
def list_page(request: HttpRequest) -> HttpResponse:
    offered = filters()
    choices, text = read_choices(request, offered), query_param(request, "q")
    page = read_page(search_tenants(apply_filters(Tenant.objects.all(), offered, choices), text), request)
    context = {
        "page": page,
        "rows": _rows(page.rows),
        "filters": choices,
        "text": text,
        "is_narrowed": bool(text or any(choice.value for choice in choices)),
        "too_short": 0 < len(text) < 3 and text.isascii(),
        "bulk_steps": BULK_STEPS,
    }
    return render(request, "operators/tenants.html", context)


def _rows(tenants: Sequence[Tenant]) -> list[TenantRow]:
    unsettled = Member.objects.filter(tenant__in=tenants).exclude(provisioning=Provisioning.SETTLED)
    pairs = set(unsettled.values_list("tenant_id", "provisioning").distinct()) if tenants else set()
    return [TenantRow(tenant, _worst(tenant.pk, pairs)) for tenant in tenants]


def _worst(tenant_id: int, pairs: Iterable[tuple[Any, str]]) -> str:
    return next((label for value, label in _WORST_FIRST if (tenant_id, value) in pairs), "")


@page_view
def detail_page(request: HttpRequest, org_id: UUID) -> HttpResponse:
    tenant = _find(org_id)
    members = list(tenant.members.select_related("person").order_by("id")[: _MEMBERS_SHOWN + 1])
    suspension = Suspension.objects.filter(tenant=tenant, lifted_at=None).first()
    by = signed_in(request).actor
    possible = possible_steps(TENANT_STEPS, tenant, by)
    context = {
        "tenant": tenant,
        "steps": [(step, reverse(f"operators:tenant_{step.name}", args=[org_id])) for step in possible],
        "not_allowed": refused_steps(TENANT_STEPS, tenant, by),
        "recovery": open_recovery(tenant),
        "metadata": metadata_rows(tenant.metadata),
        "members": member_rows(members[:_MEMBERS_SHOWN]),
        "no_worker": no_worker() if any(member.provisioning == Provisioning.DUE for member in members) else "",
        "has_more_members": len(members) > _MEMBERS_SHOWN,
        "rings": _ring_rows(rings(suspension)) if suspension else (),
        "blockers": blockers(suspension) if suspension else (),
        "closing": Closing.objects.filter(tenant=tenant).order_by("-began_at").first(),
    }
    return render(request, "operators/tenant.html", context)


def _ring_rows(reached: Rings) -> tuple[Ring, ...]:
    portal, cognito, credentials, end = reached.sentences
    return (
        Ring("Portal", portal, is_reached=True),
        Ring("Cognito", cognito, is_reached=reached.signed_out_at is not None),
        Ring("Credentials already issued", credentials, is_reached=reached.denied_at is not None),
        Ring("Everything expired", end, is_reached=reached.is_over),
    )


def _find(org_id: UUID) -> Tenant:
    return get_object_or_404(Tenant, org_id=org_id)


def _address(tenant: Tenant) -> str:
    return reverse("operators:tenant", args=[tenant.org_id])


def _list_address() -> str:
    return reverse("operators:tenants")


TENANTS = Subjects(
    find=_find,
    address=_address,
    crumbs=lambda tenant: [("Tenants", _list_address()), (tenant.name, _address(tenant))],
    frame="operators/frame.html",
)
NEW_TENANTS = Subjects(
    find=lambda: None,
    address=lambda tenant: _address(tenant) if tenant else _list_address(),
    crumbs=lambda _: [("Tenants", _list_address())],
    frame="operators/frame.html",
)


def _find_all(keys: Sequence[int]) -> list[Tenant]:
    return list(Tenant.objects.filter(pk__in=keys).order_by("-created_at", "-id"))


def _bulk_step(step: Step, done: Callable[[str], str]) -> BulkStep:
    return BulkStep(
        step=step,
        find=_find_all,
        noun=("tenant", "tenants"),
        address=_list_address,
        expects=lambda tenants: preview_for_all(tenants, step.name),
        done=done,
        name=str,
        note=lambda tenant: tenant.slug,
        frame="operators/frame.html",
        fields=(WHY if WHY in step.fields else WHY_OPTIONAL,),
    )


BULK_STEPS = (
    _bulk_step(SUSPEND, lambda counted: f"Suspended {counted}: the portal lets none of their members in."),
    _bulk_step(REACTIVATE, lambda counted: f"Reactivated {counted}."),
    _bulk_step(CLOSE, lambda counted: f"Began to close {counted}. Each can be reopened on its own page."),
)
