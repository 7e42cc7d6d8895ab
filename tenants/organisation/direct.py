"""Pages that ask AWS from the browser, without the portal: what they are told, and which hosts they may speak to.

The portal's part ends with the page. Who reads what, IAM decides, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TypeVar, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from tenants.aws.identity_pool import provider_name
from tenants.domain.errors import OnlyOperatorsPages
from tenants.sign_in.access import signed_in_or_visitor, visitors_welcome

_View = TypeVar("_View", bound=Callable[..., HttpResponse])


@visitors_welcome
@require_safe
def direct(request: HttpRequest) -> HttpResponse:
    """The same page for everybody: it signs in by itself, and reads with that sign-in alone."""
    config = {**_aws(), **_cognito()}
    is_on = bool(settings.COGNITO_BROWSER_CLIENT_ID)
    response = render(request, "organisation/direct/direct.html", {"is_on": is_on, "config": config})
    if is_on:
        _let_connect(response, config["dynamodb"], config["identity"], config["domain"])
    return response


def visitors_read_themselves(view: _View) -> _View:
    """Decorates a view of public records: somebody who is not signed in gets a page that reads as a guest instead."""

    @wraps(view)
    def choose_page(request: HttpRequest, **place: str) -> HttpResponse:
        who = signed_in_or_visitor(request)
        if who is not None and who.break_glass is not None:
            raise OnlyOperatorsPages
        return _public_for_guests(request) if who is None else view(request, **place)

    return cast(_View, choose_page)


def _public_for_guests(request: HttpRequest) -> HttpResponse:
    config = {**_aws(), "base": reverse("public_collections")}
    response = render(request, "organisation/direct/public.html", {"is_on": settings.PUBLIC_READS, "config": config})
    if settings.PUBLIC_READS:
        _let_connect(response, config["dynamodb"], config["identity"])
    return response


def _aws() -> dict[str, str]:
    region = settings.AWS_REGION
    return {
        "region": region,
        "dynamodb": settings.AWS_ENDPOINT_URL or f"https://dynamodb.{region}.amazonaws.com",
        "identity": settings.AWS_ENDPOINT_URL or f"https://cognito-identity.{region}.amazonaws.com",
        "identity-pool": settings.COGNITO_IDENTITY_POOL_ID,
        "table": settings.RECORDS_TABLE,
        "partition-key": settings.RECORDS_KEYS[0],
        "sort-key": settings.RECORDS_KEYS[1],
    }


def _cognito() -> Mapping[str, str]:
    return {
        "domain": settings.COGNITO_DOMAIN,
        "client": settings.COGNITO_BROWSER_CLIENT_ID,
        "provider": provider_name(settings.AWS_REGION, settings.COGNITO_USER_POOL_ID),
        # As it is registered for the client, whatever name the portal was asked by.
        "page": f"{settings.PORTAL_URL}{reverse('direct')}",
    }


def _let_connect(response: HttpResponse, *addresses: str) -> None:
    """What `portal.headers` makes the page's `connect-src` of."""
    origins = (urlsplit(address)._replace(path="").geturl() for address in addresses)
    response.connect_to = list(dict.fromkeys(origins))  # type: ignore[attr-defined]
