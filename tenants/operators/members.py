"""Members of all tenants, and the operators: the list, and one of them compared with their user in Cognito."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import Exists, F, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from tenants.audit.activity_filter import newest_about
from tenants.audit.timeline import timeline_entry
from tenants.domain.errors import InvalidInput
from tenants.domain.roles import Role
from tenants.domain.steps import possible_steps, refused_steps, verbs_prevented
from tenants.domain.user_plan import Conflict, DesiredUser, Seen
from tenants.drift.reach import reach_of_member, with_name
from tenants.lifecycle import search
from tenants.members.account_steps import page_for_oneself
from tenants.members.addresses import address_to_find
from tenants.members.in_cognito import has_drifted, no_worker
from tenants.members.roster import desired_user, planned_changes
from tenants.members.second_factor import shown_second_factor
from tenants.members.steps import MEMBER_STEPS, REMOVE, TRY_NOW
from tenants.models import Member, Provisioning, Tenant, without_access
from tenants.models.keyset import Branch
from tenants.operators.decorators import page_view
from tenants.operators.member_rows import member_row, member_rows
from tenants.pages.bulk import BulkStep
from tenants.pages.lists import Filter, apply_filters, narrowed_by, query_param, read_choices, read_page
from tenants.pages.step_pages import Subjects
from tenants.sign_in.access import signed_in

_UNRESOLVED = [Provisioning.STUCK, Provisioning.CONFLICT]


def _provisioned(rows: QuerySet[Member], value: str) -> QuerySet[Member]:
    return rows.filter(provisioning__in=_UNRESOLVED if value == "unresolved" else [value])


def _with_role(rows: QuerySet[Member], role: str) -> QuerySet[Member]:
    # Operators are few, and the index on the tenant finds them: they have none.
    return rows.filter(role=role, tenant=None) if role == Role.OPERATOR else rows.filter(role=role)


def _enabled(rows: QuerySet[Member], value: str) -> QuerySet[Member]:
    """By the member's own row: members of a suspended tenant count as enabled."""
    return rows.filter(~without_access() if value == "yes" else without_access())


FILTERS = (
    Filter("role", "Role", tuple((role, role.capitalize()) for role in Role), _with_role),
    Filter(
        "provisioning",
        "Provisioning",
        (
            ("unresolved", "Stuck or conflict"),
            ("due", "Due"),
            ("stuck", "Stuck"),
            ("conflict", "Conflict"),
            ("settled", "Settled"),
        ),
        _provisioned,
    ),
    Filter("enabled", "Access", (("yes", "Enabled"), ("no", "Disabled or removed")), _enabled),
)


@page_view
def list_page(request: HttpRequest) -> HttpResponse:
    choices, text = read_choices(request, FILTERS), query_param(request, "q").lower()
    tenant = _tenant(query_param(request, "tenant"))
    rows = apply_filters(Member.objects.select_related("person", "tenant"), FILTERS, choices)
    rows = rows.filter(tenant=tenant) if tenant else rows
    branch = _by_address(rows, text) if text else Branch(rows, ("id",), by_keys=True)
    page = read_page([branch], request, counted=not text)
    listed_rows = member_rows(page.rows)
    context = {
        "page": page,
        "rows": listed_rows,
        "filters": choices,
        "text": text,
        "order": "by address" if text else "newest first",
        "tenant": tenant,
        "narrowed": narrowed_by(
            request, choices, [("q", "E-mail begins with", text), ("tenant", "Tenant", tenant.name if tenant else "")]
        ),
        "only_stuck": any(choice.value in {"unresolved", "stuck", "conflict"} for choice in choices),
        "any_stuck": any(row.is_stuck for row in listed_rows),
    }
    return render(request, "operators/members.html", context)


def _tenant(text: str) -> Tenant | None:
    if not text:
        return None
    try:
        return get_object_or_404(Tenant, org_id=UUID(text))
    except ValueError as error:
        raise InvalidInput("This is not an org id.") from error


def _by_address(rows: QuerySet[Member], text: str) -> Branch:
    """Those whose address begins with the text, in the order of the index that finds them."""
    if (
        connection.vendor == "sqlite"
        and rows.query.has_filters()
        and rows.order_by().values("pk")[search.FEW : search.FEW + 1]
    ):
        # SQLite would read and sort all that the filters leave. Asked of one member at a time, they lead nowhere.
        rows = Member.objects.select_related("person", "tenant").filter(Exists(rows.filter(pk=OuterRef("pk"))))
    addressed = rows.annotate(address=F("person__email"))
    return Branch(addressed, ("address", "id"), ascending=True, begins=address_to_find(text))


@dataclass(frozen=True, slots=True)
class ComparedProperty:
    """A property of a member: as it should be, and as it was last seen in Cognito."""

    label: str
    desired: str
    seen: str
    differs: bool


@page_view
def detail_page(request: HttpRequest, pk: int) -> HttpResponse:
    member = _find(pk)
    by = signed_in(request).actor
    possible = [
        (step, reverse(f"operators:member_{step.name}", args=[pk])) for step in possible_steps(MEMBER_STEPS, member, by)
    ]
    why = REMOVE.prevented(member)
    context = {
        "row": member_row(member),
        "member": member,
        "steps": [(step, address) for step, address in possible if not step.grave],
        "dangers": [(step, step.heading(member), address) for step, address in possible if step.grave],
        "prevented": verbs_prevented(MEMBER_STEPS, member, by, why=why),
        "why_prevented": why,
        "not_allowed": refused_steps(MEMBER_STEPS, member, by),
        "compared": _compared(member),
        "reaches": reach_of_member(member) if has_drifted(member) else "",
        "changes_due": _changes_due(member),
        "second_factor": shown_second_factor(member),
        "no_worker": no_worker() if member.provisioning == Provisioning.DUE else "",
        "activity": [timeline_entry(entry) for entry in newest_about(member)],
    }
    return render(request, "operators/member.html", context)


def _compared(member: Member) -> list[ComparedProperty]:
    should_be, is_ = desired_user(member), member.seen
    there = "somebody else’s" if member.provisioning == Provisioning.CONFLICT else "none"
    if should_be is not None and not should_be.enabled and is_ is None:
        # Cognito gets no user before the member may sign in.
        should_be = None
    left, right = _properties(should_be, "none"), _properties(is_, there)
    labels = ("User in the pool", "Organisation", "Role", "May sign in")
    return [
        # Where one side has no user, only that line differs.
        ComparedProperty(label, should, has, differs=should != has and (label == labels[0] or bool(should_be and is_)))
        for label, should, has in zip(labels, left, right, strict=True)
    ]


def _properties(user: DesiredUser | Seen | None, otherwise: str) -> tuple[str, str, str, str]:
    if user is None:
        return otherwise, "", "", ""
    return "one", with_name(user.org), user.role, _yes_no(user.enabled)


def _changes_due(member: Member) -> list[str]:
    """What the worker has still to do, as planned from what was last seen."""
    if member.provisioning != Provisioning.DUE:
        return []
    changes = planned_changes(member)
    return [changes.why] if isinstance(changes, Conflict) else [change.in_words for change in changes]


def _yes_no(value: object) -> str:
    return "yes" if value else "no"


def _find(pk: int) -> Member:
    return get_object_or_404(Member.objects.select_related("person", "tenant", "invited_by"), pk=pk)


def _address(member: Member) -> str:
    return reverse("operators:member", args=[member.pk])


def _list_address() -> str:
    return reverse("operators:members")


def _find_all(keys: Sequence[int]) -> list[Member]:
    return list(Member.objects.select_related("person", "tenant").filter(pk__in=keys).order_by("-id"))


MEMBERS = Subjects(
    find=_find,
    address=_address,
    crumbs=lambda member: [("Members", _list_address()), (str(member.person), _address(member))],
    frame="operators/frame.html",
    instead=page_for_oneself,
)
TRY_SEVERAL = BulkStep(
    step=TRY_NOW,
    find=_find_all,
    noun=("member", "members"),
    address=lambda: f"{_list_address()}?provisioning=unresolved",
    expects=lambda members: TRY_NOW.expects(members[0], {}),
    done=lambda counted: f"Next in line: {counted}. Look again in a few seconds.",
    name=lambda member: str(member.person),
    note=lambda member: member.last_error,
    frame="operators/frame.html",
)
