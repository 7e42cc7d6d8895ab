"""Where records are edited: an organisation's own by its writers, the public ones by operators, on the same pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from tenants.domain.errors import OnlyOperatorsPages
from tenants.domain.keys import PUBLIC_SPACE, Space
from tenants.domain.record_edits import RecordPlace
from tenants.domain.roles import RECORD_WRITERS, Role
from tenants.sign_in.access import operators_only, record_writers_only, signed_in, signed_in_or_visitor

_PUBLIC = "public_"


@dataclass(frozen=True, slots=True)
class Ground:
    """`names` is what the names of its addresses begin with."""

    space: Space
    names: str = ""

    def address(self, name: str, *values: str) -> str:
        return reverse(f"{self.names}{name}", args=values)

    def collection(self, collection: str) -> str:
        return self.address("collection", collection)

    def record(self, place: RecordPlace) -> str:
        return self.address("record", place.collection, place.key)

    def edit(self, verb: str, *values: str) -> str:
        return self.address(f"edit_{verb}", *values)


# Gets the request, where it edits, and what its address has.
Page = Callable[..., HttpResponse]
View = Callable[..., HttpResponse]


def own(page: Page) -> View:
    """The view of a page for those who write their organisation's records."""

    @record_writers_only
    @wraps(page)
    def view(request: HttpRequest, **values: Any) -> HttpResponse:
        return page(request, Ground(signed_in(request).space), **values)

    return view


def public(page: Page) -> View:
    """The view of the same page for operators, who write the public records."""

    @operators_only
    @wraps(page)
    def view(request: HttpRequest, **values: Any) -> HttpResponse:
        if signed_in(request).break_glass is not None:
            raise OnlyOperatorsPages
        return page(request, Ground(PUBLIC_SPACE, _PUBLIC), **values)

    return view


def editable_ground(request: HttpRequest, space: Space) -> Ground | None:
    """None for those who see no edit controls here."""
    who = signed_in_or_visitor(request)
    if who is None or who.break_glass is not None:
        return None
    if space == PUBLIC_SPACE:
        return Ground(space, _PUBLIC) if who.standing.role == Role.OPERATOR else None
    return Ground(space) if who.standing.role in RECORD_WRITERS else None
