"""Tenants: the list, one of them, and what steps are taken with: one tenant, several, or a new one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from tenants.domain.steps import WHY, WHY_OPTIONAL, Step, possible_steps, refused_steps
from tenants.health.blockers import blockers
from tenants.lifecycle.preview import preview_for_all
from tenants.lifecycle.steps import CLOSE, REACTIVATE, SUSPEND, TENANT_STEPS
from tenants.members.in_cognito import no_worker
from tenants.members.recovery import open_recovery
from tenants.models import Closing, Provisioning, Suspension, Tenant
from tenants.operators.decorators import page_view
from tenants.operators.member_rows import member_rows
from tenants.operators.metadata_rows import metadata_rows
from tenants.operators.suspension_progress import suspension_progress
from tenants.pages.bulk import BulkStep
from tenants.pages.step_pages import Subjects
from tenants.sign_in.access import signed_in

_MEMBERS_SHOWN = 20


@page_view
def detail_page(request: HttpRequest, org_id: UUID) -> HttpResponse:
    tenant = _find(org_id)
    members = list(tenant.members.select_related("person").order_by("id")[: _MEMBERS_SHOWN + 1])
    suspension = Suspension.objects.filter(tenant=tenant, lifted_at=None).first()
    by = signed_in(request).actor
    possible = [
        (step, reverse(f"operators:tenant_{step.name}", args=[org_id]))
        for step in possible_steps(TENANT_STEPS, tenant, by)
    ]
    context = {
        "tenant": tenant,
        "steps": [(step, address) for step, address in possible if not step.grave],
        "dangers": [(step, step.heading(tenant), address) for step, address in possible if step.grave],
        "not_allowed": refused_steps(TENANT_STEPS, tenant, by),
        "recovery": open_recovery(tenant),
        "metadata": metadata_rows(tenant.metadata),
        "members": member_rows(members[:_MEMBERS_SHOWN]),
        "no_worker": no_worker() if any(member.provisioning == Provisioning.DUE for member in members) else "",
        "has_more_members": len(members) > _MEMBERS_SHOWN,
        "progress": suspension_progress(suspension, stopped=bool(request.GET.get("stopped"))) if suspension else None,
        "blockers": blockers(suspension) if suspension else (),
        "closing": Closing.objects.filter(tenant=tenant).select_related("by_owner").order_by("-began_at").first(),
    }
    return render(request, "operators/tenant.html", context)


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


def _not_yet(counted: str) -> str:
    return f"{counted} Not done yet: Cognito and AWS. {no_worker() or 'The worker follows next.'}"


BULK_STEPS = (
    _bulk_step(SUSPEND, lambda counted: _not_yet(f"Suspended {counted}: the portal lets none of their members in.")),
    _bulk_step(REACTIVATE, lambda counted: _not_yet(f"Reactivated {counted} in the portal.")),
    _bulk_step(
        CLOSE,
        lambda counted: _not_yet(
            f"Began to close {counted}: the portal lets none of their members in. Each can be reopened on its own page."
        ),
    ),
)
