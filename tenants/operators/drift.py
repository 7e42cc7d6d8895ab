"""Drift: where the last comparison found Cognito to differ from the portal, and what to do about each kind."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from tenants.domain.errors import InvalidInput
from tenants.models import Drift, DriftKind, Reconciliation
from tenants.models.keyset import Branch
from tenants.operators.decorators import page_view
from tenants.pages.lists import Filter, apply_filters, query_param, read_choices, read_page

_TO_DO = {
    DriftKind.UNKNOWN_USER: (
        "Somebody created this user in the pool by hand, or the member was removed while the pool was "
        "unreachable. This user cannot enter the portal. Invite the person, or delete the user in the pool."
    ),
    DriftKind.MISSING_USER: (
        "The user was deleted in the pool. Repairing creates it again and sends a new invitation. If somebody already "
        "created it again by hand, in the same organisation, that user is adopted."
    ),
    DriftKind.ORG: (
        "The user with this address belongs to another organisation or another member. Repairing leaves it alone: "
        "delete that user in the pool, or remove the member and invite another address."
    ),
    DriftKind.ROLE: (
        "The role was changed in the pool by hand. The portal lets them in only while both roles are the same. "
        "Repairing sets the role that the portal has."
    ),
    DriftKind.ENABLED: "The user was enabled or disabled in the pool by hand. Repairing restores what the portal has.",
    DriftKind.WAITING: (
        "Somebody signed up for a new organisation and has not signed in yet. This is no difference, and there is "
        "nothing to do: the organisation becomes a tenant at its owner’s first sign-in."
    ),
}
_OTHERS_SHOWN = 10
_LONGEST_KEY = 18
FILTERS = (
    Filter("kind", "Kind", tuple(DriftKind.choices), lambda rows, v: rows.filter(kind=v)),
    Filter(
        "repaired",
        "Repaired",
        (("no", "Not yet"), ("yes", "Repaired")),
        lambda rows, v: rows.filter(repaired_at__isnull=v == "no"),
    ),
)


@dataclass(frozen=True, slots=True)
class DriftRow:
    drift: Drift
    kind: str


def _run(text: str) -> Reconciliation | None:
    """The one in the address, else the last one of the whole pool, else the last one."""
    runs = Reconciliation.objects.select_related("tenant").order_by("-started_at")
    if not text:
        return Reconciliation.objects.of_the_pool() or runs.first()
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_KEY):
        raise InvalidInput("There is no such comparison.")
    return get_object_or_404(runs, pk=int(text))


def _others(run: Reconciliation) -> list[Reconciliation]:
    others = Reconciliation.objects.select_related("tenant").exclude(pk=run.pk)
    return list(others.order_by("-started_at")[:_OTHERS_SHOWN])


@page_view
def list_page(request: HttpRequest) -> HttpResponse:
    choices = read_choices(request, FILTERS)
    run = _run(query_param(request, "run"))
    found = Drift.objects.filter(reconciliation=run).select_related("member__person")
    page = read_page([Branch(apply_filters(found, FILTERS, choices), ("id",))], request)
    context = {
        "run": run,
        "page": page,
        "rows": [DriftRow(drift, DriftKind(drift.kind).label) for drift in page.rows],
        "filters": choices,
        "is_narrowed": any(choice.value for choice in choices),
        "others": _others(run) if run else (),
        "requested_run": query_param(request, "run"),
        "meanings": [(kind.label, _TO_DO[kind]) for kind in DriftKind],
    }
    return render(request, "operators/drift.html", context)
