"""Drift: where the last comparison found Cognito to differ from the portal, and what to do about each kind."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from tenants.domain.errors import InvalidInput
from tenants.models import Drift, DriftKind, Reconciliation
from tenants.models.keyset import Branch
from tenants.operators.decorators import page_view
from tenants.pages.lists import Filter, apply_filters, choose, query_param, read_page

_TO_DO = {
    DriftKind.UNKNOWN_USER: (
        "Somebody made this user in the pool by hand, or the member was removed while the pool could not be reached. "
        "Nobody gets in with it. Invite the person properly, or delete the user in the pool."
    ),
    DriftKind.MISSING_USER: (
        "The user was deleted in the pool. Repairing creates it again and sends a new invitation. A user whom somebody "
        "made anew by hand, in the same organisation, is taken over."
    ),
    DriftKind.ORG: (
        "The user with this address is another organisation’s, or another member’s. Nothing is overwritten: "
        "delete that user in the pool, or remove the member and invite another address."
    ),
    DriftKind.ROLE: (
        "The role was changed in the pool by hand. The portal lets them in only once both agree; repairing sets what "
        "the portal has."
    ),
    DriftKind.ENABLED: ("The user was enabled or disabled in the pool by hand. Repairing does what the portal has."),
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
class Row:
    drift: Drift
    kind: str


def _run(text: str) -> Reconciliation | None:
    """The one that was asked for, or else the last one of the whole pool, or else the last one."""
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
    chosen = choose(request, FILTERS)
    run = _run(query_param(request, "run"))
    found = Drift.objects.filter(reconciliation=run).select_related("member__person")
    page = read_page([Branch(apply_filters(found, FILTERS, chosen), ("id",))], request)
    context = {
        "run": run,
        "page": page,
        "rows": [Row(drift, DriftKind(drift.kind).label) for drift in page.rows],
        "filters": chosen,
        "is_narrowed": any(choice.value for choice in chosen),
        "others": _others(run) if run else (),
        "asked_for": query_param(request, "run"),
        "meanings": [(kind.label, _TO_DO[kind]) for kind in DriftKind],
    }
    return render(request, "operators/drift.html", context)
