"""Where the portal is served over https, nothing with a credential is redirected from plain http: it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tenants.domain.once import forget_all
from tenants.organisation.urls import urlpatterns

TOKEN = "t" * 40
RECOVERY = "/recovery/some-key/"
ROUTES = sorted(str(pattern.pattern) for pattern in urlpatterns)


@pytest.fixture
def plain(settings: Any, db: None) -> Iterator[Client]:
    settings.SECURE_SSL_REDIRECT, settings.SECURE_SSL_HOST = True, "portal.example"
    settings.PORTAL_URL = "https://portal.example"
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.ALLOWED_HOSTS, settings.METRICS_TOKENS = ["portal.example"], [TOKEN]
    forget_all()
    yield Client(headers={"host": "portal.example"})
    forget_all()


@pytest.mark.parametrize(
    ("method", "address", "headers"),
    [
        ("GET", "/metrics", {"authorization": f"Bearer {TOKEN}"}),
        ("GET", "/metrics", {"authorization": "Bearer wrong"}),
        ("GET", "/metrics", {}),
        ("HEAD", "/metrics", {}),
        ("GET", "/metrics/", {}),
        ("GET", "/metrics", {"x-forwarded-proto": "http"}),
        ("GET", "/metrics", {"x-forwarded-proto": ""}),
        ("GET", "/oidc/callback/?code=c&state=s", {}),
        ("GET", "/oidc/callback?code=c&state=s", {}),
        ("GET", RECOVERY, {}),
        ("GET", RECOVERY[:-1], {}),
        ("POST", RECOVERY, {}),
        ("POST", "/signup/", {}),
        ("POST", "/oidc/logout/", {}),
        ("POST", "/livez/", {}),
        ("PUT", "/none/", {}),
        ("GET", "/", {"authorization": "Basic YTpi"}),
        ("GET", "/static/app.css", {"authorization": "Basic YTpi"}),
        ("GET", "/", {"cookie": "session=abc"}),
        ("GET", "/records/", {"cookie": "x=y; csrf=abc"}),
        ("GET", "/", {"cookie": "__Host-sign-in=abc"}),
    ],
)
def test_a_credential_over_http_is_refused(plain: Client, method: str, address: str, headers: dict[str, str]) -> None:
    answer = plain.generic(method, address, headers=headers)
    assert (answer.status_code, answer["Content-Type"]) == (403, "text/plain; charset=utf-8")
    assert "Location" not in answer
    assert "WWW-Authenticate" not in answer
    assert not answer.cookies


@pytest.mark.parametrize("route", [route for route in ROUTES if "<str:key>" in route])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_every_link_with_a_key_is_refused(plain: Client, method: str, route: str) -> None:
    assert plain.generic(method, f"/{route.replace('<str:key>', 'some-key')}").status_code == 403


@pytest.mark.parametrize("address", ["/", "/records/", "/signup/", "/none/", "/static/app.css", "/recovery/", "/?a=b"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_page_over_http_is_redirected(plain: Client, method: str, address: str) -> None:
    answer = plain.generic(method, address)
    assert (answer.status_code, answer["Location"]) == (301, f"https://portal.example{address}")


@pytest.mark.parametrize("name", ["livez", "readyz"])
def test_probes_ask_over_http(plain: Client, name: str) -> None:
    assert plain.get(reverse(name), headers={"host": "10.0.0.7:8000"}).status_code in {200, 503}


def test_over_https_the_token_is_asked_for(plain: Client) -> None:
    over_https = {"x-forwarded-proto": "https"}
    assert plain.get("/metrics", headers=over_https).status_code == 401
    given = {**over_https, "authorization": f"Bearer {TOKEN}"}
    assert plain.get("/metrics", headers=given).status_code == 200


def test_without_https_nothing_is_refused(client: Client, db: None, settings: Any) -> None:
    settings.METRICS_TOKENS = [TOKEN]
    given = {"host": "localhost", "authorization": f"Bearer {TOKEN}"}
    assert client.get("/metrics", headers=given).status_code == 200
