"""Members of all tenants, and the operators: the list, one of them beside what Cognito has, and what can be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower, Substr
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from tenants.domain.errors import InvalidInput
from tenants.domain.roles import Role
from tenants.domain.steps import possible_steps
from tenants.domain.user_plan import Conflict
from tenants.lifecycle.search import FEW
from tenants.members.in_cognito import no_worker
from tenants.members.roster import desired_user, planned_changes
from tenants.members.steps import MEMBER_STEPS, TRY_NOW
from tenants.models import Member, Person, Provisioning, Tenant
from tenants.models.keyset import Branch
from tenants.operators.bulk import BulkStep
from tenants.operators.decorators import page_view
from tenants.operators.member_rows import member_row, member_rows
from tenants.pages.lists import Filter, apply_filters, choose, query_param, read_page
from tenants.pages.step_pages import Subjects

_STUCK = [Provisioning.STUCK, Provisioning.CONFLICT]


def _provisioned(rows: QuerySet[Member], value: str) -> QuerySet[Member]:
    return rows.filter(provisioning__in=_STUCK if value == "unresolved" else [value])


def _as(rows: QuerySet[Member], role: str) -> QuerySet[Member]:
    # Operators are few: by the tenant they do not have, an index finds them.
    return rows.filter(role=role, tenant=None) if role == Role.OPERATOR else rows.filter(role=role)


def _enabled(rows: QuerySet[Member], value: str) -> QuerySet[Member]:
    """Of their own: those of a suspended tenant are, though nobody works there."""
    enabled = Q(enabled=True, removed=False)
    return rows.filter(enabled if value == "yes" else ~enabled)


FILTERS = (
    Filter("role", "Role", tuple((role, role.capitalize()) for role in Role), _as),
    Filter(
        "provisioning",
        "Provisioning",
        (
            ("unresolved", "Stuck or in conflict"),
            ("due", "Waiting for Cognito"),
            ("stuck", "Stuck"),
            ("conflict", "In conflict"),
            ("settled", "Settled"),
        ),
        _provisioned,
    ),
    Filter("enabled", "Member", (("yes", "Enabled"), ("no", "Disabled or removed")), _enabled),
)


@page_view
def list_page(request: HttpRequest) -> HttpResponse:
    chosen, text = choose(request, FILTERS), query_param(request, "q").lower()
    tenant = _tenant(query_param(request, "tenant"))
    rows = apply_filters(Member.objects.select_related("person", "tenant"), FILTERS, chosen)
    rows = rows.filter(tenant=tenant) if tenant else rows
    page = read_page([Branch(_with_email(rows, text), ("id",))], request)
    shown_rows = member_rows(page.rows)
    context = {
        "page": page,
        "rows": shown_rows,
        "filters": chosen,
        "text": text,
        "tenant": tenant,
        "is_narrowed": bool(text or tenant or any(choice.value for choice in chosen)),
        "only_stuck": any(choice.value in {"unresolved", "stuck", "conflict"} for choice in chosen),
        "any_stuck": any(row.is_stuck for row in shown_rows),
    }
    return render(request, "operators/members.html", context)


def _tenant(text: str) -> Tenant | None:
    if not text:
        return None
    try:
        return get_object_or_404(Tenant, org_id=UUID(text))
    except ValueError as error:
        raise InvalidInput("This is not an org id.") from error


def _with_email(rows: QuerySet[Member], text: str) -> QuerySet[Member]:
    """How it begins, by the index that keeps addresses apart: that is of lower(email), where there is one."""
    if not text:
        return rows
    rows = rows.exclude(person__email="").alias(address=Lower("person__email"))
    if connection.vendor != "sqlite":
        return rows.filter(address__startswith=text)
    # SQLite's LIKE takes capitals for small letters, so it does not go by the index; of very many it would sort all.
    people = Person.objects.exclude(email="").alias(address=Lower("email"))
    begin = people.filter(address__gte=text, address__lt=f"{text}\U0010ffff").values("pk")
    if begin.order_by()[FEW : FEW + 1]:
        return rows.alias(beginning=Substr("address", 1, len(text))).filter(beginning=text)
    return rows.filter(person__in=begin)


@dataclass(frozen=True, slots=True)
class Compared:
    """A property of a member: as it should be, and as Cognito was last seen to have it."""

    label: str
    wanted: str
    seen: str
    differs: bool


@page_view
def detail_page(request: HttpRequest, pk: int) -> HttpResponse:
    member = _find(pk)
    possible = possible_steps(MEMBER_STEPS, member, Role.OPERATOR)
    context = {
        "row": member_row(member),
        "member": member,
        "steps": [(step, reverse(f"operators:member_{step.name}", args=[pk])) for step in possible],
        "compared": _compared(member),
        "to_do": _to_do(member),
        "no_worker": no_worker() if member.provisioning == Provisioning.DUE else "",
    }
    return render(request, "operators/member.html", context)


def _compared(member: Member) -> list[Compared]:
    should_be, is_ = desired_user(member), member.seen
    there = "somebody else’s" if member.provisioning == Provisioning.CONFLICT else "none"
    if should_be is not None and not should_be.enabled and is_ is None:
        # Nobody is made before they may sign in.
        should_be = None
    left = ("one", should_be.org, should_be.role, _yes_no(should_be.enabled)) if should_be else ("none", "", "", "")
    right = ("one", is_.org, is_.role, _yes_no(is_.enabled)) if is_ else (there, "", "", "")
    labels = ("User in the pool", "Organisation", "Role", "May sign in")
    return [
        # Of a user that is not there, that alone differs.
        Compared(label, should, has, differs=should != has and (label == labels[0] or bool(should_be and is_)))
        for label, should, has in zip(labels, left, right, strict=True)
    ]


def _to_do(member: Member) -> list[str]:
    """What the worker has still to do, as it would be planned from what was last seen."""
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


def _chosen_members(keys: Sequence[int]) -> list[Member]:
    return list(Member.objects.select_related("person", "tenant").filter(pk__in=keys).order_by("-id"))


MEMBERS = Subjects(
    find=_find,
    address=_address,
    crumbs=lambda member: [("Members", _list_address()), (str(member.person), _address(member))],
)
TRY_SEVERAL = BulkStep(
    step=TRY_NOW,
    find=_chosen_members,
    noun=("member", "members"),
    address=lambda: f"{_list_address()}?provisioning=unresolved",
    expects=lambda members: TRY_NOW.expects(members[0], {}),
    done=lambda counted: f"Next in line: {counted}. Look again in a few seconds.",
    called=lambda member: str(member.person),
    noted=lambda member: member.last_error,
)
