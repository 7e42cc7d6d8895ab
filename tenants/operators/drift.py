"""Drift: where the last comparison found Cognito to differ from the portal, what that lets people reach, and what to do
about each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from tenants.domain.actor import Actor
from tenants.domain.errors import InvalidInput
from tenants.domain.steps import possible_steps
from tenants.drift import lockout
from tenants.drift.reach import reaches
from tenants.drift.repair import FEW
from tenants.members.steps import TRY_NOW
from tenants.models import Drift, DriftKind, Provisioning, Reconciliation
from tenants.models.keyset import Branch
from tenants.operators.decorators import page_view
from tenants.pages.lists import Filter, apply_filters, narrowed_by, query_param, read_choices, read_page
from tenants.pages.step_pages import Subjects
from tenants.sign_in.access import signed_in

_TO_DO = {
    DriftKind.UNKNOWN_USER: (
        "The portal did not make this user: somebody with permissions in AWS did, or a member was removed while the "
        "pool was unreachable. The portal lets them into no page, but "
        "AWS gives anybody who signs in as this user the rows "
        "that its organisation and role name. Disable it now, and find out who made it: CloudTrail has the call. Then "
        "invite the person, or delete the user in the pool."
    ),
    DriftKind.MISSING_USER: (
        "The user was deleted in the pool. Repairing creates it again and sends a new invitation. If somebody already "
        "created it again by hand, in the same organisation, that user is adopted."
    ),
    DriftKind.ORG: (
        "The user with this address belongs to another organisation or another member. AWS goes by that user’s own "
        "organisation and role. Repairing leaves it alone: disable it now if nobody should have it, delete it in the "
        "pool, or remove the member and invite another address."
    ),
    DriftKind.ROLE: (
        "The role was changed in the pool by hand. The portal lets them in only while both roles are the same, but AWS "
        "goes by the role in Cognito, until it is repaired and for up to an hour longer. Repairing sets the role that "
        "the portal has."
    ),
    DriftKind.ENABLED: (
        "The user was enabled or disabled in the pool by hand. Somebody who is enabled in Cognito only can sign in "
        "there and reach their rows in AWS, though no page of the portal. Repairing restores what the portal has."
    ),
    DriftKind.WAITING: (
        "Somebody signed up for a new organisation and has not signed in yet. This is no difference, and there is "
        "nothing to do: the organisation becomes a tenant at its owner’s first sign-in."
    ),
}
_REPAIRED_NOW = (DriftKind.ROLE, DriftKind.ENABLED, DriftKind.UNKNOWN_USER, DriftKind.MISSING_USER)
_LEFT_ALONE = "Repairing leaves it alone."
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


# How AWS credentials get from a user of the pool to a person.
_HOW = (
    "Credentials come straight from AWS. Through the client for browsers anybody who signs in gets them, and they only "
    "read. To write, it takes the login client, whose secret the portal’s hosts have."
)
_HOW_WITHOUT_BROWSERS = (
    "Credentials come straight from AWS. To get them without the portal, it takes the login client’s secret, which the "
    "portal’s hosts and anybody who administers the user pool have."
)


@dataclass(frozen=True, slots=True)
class DriftRow:
    """`reaches` is what AWS lets the user reach, `became` what became of disabling them, each "" if there is nothing.

    `action` is the text of a button for the address, "" where there is none; `says` is what it does, or why there is
    none.
    """

    drift: Drift
    kind: str
    reaches: str
    became: str
    says: str = ""
    action: str = ""
    address: str = ""


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


def _rows(drifts: Sequence[Drift], by: Actor) -> list[DriftRow]:
    """Four queries at most, however many there are."""
    reached, states = reaches(drifts), lockout.states(drifts)
    many = next((_many_missing(drift.reconciliation) for drift in drifts if drift.kind == DriftKind.MISSING_USER), "")
    return [_row(drift, reached[drift.pk], states[drift.pk], many, by) for drift in drifts]


def _row(drift: Drift, reached: str, state: lockout.LockoutState, many_missing: str, by: Actor) -> DriftRow:
    row = DriftRow(drift, DriftKind(drift.kind).label, reached, state.in_words)
    if drift.repaired_at or drift.kind == DriftKind.WAITING:
        return row
    if state.can_be_asked and not lockout.DISABLE_USER.allowed(drift, by):
        address = reverse("operators:drift_disable-user", args=[drift.pk])
        says = "Disables this user in Cognito and signs them out there. The user stays in the pool."
        return replace(row, says=says, action=lockout.DISABLE_USER.verb, address=address)
    return _with_repair(row, many_missing, by)


def _with_repair(row: DriftRow, many_missing: str, by: Actor) -> DriftRow:
    member = row.drift.member
    if row.drift.kind not in _REPAIRED_NOW or member is None:
        return replace(row, says=_LEFT_ALONE)
    if member.provisioning == Provisioning.DUE:
        return replace(row, says="The worker repairs it: this member is due.")
    if row.drift.kind == DriftKind.MISSING_USER and many_missing:
        return replace(row, says=many_missing)
    if not possible_steps([TRY_NOW], member, by):
        return replace(row, says="The member matches Cognito by now. The next comparison will say so.")
    address = reverse("operators:member_try-now", args=[member.pk])
    return replace(row, says=_repair_in_words(row.drift), action="Repair now", address=address)


def _repair_in_words(drift: Drift) -> str:
    """What the worker does when it repairs this."""
    match drift.kind:
        case DriftKind.ROLE:
            return f"Sets the role {drift.wanted} in Cognito. Credentials issued before keep the old one for an hour."
        case DriftKind.MISSING_USER:
            return "Creates the user again. Cognito mails a new invitation."
        case DriftKind.ENABLED if drift.wanted == "enabled":
            return "Enables the user in Cognito. They can sign in again."
        case DriftKind.ENABLED:
            return "Disables the user in Cognito and signs them out there."
        case _:
            return "Deletes the removed member’s user in Cognito."


def _many_missing(run: Reconciliation) -> str:
    """Why none of many missing users is created from the page; "" where they are few."""
    missing = run.drifts.filter(kind=DriftKind.MISSING_USER, repaired_at=None).order_by()[: FEW + 1].count()
    if missing <= FEW:
        return ""
    return f"More than {FEW} users are missing. The command manage.py reconcile --repair asks for their number first."


def _find(pk: int) -> Drift:
    return get_object_or_404(Drift, pk=pk)


USERS = Subjects(
    find=_find,
    address=lambda drift: f"{reverse('operators:drift')}?run={drift.reconciliation_id}",
    crumbs=lambda _: [("Drift", reverse("operators:drift"))],
    frame="operators/frame.html",
)


@page_view
def list_page(request: HttpRequest) -> HttpResponse:
    choices = read_choices(request, FILTERS)
    run = _run(query_param(request, "run"))
    found = Drift.objects.filter(reconciliation=run).select_related(
        "member__person", "member__tenant", "reconciliation"
    )
    page = read_page([Branch(apply_filters(found, FILTERS, choices), ("id",))], request, counted=True)
    context = {
        "run": run,
        "page": page,
        "rows": _rows(page.rows, signed_in(request).actor),
        "filters": choices,
        "narrowed": narrowed_by(request, choices),
        "all": f"?run={run.pk}" if run and query_param(request, "run") else request.path,
        "others": _others(run) if run else (),
        "requested_run": query_param(request, "run"),
        "how": _HOW if settings.COGNITO_BROWSER_CLIENT_ID else _HOW_WITHOUT_BROWSERS,
        "meanings": [(kind.label, _TO_DO[kind]) for kind in DriftKind],
    }
    return render(request, "operators/drift.html", context)
