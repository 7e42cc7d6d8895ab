"""What the log says of a request: its route, and nothing that a person wrote into any part of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from portal.demo.cast import ACME, ACME_EDITOR, ACME_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from portal.observability import JsonLines, without_messages
from tenants.models import AuditEvent
from tests.house.test_matrix import named_patterns
from tests.portal.test_server import answer_to
from tests.world.fixtures import Browser
from tests.world.log_lines import kept_lines
from tests.world.portal_process import running_portal

MARKER = "xq7marker"
ADDRESS = f"{MARKER}@acme.example"
FIELDS = (
    "name", "email", "slug", "reason", "next", "q", "key", "pk", "sk", "path", "metadata", "emails", "role", "prefix",
    "code", "state", "csrfmiddlewaretoken", "chosen", "from", "password", "org_id", "terms", "error_description",
)  # fmt: skip
HEADERS = {
    "X-Request-Id": MARKER, "Referer": f"http://localhost:8000/{MARKER}", "User-Agent": MARKER,
    "X-Forwarded-For": MARKER,
    "Authorization": f"Bearer {MARKER}", "Origin": f"http://{MARKER}.example", "Accept-Language": MARKER,
}  # fmt: skip


@pytest.fixture
def lines() -> Iterator[list[str]]:
    with kept_lines() as written:
        yield written


def marked_addresses() -> Iterator[tuple[str, str]]:
    samples = {"org_id": ACME.org_id.value, "pk": 1, "seq": 1, "collection": MARKER, "key": ADDRESS}
    for name, pattern in named_patterns(get_resolver().url_patterns):
        yield name, reverse(name, kwargs={one: samples[one] for one in _parameters(pattern)})


def _parameters(pattern: URLPattern) -> list[str]:
    return list(pattern.pattern.converters)


def visits(browser: Browser, address: str) -> Iterator[Any]:
    given = dict.fromkeys(FIELDS, ADDRESS)
    browser.cookies["other"] = MARKER
    yield browser.get(address, given, headers=HEADERS)
    yield browser.post(f"{address}?{MARKER}={MARKER}", given, headers=HEADERS)
    yield browser.generic(MARKER.upper(), address)


@pytest.mark.parametrize("person", [None, OPERATOR, ACME_OWNER], ids=["visitor", "operator", "owner"])
def test_nothing_that_a_person_wrote_is_logged(
    portal: World, browse_as: Callable[[CastMember], Browser], person: CastMember | None, lines: list[str]
) -> None:
    browser = browse_as(person) if person else Browser(portal)
    browser.raise_request_exception = False
    begun, asked = len(lines), sorted(marked_addresses(), key=lambda item: item[0] == "oidc_logout")
    for _, address in asked:
        for _ in visits(browser, address):
            pass
    requests_logged = [json.loads(line) for line in lines[begun:] if '"portal.requests"' in line]
    assert len(requests_logged) == 3 * len(asked)
    assert {"/records/<collection>/<key>/", "/recovery/<key>/"} <= {line["route"] for line in requests_logged}
    assert [line for line in lines if MARKER in line.lower()] == []
    assert [line for line in lines if "@" in line] == []


@pytest.mark.parametrize(
    ("address", "route"),
    [
        (f"/{MARKER}/", "unmatched"),
        (f"/static/{MARKER}.css", "/static/"),
        (f"/public/{MARKER}/{quote(ADDRESS)}/", "/public/<collection>/<key>/"),
        (f"/{MARKER}%0a%0d%1b%E2%80%A8/", "unmatched"),
        ("/", "/"),
    ],
)
def test_the_route_is_logged_and_not_the_address(db: None, lines: list[str], address: str, route: str) -> None:
    Client(headers={"host": "localhost:8000"}, raise_request_exception=False).get(address)
    (line,) = [json.loads(line) for line in lines if '"portal.requests"' in line]
    assert (line["route"], "path" in line) == (route, False)
    assert MARKER not in "".join(lines)


def test_the_trail_has_the_same_route(
    browse_as: Callable[[CastMember], Browser], lines: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        browse_as(ACME_EDITOR).get("/members/1/role/")
    (entry,) = AuditEvent.objects.filter(target__startswith="/members/")
    logged = [json.loads(line)["route"] for line in lines if '"portal.requests"' in line]
    assert entry.target == "/members/<pk>/role/" == logged[-1]


def test_a_foreign_host_is_logged_without_the_clients_words(db: None, lines: list[str]) -> None:
    strict = Client(enforce_csrf_checks=True, headers={"host": "localhost:8000"})
    strict.get("/", headers={"host": f"{MARKER}.example"})
    strict.post("/signup/", {"name": MARKER}, headers={"origin": f"https://{MARKER}.example"})
    strict.post("/signup/", {"name": MARKER}, headers={"referer": f"http://{MARKER}.example/{MARKER}"})
    assert {"bad request", "stale form"} <= {json.loads(line)["message"] for line in lines}
    assert MARKER not in "".join(lines)


def test_a_traceback_has_places_and_no_values(db: None, settings: Any, lines: list[str]) -> None:
    settings.ROOT_URLCONF = "tests.world.failing_urls"
    client = Client(headers={"host": "localhost:8000"}, raise_request_exception=False)
    assert client.get("/fails/", {"marker": MARKER}).status_code == 500
    (line,) = [json.loads(line) for line in lines if "exception" in json.loads(line)]
    assert "failing_urls.py" in line["exception"]
    assert line["exception"].endswith("builtins.ValueError")
    assert (line["logger"], line["route"]) == ("django.request", "/fails/")
    assert MARKER not in "".join(lines)


def test_causes_are_told_with_their_codes() -> None:
    try:
        try:
            raise FileNotFoundError(2, MARKER)
        except OSError as error:
            raise KeyError(MARKER) from error
    except KeyError as error:
        told = without_messages(error)
    assert told.index("builtins.FileNotFoundError ENOENT") < told.index("builtins.KeyError")
    assert MARKER not in told


def test_a_circle_of_causes_ends() -> None:
    first, second = KeyError(MARKER), ValueError(MARKER)
    first.__cause__, second.__cause__ = second, first
    assert without_messages(first) == "builtins.ValueError\nwhich led to:\nbuiltins.KeyError"


@pytest.mark.parametrize("filled", [(f"serving {MARKER}", ()), ("serving %s", (MARKER,)), (ValueError(MARKER), ())])
@pytest.mark.parametrize("logger", ["waitress", "django.request", "urllib3.connectionpool", "mozilla_django_oidc.auth"])
def test_other_packages_log_no_values(logger: str, filled: tuple[Any, tuple[Any, ...]]) -> None:
    message, values = filled
    record = logging.LogRecord(logger, logging.ERROR, "/some/file.py", 7, message, values, None, func="function")
    record.extra_value = MARKER
    line = JsonLines().format(record)
    assert MARKER not in line
    assert json.loads(line)["place"] == "file.function:7"


def test_a_line_stays_one_line_whatever_is_in_it() -> None:
    record = logging.LogRecord("portal", logging.INFO, "", 1, "a\nb\r\x1b[2J\u2028\x85", (), None)
    assert JsonLines().format(record).isprintable()


def test_the_server_logs_no_word_of_what_it_refuses(tmp_path: Any) -> None:
    with running_portal(tmp_path, {}) as server:
        for raw in (
            f"{MARKER} / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            f"GET /{MARKER} HTTP/1.1\r\nHost: localhost\r\n{MARKER}\r\n\r\n",
            f"GET /{MARKER} HTTP/1.1\r\nHost: {MARKER}\r\nConnection: close\r\n\r\n",
            f"{MARKER.upper()} /{MARKER}?{MARKER} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        ):
            answer_to(server, raw.encode())
        assert any('"status": "400' in line for line in server.lines())
        assert MARKER not in server.log.read_text().lower()
