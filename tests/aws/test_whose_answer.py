"""Many people's calls at once over few connections to a server that fails in many ways: each gets their own answer."""

from __future__ import annotations

import itertools
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tenants.aws import clients
from tenants.aws.signing import signing_as
from tenants.domain.credentials import Credentials
from tests.world.odd_server import Answering, odd_server

PEOPLE, CALLS = 8, 25
Way = Callable[[socket.socket, bytes], None]


def _plain(body: bytes, more: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (more, len(body), body)


def _late(connection: socket.socket, body: bytes) -> None:
    time.sleep(0.4)
    connection.sendall(_plain(body))


def _in_two_with_more(connection: socket.socket, body: bytes) -> None:
    answer = _plain(body)
    connection.sendall(answer[:-5])
    time.sleep(0.02)
    connection.sendall(answer[-5:] + _plain(b'{"Item": {"pk": {"S": "nobody"}}}'))


def _ended(connection: socket.socket, body: bytes) -> None:
    connection.sendall(_plain(body)[:-5])
    connection.shutdown(socket.SHUT_RDWR)


WAYS: tuple[Way, ...] = (
    lambda connection, body: connection.sendall(_plain(body)),
    _in_two_with_more,
    lambda connection, body: connection.sendall(_plain(body)),
    _late,
    lambda connection, body: connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + _plain(body)),
    _ended,
    lambda connection, _: connection.sendall(b"HTTP/1.1 503 X\r\nContent-Length: 2\r\n\r\n{}"),
    lambda connection, body: connection.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    ),
    lambda connection, body: connection.sendall(_plain(body, b"Connection: close\r\n")),
)


def _heads(connection: socket.socket) -> Iterator[bytes]:
    """Of each request on a connection."""
    received = b""
    while piece := connection.recv(65_536):
        received += piece
        head, blank, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if blank and length and len(body) >= int(length[1]):
            yield head
            received = b""


def _answering(ways: Iterator[Way]) -> Answering:
    def answer(connection: socket.socket) -> None:
        for head in _heads(connection):
            named = re.search(rb"Credential=(\w+)/", head)
            assert named
            next(ways)(connection, json.dumps({"Item": {"pk": {"S": named[1].decode()}}}).encode())

    return answer


def _over_tls(certificate: Path, answering: Answering) -> Answering:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            answering(tls)

    return answer


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_everybody_gets_the_answer_to_their_own_call(
    scheme: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    monkeypatch.setitem(clients._LIMITS, "read_timeout", 0.3)
    answer = _answering(itertools.cycle(WAYS))
    with odd_server(answer if scheme == "http" else _over_tls(certificate, answer), reads=False) as server:
        url = server.url.replace("http", scheme)
        client = clients.records_client(region="eu-west-1", endpoint_url=url, connections=3)

        def call(number: int) -> str:
            person = f"ASIA{number % PEOPLE}"
            try:
                with signing_as(Credentials(person, "secret", "token", 4e9)):
                    answered = client.get_item(TableName="t", Key={"pk": {"S": "a"}})["Item"]["pk"]["S"]
            except (ClientError, BotoCoreError):
                return "a failure"
            assert answered == person
            return "their own"

        with ThreadPoolExecutor(PEOPLE) as pool:
            ends = list(pool.map(call, range(PEOPLE * CALLS)))
    assert ends.count("their own") > len(ends) / 2
