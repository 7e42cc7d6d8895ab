"""Inviting people into one's own organisation: pasted or uploaded, and every line answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.permissions import MemberAction
from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.domain.steps import Field
from tenants.members import invitations
from tenants.members.in_cognito import no_worker
from tenants.members.invitation_lines import (
    MOST_BYTES,
    MOST_LINES,
    NewInvitation,
    check_file_name,
    pasted,
    uploaded,
)
from tenants.members.invitations import Answer, Answered
from tenants.members.rights import why_not_allowed
from tenants.models import Invitation, Tenant
from tenants.organisation.members import own_org
from tenants.sign_in.access import managers_only, signed_in
from tenants.sign_in.sessions import SignedIn


@dataclass(frozen=True, slots=True)
class _Form:
    """As it was sent. `people` is the text in the box, `problem` what is wrong with the whole form."""

    people: str = ""
    role: str = Role.VIEWER
    problem: InvalidInput | NotNow | None = None


@managers_only
@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: HttpRequest) -> HttpResponse:
    who = signed_in(request)
    tenant = _own_tenant(who)
    if request.method != "POST":
        return _page(request, who, tenant, _Form())
    form = _Form(request.POST.get("people", ""), request.POST.get("role", ""))
    try:
        answers = invitations.invite(tenant, lines=_lines(request, form), role=form.role, by=who.actor)
    except (InvalidInput, NotNow) as problem:
        status = 409 if isinstance(problem, NotNow) else 400
        return _page(request, who, tenant, replace(form, problem=problem), status=status)
    if all(answer.answered == Answered.INVITED for answer in answers):
        messages.success(request, _invited(answers))
        return HttpResponseRedirect(reverse("members"))
    return _answered(request, who, tenant, form, answers)


@managers_only
@require_POST
def dismiss(request: HttpRequest, pk: int) -> HttpResponse:
    who = signed_in(request)
    invitation = get_object_or_404(Invitation, tenant__org_id=own_org(who), pk=pk)
    if invitations.dismiss(invitation, by=who.actor):
        messages.success(request, f"The invitation of {invitation.email} was dismissed.")
    return redirect("members")


@managers_only
@require_POST
def dismiss_all(request: HttpRequest) -> HttpResponse:
    """All who could not join."""
    who = signed_in(request)
    dismissed = invitations.dismiss_all(_own_tenant(who), by=who.actor)
    if dismissed:
        messages.success(request, f"{_count(dismissed)} dismissed.")
    return redirect("members")


def _own_tenant(who: SignedIn) -> Tenant:
    return get_object_or_404(Tenant, org_id=own_org(who))


def _lines(request: HttpRequest, form: _Form) -> list[NewInvitation]:
    """From the box and from the file. Raises InvalidInput."""
    file = request.FILES.get("file")
    if file:
        check_file_name(file.name or "")
    from_file = uploaded(file.read(MOST_BYTES + 1)) if file else []
    lines = [*(pasted(form.people) if form.people.strip() or not file else []), *from_file]
    if len(lines) > MOST_LINES:
        raise InvalidInput(f"Invite at most {MOST_LINES:,} people at a time. These are {len(lines):,}.", field="people")
    return lines


def _answered(
    request: HttpRequest, who: SignedIn, tenant: Tenant, form: _Form, answers: Sequence[Answer]
) -> HttpResponse:
    """What could not be invited stays in the box, a line each."""
    by_kind = {kind: [answer for answer in answers if answer.answered == kind] for kind in Answered}
    refused = by_kind[Answered.REFUSED]
    left = _Form("\n".join(answer.line.as_line for answer in refused), form.role)
    status = 400 if refused and not by_kind[Answered.INVITED] else 200
    more = {
        "invited": _invited(answers) if by_kind[Answered.INVITED] else "",
        "already": by_kind[Answered.ALREADY],
        "refused": refused,
    }
    return _page(request, who, tenant, left, status=status, **more)


def _invited(answers: Sequence[Answer]) -> str:
    invited = [answer for answer in answers if answer.answered == Answered.INVITED]
    mailed = (
        "Cognito mails them, usually within seconds." if not no_worker() else f"Nobody is mailed yet. {no_worker()}"
    )
    return f"{_count(len(invited))} invited. {mailed}"


def _count(number: int) -> str:
    return f"{number:,} {'person' if number == 1 else 'people'}"


def _page(
    request: HttpRequest, who: SignedIn, tenant: Tenant, form: _Form, *, status: int = 200, **more: object
) -> HttpResponse:
    problem = form.problem
    about_file = isinstance(problem, InvalidInput) and problem.field == "file"
    fields = [
        Field(
            "people",
            "E-mail addresses",
            "Separated by commas, semicolons or line breaks. With a name: Ada Lovelace <ada@example.com>. "
            "With a role of their own: ada@example.com, Ada Lovelace, editor.",
            widget="code",
            value=form.people,
            error=problem.message if problem and not about_file else "",
        ),
        Field(
            "role",
            "Role",
            "For everybody without a role of their own.",
            widget="choice",
            choices=lambda: _roles(who, tenant),
            value=form.role,
        ),
    ]
    context = {
        "people": fields[0],
        "role": fields[1],
        "file_error": problem.message if problem and about_file else "",
        "problem": problem,
        "most": f"{MOST_LINES:,}",
        "expects": invitations.invite_expects(tenant),
        **more,
    }
    return render(request, "organisation/members/invite.html", context, status=status)


def _roles(who: SignedIn, tenant: Tenant) -> tuple[tuple[str, str], ...]:
    return tuple(
        (role.value, f"{role.capitalize()}: {role.in_words}")
        for role in IN_AN_ORGANISATION
        if not why_not_allowed(who.actor, MemberAction.INVITE, tenant=tenant, new_role=role)
    )
