"""Headers of every response, and secrets that a repr must not show."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client, RequestFactory

from portal.demo.world import World
from tenants.aws.token_endpoint import TokenEndpoint, Tokens
from tenants.domain.credentials import Credentials
from tenants.domain.errors import Misconfigured
from tenants.pages.door import Door
from tenants.sign_in.access import access_of


def test_the_content_security_policy_allows_this_site_only(client: Client) -> None:
    policy = client.get("/livez", headers={"host": "localhost"})["Content-Security-Policy"]
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert parts == {
        "default-src": "'none'",
        "object-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": f"'self' {settings.COGNITO_DOMAIN}",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }


def test_a_page_cannot_be_framed_sniffed_or_cached(client: Client) -> None:
    answer = client.get("/livez", headers={"host": "localhost"})
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cache-Control"] == "no-store"


def test_a_deployment_does_not_debug() -> None:
    assert settings.DEBUG is False


def test_a_view_without_a_declaration_is_refused(rf: RequestFactory, db: None) -> None:
    def undeclared(request: object) -> HttpResponse:
        raise AssertionError("it was opened")

    with pytest.raises(Misconfigured, match="not set up correctly"):
        access_of(undeclared)
    request = rf.get("/")
    request.session = {}  # type: ignore[assignment]
    refused = Door(lambda _: HttpResponse()).process_view(request, undeclared)
    assert refused is not None
    assert refused.status_code == 500


@pytest.mark.parametrize(
    "held",
    [
        Credentials("ASIA1", "hush", "hush", 1.0),
        Tokens(id_token="hush", refresh_token="hush"),
        TokenEndpoint("https://d", "client", "hush"),
    ],
)
def test_secrets_do_not_show_in_a_repr(held: object) -> None:
    assert "hush" not in repr(held)


def test_secrets_of_the_world_do_not_show_in_a_repr(world: World) -> None:
    for secret in (world.password, world.settings["COGNITO_CLIENT_SECRET"], world.emulator.root.secret_access_key):
        assert secret not in repr(world)
