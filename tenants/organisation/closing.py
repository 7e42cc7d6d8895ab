"""Closing one's own organisation, and the page on which an owner reopens it while nobody in it can sign in.

The reopening page needs no sign-in and looks at no session: the key in its address is the owner's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from tenants.domain.errors import NotAllowed, NotNow
from tenants.domain.roles import Role
from tenants.domain.steps import Field
from tenants.domain.tenant_permissions import TenantAction
from tenants.domain.tenant_state import TenantState, in_words
from tenants.lifecycle.own_closing import (
    close_by_owner,
    closing_expects,
    closing_problems,
    holder_of,
    key_called,
    reopen_by_key,
    reopening_prevented,
)
from tenants.lifecycle.rights import why_not
from tenants.models import Closing, ReopenKey, Tenant
from tenants.organisation.settings import own_tenant
from tenants.sign_in.access import open_to_all, settings_readers_only, signed_in


@settings_readers_only
@require_http_methods(["GET", "HEAD", "POST"])
def close(request: HttpRequest) -> HttpResponse:
    who = signed_in(request)
    tenant = own_tenant(who)
    if why := why_not(who.actor, TenantAction.CLOSE, tenant=tenant):
        raise NotAllowed(why)
    if request.method != "POST":
        return _form(request, tenant, {})
    typed = {name: request.POST.get(name, "") for name in ("typed", "reason")}
    if wrong := closing_problems(tenant, typed=typed["typed"], why=typed["reason"]):
        return _form(request, tenant, typed, wrong)
    key = close_by_owner(tenant, typed=typed["typed"], why=typed["reason"], by=who.actor)
    return redirect("closing", key)


@open_to_all
@require_http_methods(["GET", "HEAD", "POST"])
def closing(request: HttpRequest, key: str) -> HttpResponse:
    found = key_called(key)
    if found is None:
        raise Http404("no such key")
    if request.method != "POST":
        return _closing_page(request, found)
    try:
        reopen_by_key(found.closing.tenant, found=found, by=holder_of(found))
    except NotAllowed as refusal:
        return _closing_page(request, found, prevented=refusal.message, status=403)
    except NotNow as refusal:
        messages.warning(request, refusal.message)
    return redirect("closing", key)


def _closing_page(request: HttpRequest, found: ReopenKey, *, prevented: str = "", status: int = 200) -> HttpResponse:
    closing, tenant = found.closing, found.closing.tenant
    is_open = closing.ended_at is not None and tenant.state == TenantState.ACTIVE
    context = {
        "closing": closing,
        "tenant": tenant,
        "state_in_words": "is no longer being closed" if is_open else in_words(tenant.state),
        "again": Closing.objects.filter(tenant=tenant, ended_at=None).first() if closing.ended_at else None,
        "is_owner": holder_of(found).role == Role.OWNER,
        "person": found.person,
        "prevented": prevented or reopening_prevented(found),
    }
    return render(request, "organisation/settings/closing.html", context, status=status)


def _form(
    request: HttpRequest, tenant: Tenant, typed: Mapping[str, str], wrong: Mapping[str, str] | None = None
) -> HttpResponse:
    wrong = wrong or {}
    fields = [
        replace(field, value=typed.get(field.name, ""), error=wrong.get(field.name, "")) for field in _fields(tenant)
    ]
    context = {
        "tenant": tenant,
        "fields": fields,
        "wrong": [field for field in fields if field.error],
        "expects": closing_expects(tenant),
    }
    return render(request, "organisation/settings/close.html", context, status=400 if wrong else 200)


def _fields(tenant: Tenant) -> tuple[Field, ...]:
    return (
        Field("reason", "Reason", "The other owners, admins and operators read it.", widget="lines"),
        Field("typed", f"To be sure, type {tenant.name} or {tenant.slug}"),
    )
