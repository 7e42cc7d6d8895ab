"""An organisation's own settings: one form, and what stands beside it to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from tenants.domain.steps import Field
from tenants.domain.tenant_permissions import TenantAction
from tenants.lifecycle.own_settings import Saved, Setting, Texts, change_settings, settings_of
from tenants.lifecycle.rights import why_not
from tenants.models import Tenant
from tenants.organisation.members import own_org
from tenants.sign_in.access import settings_readers_only, signed_in
from tenants.sign_in.sessions import SignedIn

_BEGAN = "began_"
_AT_FIRST = ("name", "slug", "contact")


@dataclass(frozen=True, slots=True)
class SettingRow:
    """`began` is the text that a change is compared with. With `why_not` there is no field, only the text."""

    field: Field
    began: str
    why_not: str


@settings_readers_only
@require_http_methods(["GET", "HEAD", "POST"])
def settings_page(request: HttpRequest) -> HttpResponse:
    who = signed_in(request)
    tenant = own_tenant(who)
    if request.method != "POST":
        return _page(request, who, tenant, typed={}, began={}, saved=Saved())
    typed, began = _texts(request, ""), _texts(request, _BEGAN)
    saved = change_settings(tenant, typed=typed, began=began, by=who.actor)
    if saved.is_refused:
        return _page(request, who, own_tenant(who), typed=typed, began=began, saved=saved)
    messages.success(request, _done(saved.changed))
    return redirect("settings")


def own_tenant(who: SignedIn) -> Tenant:
    return get_object_or_404(Tenant, org_id=own_org(who))


def _texts(request: HttpRequest, prefix: str) -> Texts:
    """What was sent, by the names of the fields."""
    sent = request.POST.items()
    return {name.removeprefix(prefix): str(text) for name, text in sent if name.startswith(prefix)}


def _done(changed: Sequence[str]) -> str:
    if not changed:
        return "Nothing was changed: this is what was there already."
    *first, last = changed
    return f"Saved: {', '.join(first)}{' and ' if first else ''}{last}."


def _row(one: Setting, *, typed: Texts, began: Texts, saved: Saved) -> SettingRow:
    """Where the person changed the field, what they typed; elsewhere what is there now."""
    name = one.field.name
    is_theirs = name in typed and typed[name] != began.get(name, typed[name])
    value = typed[name] if is_theirs else one.now
    field = replace(one.field, value=value, error=saved.problems.get(name, ""))
    return SettingRow(field, one.now, one.why_not)


def _page(
    request: HttpRequest, who: SignedIn, tenant: Tenant, *, typed: Texts, began: Texts, saved: Saved
) -> HttpResponse:
    settings = settings_of(tenant, who.actor)
    rows = [(one, _row(one, typed=typed, began=began, saved=saved)) for one in settings]
    context = {
        "tenant": tenant,
        "first": [row for one, row in rows if one.field.name in _AT_FIRST],
        "about": [row for one, row in rows if one.metadata],
        "invitations": [row for one, row in rows if one.field.name not in _AT_FIRST and not one.metadata],
        "wrong": [row.field for _, row in rows if row.field.error],
        "about_all": saved.about_all,
        "close_refused": why_not(who.actor, TenantAction.CLOSE, tenant=tenant),
    }
    status = 200 if not saved.is_refused else 409 if saved.is_outdated else 400
    return render(request, "organisation/settings/settings.html", context, status=status)
