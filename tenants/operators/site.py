"""The site of Django's admin that the operators' portal is. Who is an operator was decided at the door, by Cognito and
the member's row: there is no login form here, no password, no staff flag, and no way to save a row as such.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn, TypeVar, cast

from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path

from tenants.domain.errors import SignInNeeded
from tenants.domain.roles import Role
from tenants.models import AuditEvent, Drift, Member, Tenant
from tenants.operators.audit import AuditAdmin
from tenants.operators.drift import DriftAdmin
from tenants.operators.members import MembersAdmin
from tenants.operators.tenants import TenantsAdmin
from tenants.sign_in.access import operators_only
from tenants.sign_in.sessions import SignedIn

_View = TypeVar("_View", bound=Callable[..., HttpResponseBase])
_PLACES: tuple[tuple[str, type[Any]], ...] = (
    ("tenants/", Tenant),
    ("members/", Member),
    ("drift/", Drift),
    ("audit/", AuditEvent),
)


class OperatorsSite(admin.AdminSite):
    site_header = site_title = "Operators"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        who: SignedIn | None = getattr(request, "signed_in", None)
        return who is not None and who.standing.role == Role.OPERATOR

    def admin_view(self, view: _View, cacheable: bool = False) -> _View:  # noqa: ARG002 - as Django has it
        """Declares who may open it, for the door, and asks once more: no view of operators is opened by a mistake."""

        @wraps(view)
        def inner(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
            if not self.has_permission(request):
                raise SignInNeeded
            return view(request, *arguments, **named)

        return cast("_View", operators_only(inner))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> NoReturn:  # noqa: ARG002
        """There is none: the door sends people to Cognito."""
        raise SignInNeeded

    def each_context(self, request: HttpRequest) -> dict[str, Any]:  # noqa: ARG002 - Django passes it
        return {}

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """None of Django's own: no login, password, history or raw editing. The index is the overview."""
        # They are made with this very site.
        from tenants.operators import overview, timeline

        found: list[URLPattern | URLResolver] = [*overview.urlpatterns, *timeline.urlpatterns]
        for place, model in _PLACES:
            patterns = self._registry[model].get_urls()
            found += [path(f"{place}{pattern.pattern}", pattern.callback, name=pattern.name) for pattern in patterns]
        return found


site = OperatorsSite(name="operators")
site.register(Tenant, TenantsAdmin)
site.register(Member, MembersAdmin)
site.register(Drift, DriftAdmin)
site.register(AuditEvent, AuditAdmin)
