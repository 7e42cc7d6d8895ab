"""A tenant's timeline: everything that happened to it, in sentences."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.views.decorators.http import require_safe

from tenants.audit.timeline import Subject, entries_of, filter_by_subject, group_by_day, was_shortened
from tenants.models import Tenant
from tenants.operators.site import site
from tenants.pages.lists import Branch, Filter, apply_filters, choose, read_page

FILTERS = (
    Filter(
        "about",
        "About",
        (
            (Subject.TENANT, "The tenant itself"),
            (Subject.MEMBERS, "Members and their users in Cognito"),
            (Subject.PEOPLE, "Signing in, and refusals"),
        ),
        filter_by_subject,
    ),
)


def timeline(request: HttpRequest, org_id: UUID) -> HttpResponse:
    tenant = get_object_or_404(Tenant, org_id=org_id)
    chosen = choose(request, FILTERS)
    page = read_page([Branch(apply_filters(entries_of(org_id), FILTERS, chosen), ("seq",))], request)
    context = {
        "tenant": tenant,
        "page": page,
        "days": group_by_day(page.rows),
        "filters": chosen,
        "is_narrowed": any(choice.value for choice in chosen),
        "is_cut_off": not page.next and was_shortened(),
    }
    return render(request, "operators/timeline.html", context)


urlpatterns = [path("tenants/<uuid:org_id>/timeline/", site.admin_view(require_safe(timeline)), name="timeline")]
