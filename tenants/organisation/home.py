"""The first page: what the portal is for a visitor, what there is and what to do next for somebody who is signed in."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from tenants.audit.activity import recent_activity
from tenants.domain.permissions import MANAGERS
from tenants.domain.roles import Role
from tenants.health.glance import glance
from tenants.organisation.at_home import collections_at_home, next_steps, people_at_home
from tenants.sign_in.access import (
    signed_in_or_visitor,
    visitors_welcome,
)
from tenants.sign_in.sessions import SignedIn

_RECENT = 5


@visitors_welcome
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    who = signed_in_or_visitor(request)
    if who is None:
        return render(request, "organisation/home/visitor.html")
    if who.break_glass:
        return redirect("operators:overview")
    context = {"role_in_words": Role(who.standing.role).in_words}
    if not who.org:
        return render(request, "organisation/home/operator.html", {**context, "glance": glance()})
    return render(request, "organisation/home/member.html", {**context, **_of_member(who)})


def _of_member(who: SignedIn) -> dict[str, object]:
    people = people_at_home(who.standing.org) if who.standing.role in MANAGERS else None
    collections = collections_at_home(who)
    return {
        "collections": collections,
        "people": people,
        "steps": next_steps(collections, people, role=who.standing.role),
        "recent": recent_activity(who.org, by=who.actor, limit=_RECENT) if who.org else (),
    }
