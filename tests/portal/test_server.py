"""The server under slow, greedy and ambiguous clients: others are served meanwhile, and each attack ends."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import requests

from portal import connections, server
from tests.world.portal_process import PortalProcess, running_portal

HOST = b"Host: localhost\r\n"
SLOW_BODY = b"POST /signup/ HTTP/1.1\r\n" + HOST + b"Content-Length: 5000\r\n\r\n"
SLOW_HEADER = b"GET / HTTP/1.1\r\n" + HOST + b"X-Slow: "
CHUNKED = b"POST /signup/ HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
STATIC = b"GET /static/aws-direct.js HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    with running_portal(tmp_path_factory.mktemp("server"), {}) as portal:
        yield portal


def connect(portal: PortalProcess, first: bytes = b"") -> socket.socket:
    connected = socket.create_connection(("127.0.0.1", portal.port), timeout=60)
    connected.sendall(first)
    return connected


def sends(connected: socket.socket, more: bytes) -> bool:
    """False once the server has ended the connection."""
    try:
        connected.sendall(more)
        connected.setblocking(False)
        return connected.recv(65_536) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def pages_answer(portal: PortalProcess) -> None:
    for path in ("/livez", "/", "/signup/"):
        assert requests.get(f"{portal.url}{path}", timeout=60).status_code == 200, path


def answer_to(portal: PortalProcess, sent: bytes) -> bytes:
    """All that comes until the server ends the connection."""
    with connect(portal, sent) as connected:
        connected.settimeout(60)
        read = iter(lambda: connected.recv(65_536), b"")
        return b"".join(read)


def status_of(portal: PortalProcess, sent: bytes) -> int:
    return int(answer_to(portal, sent.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)).split(b" ", 2)[1])


def test_slow_requests_delay_nobody_and_end(portal: PortalProcess) -> None:
    """A byte a second, of headers, of bodies and of chunks."""
    attacks = {"headers": SLOW_HEADER, "body": SLOW_BODY, "chunks": CHUNKED + b"1388\r\n"}
    lasted: dict[str, list[float]] = {kind: [] for kind in attacks}
    with ExitStack() as opened:
        attackers = [
            (kind, time.monotonic(), opened.enter_context(connect(portal, first)))
            for kind, first in attacks.items() for _ in range(30)
        ]  # fmt: skip
        pages_answer(portal)
        assert sum(sends(attacker, b"a") for _, _, attacker in attackers) > server.THREADS, "nobody waited for them"
        until = time.monotonic() + 180
        while attackers and time.monotonic() < until:
            still = [one for one in attackers if sends(one[2], b"a")]
            for kind, began, _ in set(attackers) - set(still):
                lasted[kind].append(time.monotonic() - began)
            attackers = still
            pages_answer(portal)
            time.sleep(1)
    assert not attackers
    assert min(lasted["headers"]) > connections.HEADER_SECONDS - 1
    assert min(lasted["body"] + lasted["chunks"]) > connections.REQUEST_SECONDS - 1
    assert max(lasted["headers"]) < min(lasted["body"] + lasted["chunks"])


def test_many_connections_of_one_address_keep_nobody_out(portal: PortalProcess) -> None:
    with ExitStack() as opened:
        attackers = [opened.enter_context(connect(portal, SLOW_BODY)) for _ in range(700)]
        pages_answer(portal)
        left = [attacker for attacker in attackers if sends(attacker, b"a")]
        assert server.THREADS < len(left) <= server.CONNECTIONS_OF_AN_ADDRESS


def test_many_requests_at_once_hold_no_files_open(portal: PortalProcess) -> None:
    with ExitStack() as opened:
        for reader in [opened.enter_context(connect(portal)) for _ in range(20)]:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            # Asks for 2 MB at once, without waiting for an answer.
            reader.sendall(STATIC * 100)
        time.sleep(1)
        assert len(list(Path(f"/proc/{portal.popen.pid}/fd").iterdir())) < 100
        pages_answer(portal)


def test_answers_that_wait_to_be_read_end_the_connection() -> None:
    """By the pace, measured on the connection itself: the kernels keep too much for a test with sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = connections.Connection(_Nobody(), ours, ("192.0.2.1", 1), _Nobody.adj, map={})
        connection.total_outbufs_len = 1_000_000
        now, pace = time.time(), connections.PACE_SECONDS
        assert not connection.is_overdue(now)
        assert not connection.is_overdue(now + pace - 1)
        assert connection.is_overdue(now + pace)


class _Nobody:
    adj = server.adjustments("127.0.0.1:0", 1_000)

    def __init__(self) -> None:
        self.active_channels: dict[int, Any] = {}


def test_health_pages_answer_while_every_thread_is_busy(portal: PortalProcess) -> None:
    with closing(sqlite3.connect(portal.log.parent / "portal.sqlite3", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        pages: list[requests.Response] = []
        form, cookie = {"csrfmiddlewaretoken": "a" * 64, "name": "Initech"}, {"csrf": "a" * 64}
        ask = lambda: pages.append(requests.post(f"{portal.url}/signup/", form, cookies=cookie, timeout=60))  # noqa: E731
        busy = [threading.Thread(target=ask) for _ in range(2 * server.THREADS)]
        for thread in busy:
            thread.start()
        time.sleep(1)
        for _ in range(5):
            assert requests.get(f"{portal.url}/livez", timeout=60).ok
        assert requests.get(f"{portal.url}/readyz", timeout=60).status_code in {200, 503}
        assert len(pages) < len(busy), "nobody waited for them"
        for thread in busy:
            thread.join()
        database.execute("ROLLBACK")
    # The database was locked for longer than a page waits for it.
    assert {page.status_code for page in pages} == {503}
    assert all(page.headers["Retry-After"] and page.headers["X-Request-Id"] in page.text for page in pages)


@pytest.mark.parametrize("sent", [
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5, 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: identity\r\n\r\nhello",
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    CHUNKED + b"-1\r\nhello\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"Host: other\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"X-Folded: a\r\n b\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"X-Bare: a\nX-Second: b\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"X Name: a\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"Expect: 200-ok\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /\r\n" + b"\r\n" * 2,
    b"no request\r\n\r\n",
], ids=lambda sent: sent.decode()[:70])  # fmt: skip
def test_what_a_proxy_could_read_differently_is_refused(portal: PortalProcess, sent: bytes) -> None:
    answer = answer_to(portal, sent)
    assert answer.split(b" ", 2)[1] in {b"400", b"501"}
    assert answer.count(b"HTTP/1.") == 1


def test_http_is_spoken_as_clients_expect_it(portal: PortalProcess) -> None:
    assert answer_to(portal, b"GET /livez HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200")
    head = answer_to(portal, b"HEAD /livez HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert b"Content-Length: 3\r\n" in head
    assert head.endswith(b"\r\n\r\n")
    assert status_of(portal, CHUNKED + b"5\r\nhello\r\n0\r\n\r\n") == 403
    asked_first = b"POST /signup/ HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    with connect(portal, asked_first) as connected:
        assert connected.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connected.sendall(b"a")
        assert connected.recv(100).startswith(b"HTTP/1.1 403")
    line = b"/" + b"%F0" * 2_700 + b"?"
    assert status_of(portal, b"GET " + line[:8_100] + b" HTTP/1.1\r\n" + HOST + b"\r\n") == 404
    assert status_of(portal, b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 40_000 + b"\r\n\r\n") == 431


def test_a_connection_stays_for_the_next_request(portal: PortalProcess) -> None:
    connected = http.client.HTTPConnection("127.0.0.1", portal.port, timeout=60)
    for _ in range(2):
        connected.request("GET", "/livez", headers={"Host": "localhost"})
        assert connected.getresponse().read() == b"ok\n"
        used = connected.sock
        time.sleep(3)
    assert connected.sock is used
    connected.close()
    assert connections.IDLE_SECONDS > 60


@pytest.mark.parametrize("send", [
    lambda url: requests.post(f"{url}/signup/", data=b"a" * 3_000_000, timeout=60),
    lambda url: requests.post(f"{url}/signup/", data=b"a" * 60_000_000, timeout=60),
    lambda url: requests.post(f"{url}/signup/", data=iter([b"a" * 1_000_000] * 9), timeout=60),
    lambda url: requests.post(f"{url}/signup/", files={"file": b"a" * 3_000_000}, timeout=60),
], ids=["form", "huge", "chunks", "file"])  # fmt: skip
def test_too_large_bodies_get_an_answer_in_words(portal: PortalProcess, send: Callable[[str], Any]) -> None:
    before = len(portal.lines())
    page = send(portal.url)
    assert (page.status_code, page.headers["Connection"]) == (413, "close")
    assert "at most 2.5" in page.text
    assert [json.loads(line)["status"] for line in portal.lines()[before:]] == [413]


def test_too_many_fields_get_an_answer_in_words(portal: PortalProcess) -> None:
    visitor = requests.Session()
    visitor.get(f"{portal.url}/signup/", timeout=60)
    before = len(portal.lines())
    page = visitor.post(f"{portal.url}/signup/", data={f"f{number}": "1" for number in range(1_200)}, timeout=60)
    assert (page.status_code, "not valid" in page.text) == (400, True)
    lines = [json.loads(line) for line in portal.lines()[before:]]
    assert [line["message"] for line in lines] == ["bad request", "request"]
    assert all("exception" not in line for line in lines)


def test_sigterm_lets_a_begun_request_end(tmp_path: Path) -> None:
    with running_portal(tmp_path, {}) as portal, connect(portal, SLOW_BODY[:-4]) as begun, connect(portal) as idle:
        # Once this one is answered, the server has read the other one as well.
        idle.sendall(b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n")
        answer = b""
        while not answer.endswith(b"\r\n\r\nok\n") and (piece := idle.recv(65_536)):
            answer += piece
        assert answer.endswith(b"ok\n")
        portal.popen.send_signal(signal.SIGTERM)
        assert idle.recv(10) == b""
        with pytest.raises(ConnectionError):
            connect(portal)
        begun.sendall(b"\r\n\r\n" + b"a" * 5_000)
        assert begun.recv(100).startswith(b"HTTP/1.1 403")
        begun.close()
        assert portal.popen.wait(timeout=60) == 0
