"""An answer is read whole or is an error of botocore's. A connection is used again only if nothing is left on it."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import get_cert_path

from tenants.aws.kept_connections import KeptConnections
from tests.world.odd_server import IN_TIME, TRICKLES, odd_server, tls_server, whole

HEAD = b"HTTP/1.1 200 OK\r\n"


def connections_to(url: str, *, most: int = 4, read_timeout: float = 5) -> KeptConnections:
    return KeptConnections(url, most=most, connect_timeout=5, read_timeout=read_timeout, certificates="")


def again_and_again(*answers: bytes) -> Callable[[socket.socket], None]:
    """One answer to each request on the connection, which stays open until the client closes it."""

    def answer(connection: socket.socket) -> None:
        for place, content in enumerate(answers):
            if place:
                connection.recv(65_536)
            connection.sendall(content)
        connection.recv(65_536)

    return answer


def numbered(number: int, more: bytes = b"") -> bytes:
    return HEAD + more + b"X-Number: %d\r\nContent-Length: 6\r\n\r\nnumber" % number


def test_a_connection_is_used_again() -> None:
    with odd_server(again_and_again(numbered(1), numbered(2), numbered(3))) as server:
        kept = connections_to(server.url)
        assert [kept.post({}, b"").headers["x-number"] for _ in range(3)] == ["1", "2", "3"]
        assert len(server.seen) == 1


@pytest.mark.parametrize(
    "first",
    [
        numbered(1, b"Connection: close\r\n"),
        numbered(1) + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfalse",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n6\r\nnumber\r\n0\r\n\r\n",
    ],
    ids=["it is to be closed", "more follows than was asked for", "it came in an unusual form"],
)
def test_a_connection_is_not_used_again_if(first: bytes) -> None:
    with odd_server(again_and_again(first)) as server:
        kept = connections_to(server.url)
        assert [kept.post({}, b"").body for _ in range(2)] == [b"number"] * 2
        assert len(server.seen) == 2


def test_one_that_the_server_closed_meanwhile_is_replaced() -> None:
    closed = threading.Event()

    def answer(connection: socket.socket) -> None:
        connection.sendall(numbered(1))
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    with odd_server(answer) as server:
        kept = connections_to(server.url)
        for _ in range(2):
            assert kept.post({}, b"").body == b"number"
            assert closed.wait(60)
            time.sleep(0.05)
        assert len(server.seen) == 2


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_leaves_them_to_its_parent() -> None:
    with odd_server(again_and_again(numbered(1), numbered(2))) as server:
        kept = connections_to(server.url)
        kept.post({}, b"")
        child = os.fork()
        if not child:
            os._exit(len(kept._waiting))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert kept.post({}, b"").headers["x-number"] == "2"


def test_no_more_wait_open_than_allowed() -> None:
    both = threading.Barrier(2)

    def answer(connection: socket.socket) -> None:
        both.wait(60)
        again_and_again(numbered(1))(connection)

    with odd_server(answer) as server:
        kept = connections_to(server.url, most=1)
        threads = [threading.Thread(target=kept.post, args=({}, b"")) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(kept._waiting) == 1


@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD + b"Content-Length: 6\r\n\r\n", b"num", b"ber"],
        [b"HTTP/1.1 2", b"00 OK\r\nContent-Le", b"ngth: 6\r\n\r", b"\nnumber"],
        [b"HTTP/1.1 100 Continue\r\n\r\n", numbered(1)],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nnum\r\n", b"3\r\nber\r\n0\r\n\r\n"],
        [b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nnum", b"ber"],
        [b"HTTP/1.1 200\r\nContent-Length: 6\r\n\r\nnumber"],
        [HEAD + b"A: 1\r\nA: 2\r\nContent-Length: 6\r\n\r\nnumber"],
    ],
)
def test_an_answer_is_read_whole(pieces: list[bytes]) -> None:
    def answer(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.02)
        connection.recv(65_536)

    with odd_server(answer) as server:
        got = connections_to(server.url).post({}, b"")
    assert (got.status, got.body) == (200, b"number")


def test_an_answer_without_a_length_lasts_until_the_end() -> None:
    with odd_server(lambda connection: connection.sendall(HEAD + b"\r\nnumber")) as server:
        assert connections_to(server.url).post({}, b"").body == b"number"


def test_a_long_answer_is_read_whole() -> None:
    with odd_server(whole(b"x" * 3_000_000)) as server:
        assert connections_to(server.url).post({}, b"").body == b"x" * 3_000_000


def test_headers_and_body_arrive() -> None:
    with odd_server(whole("")) as server:
        connections_to(server.url).post({"Host": "there", "X-Amz-Target": "Query"}, b"{}")
        assert server.seen == [b"POST / HTTP/1.1\r\nHost: there\r\nX-Amz-Target: Query\r\nContent-Length: 2\r\n\r\n{}"]


def test_a_header_with_a_line_break_is_not_sent() -> None:
    with odd_server(whole("")) as server:
        with pytest.raises(ValueError, match="line break"):
            connections_to(server.url).post({"X": "a\r\nHost: elsewhere"}, b"")
        assert server.seen == []


@pytest.mark.parametrize(
    ("answering", "error"),
    [
        (lambda _: None, ConnectionClosedError),
        (lambda connection: connection.sendall(HEAD), ConnectionClosedError),
        (lambda connection: connection.sendall(HEAD + b"Content-Length: 6\r\n\r\nnum"), ConnectionClosedError),
        (lambda connection: connection.sendall(b"SSH-2.0\r\n"), ConnectionClosedError),
        (
            lambda connection: connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n"),
            ConnectionClosedError,
        ),
        (again_and_again(b""), ReadTimeoutError),
        (again_and_again(HEAD + b"Content-Length: 6\r\n\r\nnum"), ReadTimeoutError),
    ],
    ids=[
        "nothing",
        "half a head",
        "half a body",
        "no HTTP",
        "a chunk below zero",
        "silence",
        "silence after half a body",
    ],
)
def test_anything_else_is_an_error(answering: Callable[[socket.socket], None], error: type[HTTPClientError]) -> None:
    with odd_server(answering) as server:
        kept = connections_to(server.url, read_timeout=0.5)
        with pytest.raises(error):
            kept.post({}, b"")
        assert not kept._waiting


@pytest.mark.parametrize("answering", TRICKLES.values(), ids=TRICKLES)
def test_an_answer_that_trickles_is_given_up(answering: Callable[[socket.socket], None]) -> None:
    began = time.monotonic()
    with odd_server(answering) as server, pytest.raises(HTTPClientError):
        connections_to(server.url, read_timeout=0.4).post({}, b"")
    assert time.monotonic() - began < IN_TIME


def sending_without_end(head: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.sendall(HEAD + head)
        while True:
            connection.sendall(b" " * 1_000_000)

    return answer


@pytest.mark.parametrize(
    "answering",
    [
        lambda connection: connection.sendall(HEAD + b"Content-Length: 99999999\r\n\r\n"),
        sending_without_end(b"\r\n"),
        sending_without_end(b"Transfer-Encoding: chunked\r\n\r\n-1\r\n"),
    ],
    ids=["as it says", "without a length", "in a chunk below zero"],
)
def test_an_answer_that_is_too_long_is_an_error(answering: Callable[[socket.socket], None]) -> None:
    with odd_server(answering) as server, pytest.raises(ConnectionClosedError) as caught:
        connections_to(server.url).post({}, b"")
    assert "too long" in str(caught.value.__cause__)


def test_where_nobody_listens_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with pytest.raises(EndpointConnectionError):
        connections_to(url).post({}, b"")


def test_a_handshake_that_takes_too_long_is_an_error(certificate: Path) -> None:
    with odd_server(again_and_again(b"")) as server:
        url = server.url.replace("http://", "https://")
        kept = KeptConnections(url, most=1, connect_timeout=0.5, read_timeout=5, certificates=str(certificate))
        with pytest.raises(ConnectTimeoutError):
            kept.post({}, b"")


def test_over_tls_a_connection_is_used_again(certificate: Path) -> None:
    with tls_server(certificate, again_and_again(numbered(1), numbered(2))) as server:
        kept = KeptConnections(server.url, most=1, connect_timeout=5, read_timeout=5, certificates=str(certificate))
        assert [kept.post({}, b"").headers["x-number"] for _ in range(2)] == ["1", "2"]


def test_over_tls_a_connection_with_more_on_it_is_not_used_again(certificate: Path) -> None:
    """The rest of the body comes in one record with what follows it, so nothing is left on the socket itself."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"Content-Length: 6\r\n\r\nnum")
        time.sleep(0.1)
        connection.sendall(b"ber" + HEAD + b"Content-Length: 5\r\n\r\nfalse")
        connection.recv(65_536)

    with tls_server(certificate, answer) as server:
        kept = KeptConnections(server.url, most=1, connect_timeout=5, read_timeout=5, certificates=str(certificate))
        assert [kept.post({}, b"").body for _ in range(2)] == [b"number"] * 2


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"], ids=["of nobody who is trusted", "of another name"])
def test_a_certificate_is_refused(certificate: Path, host: str) -> None:
    trusted = str(get_cert_path(True)) if host == "127.0.0.1" else str(certificate)
    with tls_server(certificate, whole("")) as server:
        url = server.url.replace("127.0.0.1", host)
        with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            KeptConnections(url, most=1, connect_timeout=5, read_timeout=5, certificates=trusted).post({}, b"")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://dynamodb.eu-west-1.amazonaws.com", "dynamodb.eu-west-1.amazonaws.com"),
        ("https://dynamodb.eu-west-1.amazonaws.com:443", "dynamodb.eu-west-1.amazonaws.com"),
        ("http://[::1]:4566", "[::1]:4566"),
        ("http://localhost:443", "localhost:443"),
    ],
)
def test_the_host_is_named_without_the_usual_port(url: str, host: str) -> None:
    kept = KeptConnections(url, most=1, connect_timeout=5, read_timeout=5, certificates=str(get_cert_path(True)))
    assert kept.host == host
