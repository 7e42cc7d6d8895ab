"""A tenant's timeline: everything that happened to it, in sentences."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.timezone import get_current_timezone_name

from tenants.audit.timeline import Subject, entries_of, filter_by_subject, group_by_day, was_shortened
from tenants.models import Tenant
from tenants.models.keyset import Branch
from tenants.operators.decorators import page_view
from tenants.pages.lists import Filter, apply_filters, narrowed_by, read_choices, read_page

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


@page_view
def timeline(request: HttpRequest, org_id: UUID) -> HttpResponse:
    tenant = get_object_or_404(Tenant, org_id=org_id)
    choices = read_choices(request, FILTERS)
    page = read_page([Branch(apply_filters(entries_of(org_id), FILTERS, choices), ("seq",))], request)
    context = {
        "tenant": tenant,
        "page": page,
        "time_zone": get_current_timezone_name(),
        "days": group_by_day(page.rows),
        "filters": choices,
        "narrowed": narrowed_by(request, choices),
        "is_cut_off": not page.next and was_shortened(),
    }
    return render(request, "operators/timeline.html", context)
