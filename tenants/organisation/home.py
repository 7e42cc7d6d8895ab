"""The first page: what the portal is for a visitor, and where to go for a signed-in person."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from tenants.domain.roles import Role
from tenants.models import Member
from tenants.sign_in.access import (
    signed_in_or_visitor,
    visitors_welcome,
)
from tenants.sign_in.standing import Standing


@visitors_welcome
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    who = signed_in_or_visitor(request)
    if who is None:
        return render(request, "organisation/home/visitor.html")
    if who.break_glass:
        return redirect("operators:overview")
    context = {"role_in_words": Role(who.standing.role).in_words, "is_new": _is_new(who.standing)}
    return render(request, "organisation/home/member.html", context)


def _is_new(standing: Standing) -> bool:
    """Whether its owner is still alone in the organisation, and could do with a word on what to do next."""
    if standing.role != Role.OWNER:
        return False
    return Member.objects.filter(tenant__org_id=standing.org, removed=False)[:2].count() == 1
