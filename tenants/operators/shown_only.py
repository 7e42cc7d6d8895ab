"""What the models' admins of the operators' site have in common: rows are looked at, and changed by use cases alone."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods

from tenants.domain.actor import Actor
from tenants.sign_in.sessions import SignedIn


class ShownOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Seen by every operator (the site lets in nobody else); never added, saved or deleted by Django's own forms."""

    actions = None

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django passes it
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    def page_at(self, route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
        """Something to look at."""
        return self._address(route, view, name, ["GET", "HEAD"])

    def form_at(self, route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
        """A page that can be sent back."""
        return self._address(route, view, name, ["GET", "HEAD", "POST"])

    def act_at(self, route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
        """What is only ever sent."""
        return self._address(route, view, name, ["POST"])

    def _address(self, route: str, view: Callable[..., HttpResponseBase], name: str, methods: list[str]) -> URLPattern:
        return path(route, self.admin_site.admin_view(require_http_methods(methods)(view)), name=name)


def actor_of(request: HttpRequest) -> Actor:
    """The operator, for the audit trail."""
    who: SignedIn = request.signed_in  # type: ignore[attr-defined]
    return who.actor
