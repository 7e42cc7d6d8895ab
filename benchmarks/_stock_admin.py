"""The list of tenants in a stock Django admin: columns, filters and search fields are named, the rest is default.

A ROOT_URLCONF, so Django imports it. It needs `django.contrib.admin`, which the portal does not install.
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


class Superuser:
    """May do everything, so the admin's checks of rights cost nothing."""

    pk = 1
    is_active = is_staff = is_authenticated = True

    def has_perm(self, *_: object) -> bool:
        return True

    has_module_perms = has_perm

    def get_username(self) -> str:
        return "superuser"

    def has_usable_password(self) -> bool:
        return False


site = admin.AdminSite(name="admin")
site.register(Tenant, StockTenants)
stock = site.get_model_admin(Tenant)
urlpatterns = [path("stock/", site.urls), path("", include("portal.urls"))]


def ask(query: str) -> HttpRequest:
    request = RequestFactory().get(f"/stock/tenants/tenant/?{query}")
    request.user = Superuser()  # type: ignore[assignment]
    return request


def page(query: str) -> bytes:
    response: Any = stock.changelist_view(ask(query))
    return bytes(response.render().content)


def read(query: str) -> int:
    """The rows of the page alone, without its HTML."""
    return len(stock.get_changelist_instance(ask(query)).result_list)
