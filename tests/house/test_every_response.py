"""Headers of every response: each page by each method, static files, and each kind of error."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import pytest
import requests
from django.test import Client

from portal.demo.cast import ACME_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from portal.environment import BASE
from portal.headers import BARE
from tenants.domain.once import forget_all
from tests.house.test_matrix import addresses
from tests.portal.test_server import answer_to
from tests.world.fixtures import Browser
from tests.world.portal_process import PortalProcess, running_portal

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")
STATIC = "/static/app.css"
HSTS = "max-age=31536000; includeSubDomains; preload"
# Sent by the browser to a page that somebody has copied wrongly, or that a scanner tries.
ODD = ("/favicon.ico", "/robots.txt", "/.well-known/security.txt", "/static/", "/static/none.css", "//x", "/members")


def headers_of(answer: Any) -> dict[str, str]:
    """Also reads the file that the answer may hold, which closes it."""
    if answer.streaming:
        list(answer.streaming_content)
    return dict(answer.headers.items())


def lacking(headers: dict[str, str], *, is_static: bool = False) -> list[str]:
    """What is wrong with the headers of a response, as "name: value"."""
    expected = {name: value for name, value in BARE.items() if name != "Content-Security-Policy"}
    if is_static:
        del expected["Cache-Control"]
    wrong = [f"{name}: {headers.get(name)}" for name, value in expected.items() if not _has(headers, name, value)]
    policy = headers.get("Content-Security-Policy", "")
    if not policy.startswith("default-src 'none'") or "frame-ancestors 'none'" not in policy:
        wrong.append(f"Content-Security-Policy: {policy}")
    server = headers.get("Server", "portal")
    return wrong if server == "portal" else [*wrong, f"Server: {server}"]


def _has(headers: dict[str, str], name: str, value: str) -> bool:
    given = headers.get(name, "")
    return value in given if name == "Cache-Control" else given == value


def sent(client: Client, method: str, address: str, **more: Any) -> Any:
    # A body that Django does not drop, so that a page which reads it does.
    return client.generic(method, address, "a=b", content_type="application/x-www-form-urlencoded", **more)


@pytest.mark.parametrize("person", [None, OPERATOR, ACME_OWNER], ids=["visitor", "operator", "owner"])
def test_every_page_has_them_by_every_method(
    portal: World, browse_as: Callable[[CastMember], Browser], person: CastMember | None
) -> None:
    browser = browse_as(person) if person else Browser(portal)
    # Last, because it ends the session.
    asked = sorted(addresses().items(), key=lambda item: item[0] == "oidc_logout")
    for (name, address), method in itertools.product([*asked, *((odd, odd) for odd in ODD)], METHODS):
        assert lacking(headers_of(sent(browser, method, address))) == [], (method, name)


@pytest.fixture
def secure(settings: Any, db: None) -> Iterator[Client]:
    """As where PORTAL_URL begins with https://."""
    settings.SECURE_SSL_REDIRECT, settings.SECURE_SSL_HOST = True, "portal.example"
    settings.PORTAL_URL = "https://portal.example"
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.ALLOWED_HOSTS = ["portal.example"]
    forget_all()
    yield Client(raise_request_exception=False, headers={"host": "portal.example", "x-forwarded-proto": "https"})
    forget_all()


@pytest.mark.parametrize("method", METHODS)
def test_static_files_have_them(secure: Client, method: str) -> None:
    answer = sent(secure, method, STATIC)
    assert answer.status_code == (200 if method in {"GET", "HEAD"} else 405)
    assert lacking(headers_of(answer), is_static=answer.status_code == 200) == []
    assert answer["Strict-Transport-Security"] == HSTS
    assert "Access-Control-Allow-Origin" not in answer


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"If-Modified-Since": "Wed, 21 Oct 2099 07:28:00 GMT"}, 304),
        ({"Range": "bytes=0-9"}, 206),
        ({"Range": "bytes=99999999-"}, 416),
    ],
)
def test_parts_of_a_static_file_have_them(secure: Client, more: dict[str, str], status: int) -> None:
    answer = secure.get(STATIC, headers=more)
    assert answer.status_code == status
    assert lacking(headers_of(answer), is_static=True) == []


@pytest.mark.parametrize(
    ("method", "address", "more", "status"),
    [
        ("GET", "/", {"host": "evil.example"}, 400),
        ("GET", STATIC, {"host": "evil.example"}, 200),
        ("GET", "/", {"x-forwarded-proto": "http"}, 301),
        ("POST", "/signup/", {"x-forwarded-proto": "http"}, 403),
        ("GET", "/none/", {}, 404),
        ("GET", "/livez/", {}, 404),
        ("PUT", "/livez", {}, 405),
        ("GET", "/metrics", {}, 404),
        ("POST", "/signup/", {"content-length": "99999999"}, 413),
    ],
)
def test_refusals_have_them(secure: Client, method: str, address: str, more: dict[str, str], status: int) -> None:
    answer = sent(secure, method, address, headers=more)
    assert answer.status_code == status
    assert lacking(headers_of(answer), is_static=address == STATIC) == []
    # https://www.rfc-editor.org/rfc/rfc6797#section-7.2 forbids it over plain http.
    assert answer.headers.get("Strict-Transport-Security") == (None if "x-forwarded-proto" in more else HSTS)


def test_a_page_that_fails_and_one_without_database_have_them(
    secure: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ROOT_URLCONF = "tests.world.failing_urls"
    for address, status in {"/fails/": 500, "/without-database/": 503}.items():
        answer = secure.get(address)
        assert answer.status_code == status
        assert lacking(headers_of(answer)) == []
        assert answer["Strict-Transport-Security"] == HSTS


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    folder = tmp_path_factory.mktemp("server")
    with running_portal(folder, {"PORTAL_URL": "https://localhost", "METRICS_TOKEN": token_urlsafe(30)}) as portal:
        yield portal


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"marker / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 40_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET /secret-marker \x00 HTTP/1.1\r\nHost: localhost\r\nsecret-marker\r\n\r\n",
    ],
)
def test_what_the_server_itself_refuses_has_them(server: PortalProcess, raw: bytes) -> None:
    head, _, body = answer_to(server, raw).partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    assert status.split()[1] in {"400", "431"}
    headers = dict(line.split(": ", 1) for line in lines)
    assert lacking(headers) == []
    assert headers["Strict-Transport-Security"] == HSTS
    assert b"marker" not in body
    assert "marker" not in server.log.read_text()


def test_a_redirect_of_the_server_has_them(server: PortalProcess) -> None:
    answer = requests.get(f"{server.url}/", allow_redirects=False, timeout=60)
    assert answer.status_code == 301
    assert answer.headers["Location"] == "https://localhost/"
    assert lacking(dict(answer.headers)) == []


def test_the_list_of_this_test_is_not_empty() -> None:
    assert (BASE / "portal" / "assets" / Path(STATIC).name).exists()
    assert len(BARE) >= 8
