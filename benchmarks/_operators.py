"""The operators' pages as one of them opens them: the views alone, from a request to the HTML. Needs Django set up."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from django.db import connection
from django.http import HttpRequest
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from tenants.domain.claims import Claims
from tenants.domain.roles import Role
from tenants.lifecycle.search import search_tenants
from tenants.models import Tenant
from tenants.operators import overview
from tenants.operators.tenant_list import filters, list_page
from tenants.pages.lists import apply_filters, query_param, read_choices, read_page
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.standing import Standing

_SUB = str(uuid.UUID(int=1, version=4))
_CLAIMS = Claims(_SUB, "operator@platform.example", "Olive", "", Role.OPERATOR, expires_at=int(time.time()) + 86_400)
_STANDING = Standing(0, _SUB, _CLAIMS.email, _CLAIMS.name, role=Role.OPERATOR, enabled=True)
OPERATOR = SignedIn(uuid.UUID(int=2, version=4), _CLAIMS, _STANDING)


def ask(path: str) -> HttpRequest:
    request = RequestFactory().get(path)
    request.signed_in = OPERATOR  # type: ignore[attr-defined]
    return request


def tenants_page(query: str) -> bytes:
    return bytes(list_page(ask(f"/operators/tenants/?{query}")).content)


def tenants_read(query: str) -> int:
    """The rows of the page alone, without its HTML. How many they are."""
    request, offered = ask(f"/operators/tenants/?{query}"), filters()
    rows = apply_filters(Tenant.objects.all(), offered, read_choices(request, offered))
    return len(read_page(search_tenants(rows, query_param(request, "q")), request).rows)


def overview_page() -> bytes:
    return bytes(overview.overview(ask("/operators/")).content)


def queries(call: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        call()
    return len(captured)
