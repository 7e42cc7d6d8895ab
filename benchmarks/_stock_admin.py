"""The list of tenants as Django's admin has it when somebody registers the model and names its columns, its filters and
where to search, and leaves everything else as it comes. A ROOT_URLCONF, so Django imports it.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.test import RequestFactory
from django.urls import include, path

from tenants.models import Tenant


class StockTenants(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "state", "plan", "created_at", "slug", "org_id")
    list_filter = ("state", "plan")
    search_fields = ("name", "slug")


class Anybody:
    """Somebody who may do everything: whom the admin asks for rights costs nothing."""

    pk = 1
    is_active = is_staff = is_authenticated = True

    def has_perm(self, *_: object) -> bool:
        return True

    has_module_perms = has_perm

    def get_username(self) -> str:
        return "anybody"

    def has_usable_password(self) -> bool:
        return False


site = admin.AdminSite(name="admin")
site.register(Tenant, StockTenants)
stock = site.get_model_admin(Tenant)
urlpatterns = [path("stock/", site.urls), path("", include("portal.urls"))]


def ask(query: str) -> HttpRequest:
    request = RequestFactory().get(f"/stock/tenants/tenant/?{query}")
    request.user = Anybody()  # type: ignore[assignment]
    return request


def page(query: str) -> bytes:
    response: Any = stock.changelist_view(ask(query))
    return bytes(response.render().content)


def read(query: str) -> int:
    """The rows of the page alone, without its HTML."""
    return len(stock.get_changelist_instance(ask(query)).result_list)
