"""The route of a request: its address without what a person put into it, such as the key of a record."""

from __future__ import annotations

import re

from django.http import HttpRequest
from django.urls import Resolver404, resolve

_CONVERTER = re.compile(r"<\w+:")


def route_of(request: HttpRequest) -> str:
    """Such as `/records/<collection>/<key>/`; "" if no page has this address.

    Also for a request that was answered before Django looked for its view.
    """
    match = request.resolver_match
    return _written(match.route) if match else route_at(request.path_info)


def route_at(path: str) -> str:
    try:
        return _written(resolve(path).route)
    except Resolver404:
        return ""


def _written(route: str) -> str:
    return f"/{_CONVERTER.sub('<', route)}"
