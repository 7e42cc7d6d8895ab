"""Addresses whose pages fail, for tests."""

from __future__ import annotations

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import path

from portal.urls import handler400, handler403, handler404, handler500
from portal.urls import urlpatterns as own
from tenants.sign_in.access import open_to_all

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


@open_to_all
def fails(request: HttpRequest) -> HttpResponse:
    raise ValueError(f"cannot use {request.GET.get('marker')!r}")


@open_to_all
def without_database(request: HttpRequest) -> HttpResponse:
    raise OperationalError("the server is away")


urlpatterns = [path("fails/", fails), path("without-database/", without_database), *own]
