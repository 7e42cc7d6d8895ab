"""The pages on which an owner recovery is stopped: by owners and admins who are signed in, and by the mail's link.

The link's page needs no sign-in and looks at no session: somebody who cannot sign in has to be able to stop it too.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from tenants.domain.errors import NotNow
from tenants.members import recovery
from tenants.models import OwnerRecovery, Tenant
from tenants.sign_in.access import managers_only, open_to_all, signed_in


@managers_only
@require_http_methods(["GET", "HEAD", "POST"])
def waiting(request: HttpRequest) -> HttpResponse:
    who = signed_in(request)
    tenant = get_object_or_404(Tenant, org_id=who.claims.org)
    if request.method != "POST":
        return _page(request, recovery.open_recovery(tenant) or _newest(tenant), tenant)
    try:
        recovery.veto(tenant, by=who.actor)
    except NotNow:
        messages.warning(request, "There was no owner recovery to stop any more.")
    return redirect("recovery")


@open_to_all
@require_http_methods(["GET", "HEAD", "POST"])
def by_link(request: HttpRequest, key: str) -> HttpResponse:
    found = recovery.veto_by_key(key) if request.method == "POST" else recovery.find_by_key(key)
    if found is None:
        raise Http404("no such owner recovery")
    # A form that is sent twice, or after the end, shows how it ended.
    return redirect("recovery_veto", key) if request.method == "POST" else _page(request, found, found.tenant)


def _newest(tenant: Tenant) -> OwnerRecovery | None:
    return OwnerRecovery.objects.filter(tenant=tenant).order_by("-pk").first()


def _page(request: HttpRequest, found: OwnerRecovery | None, tenant: Tenant) -> HttpResponse:
    context = {"recovery": found, "tenant": tenant, "here_is_recovery": True}
    return render(request, "organisation/recovery/recovery.html", context)
