"""The page where an owner arrives: their first sign-in makes the tenant, with the org id that their token carries.

It may be opened and sent any number of times. Somebody who is a member already goes on to the first page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from tenants.domain import texts
from tenants.domain.actor import Actor
from tenants.domain.errors import InvalidInput, NoOrganisation
from tenants.domain.roles import Role
from tenants.domain.steps import Field
from tenants.lifecycle.transitions import adopt
from tenants.members.sign_up import arriving
from tenants.models import Person, Tenant
from tenants.organisation.sign_up import forget_sent
from tenants.pages.refusals import record_refusal
from tenants.sign_in.access import newcomers_welcome, signed_in
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.standing import standing_in_database

_FIELDS = (
    Field(
        "name",
        "Name of your organisation",
        "Its members see it on every page. It can be changed later.",
        autocomplete="organization",
    ),
    Field(
        "slug",
        "Short name",
        "Small letters, digits and hyphens. Leave it empty, and it is made from the name.",
        optional=True,
    ),
)
_CHECKS: Mapping[str, Callable[[str], str]] = {
    "name": partial(texts.display_name, field="name"),
    "slug": lambda typed: texts.slug(typed) if typed.strip() else "",
}


# GET makes the tenant too: a person who opens this page comes from Cognito, and has nothing left to decide.
@newcomers_welcome
@require_http_methods(["GET", "POST"])
def welcome(request: HttpRequest) -> HttpResponse:
    who = signed_in(request)
    if who.standing.role:
        return redirect("home")
    if not who.claims.may_own_an_organisation:
        raise NoOrganisation
    if (tenant := _arrive(who)) is not None:
        return _at_home(request, tenant)
    if _is_member_by_now(who):
        return redirect("home")
    if settings.SIGN_UP == "hosted-ui" and not Tenant.objects.filter(org_id=who.claims.org).exists():
        return _adopt(request, who) if request.method == "POST" else _form(request)
    record_refusal(request, "NoOrganisation", why="no sign-up has this person's organisation")
    return render(request, "organisation/welcome/unknown.html", status=403)


def _arrive(who: SignedIn) -> Tenant | None:
    """Makes the tenant of the sign-up that the person has come for; None where there is none."""
    with transaction.atomic():
        # Of two tabs, the second waits here, and then finds no sign-up.
        sign_up = arriving(who.claims)
        if sign_up is None:
            return None
        tenant = _make(who, name=sign_up.organisation, slug="")
        sign_up.delete()
        return tenant


def _make(who: SignedIn, *, name: str, slug: str) -> Tenant:
    person = Person.objects.get(pk=who.standing.person_id)
    return adopt(org_id=UUID(who.claims.org), name=name, slug=slug, person=person, by=_owner(who))


def _owner(who: SignedIn) -> Actor:
    return replace(who.actor, role=Role.OWNER)


def _is_member_by_now(who: SignedIn) -> bool:
    """Whether another tab was faster."""
    now = standing_in_database(who.standing.person_id)
    return now is not None and bool(now.role)


def _adopt(request: HttpRequest, who: SignedIn) -> HttpResponse:
    typed = {field.name: request.POST.get(field.name, "") for field in _FIELDS}
    wrong: dict[str, str] = {}
    for name, check in _CHECKS.items():
        try:
            check(typed[name])
        except InvalidInput as problem:
            wrong[name] = problem.message
    if wrong:
        return _form(request, typed, wrong)
    try:
        return _at_home(request, _make(who, name=typed["name"], slug=typed["slug"].strip()))
    except InvalidInput as problem:
        return _form(request, typed, {problem.field: problem.message})


def _form(
    request: HttpRequest, typed: Mapping[str, str] | None = None, wrong: Mapping[str, str] | None = None
) -> HttpResponse:
    typed, wrong = typed or {}, wrong or {}
    fields = [replace(field, value=typed.get(field.name, ""), error=wrong.get(field.name, "")) for field in _FIELDS]
    context = {"fields": fields, "wrong": [field for field in fields if field.error]}
    return render(request, "organisation/welcome/name.html", context, status=400 if wrong else 200)


def _at_home(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    forget_sent(request)
    wished = texts.slug_from(tenant.name)
    because = "" if tenant.slug == wished else f", since another organisation has “{wished}” already"
    messages.success(
        request,
        f"{tenant.name} is set up. Its short name is “{tenant.slug}”{because}. You can change it in the settings.",
    )
    return redirect("home")
