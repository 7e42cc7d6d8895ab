"""What every view of the operators' portal declares: that it is for operators, and which methods it takes.

The door decides who comes in. A request that did not pass it raises here, so a middleware left out opens nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_http_methods

from tenants.lifecycle.suspension import waiting_for_room
from tenants.models import Tenant
from tenants.sign_in.access import operators_only, signed_in

_MOST_NAMED = 10
_View = TypeVar("_View", bound=Callable[..., HttpResponseBase])


def page_view(view: _View) -> _View:
    """Something to look at."""
    return _for_operators(view, "GET", "HEAD")


def form_view(view: _View) -> _View:
    """A page that can be sent back."""
    return _for_operators(view, "GET", "HEAD", "POST")


def action_view(view: _View) -> _View:
    """What is only ever sent."""
    return _for_operators(view, "POST")


def _waiting_for_room() -> list[Tenant]:
    """For the banner of every page: tenants whose credentials AWS cannot refuse, since its list is full."""
    return [suspension.tenant for suspension in waiting_for_room()[:_MOST_NAMED]]


def _for_operators(view: _View, *methods: str) -> _View:
    @wraps(view)
    def behind_the_door(request: HttpRequest, **key: Any) -> HttpResponseBase:
        signed_in(request)
        request.waiting_for_room = _waiting_for_room  # type: ignore[attr-defined]
        return view(request, **key)

    return cast("_View", operators_only(require_http_methods(list(methods))(behind_the_door)))
