"""The first page: what the portal is for a visitor, and where to go for a signed-in person."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from tenants.domain.roles import Role
from tenants.sign_in.access import (
    signed_in_or_visitor,
    visitors_welcome,
)


@visitors_welcome
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    who = signed_in_or_visitor(request)
    if who is None:
        return render(request, "organisation/home/visitor.html")
    if who.break_glass:
        return redirect("operators:overview")
    return render(request, "organisation/home/member.html", {"role_in_words": Role(who.standing.role).in_words})
