"""Posts to one address over connections that stay open, for a client whose every page waits for a small answer.

http.client takes five times as long for it, and urllib3 ten times. Here a request is one write, and an answer in the
form in which AWS sends them needs no parser of mail headers. http.client reads every answer of another form.
Errors are botocore's, as botocore's own transport raises them. An answer is bounded in total time and in size, which
botocore's are not. There are no retries and no proxies.
"""

from __future__ import annotations

import io
import os
import re
import select
import socket
import ssl
import time
import weakref
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)

# 1xx comes before an answer, and 204 and 304 have no body.
_STATUS = re.compile(r"HTTP/1\.1 (?P<status>(?!204|304)[2-5]\d\d)(?: |$)", re.ASCII)
_LENGTH = re.compile(r"\d{1,12}", re.ASCII)
_PIECE_BYTES = 65_536
_MOST_HEAD_BYTES = 65_536
# DynamoDB's longest answer is 16 MB, which are more as JSON.
MOST_BYTES = 64 * 1024 * 1024
MOST_READ_TIMEOUTS = 3
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Answer:
    """Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    keeps_connection: bool


class KeptConnections:
    """`url` has no path. `most` connections wait open; more are made where more calls run at once, and closed after.

    `connect_timeout` and `read_timeout` are seconds, the second between two pieces of an answer. A whole one may take
    three times as long. `certificates` is the file of the authorities to trust.
    """

    def __init__(self, url: str, *, most: int, connect_timeout: float, read_timeout: float, certificates: str) -> None:
        parts = urlsplit(url)
        usual_port = _PORTS[parts.scheme]
        self.url = url
        # As the header has it.
        self.host = (
            parts.netloc if parts.port not in {None, usual_port} else parts.netloc.removesuffix(f":{usual_port}")
        )
        self._address = (parts.hostname, parts.port or usual_port)
        self._connect_timeout, self._read_timeout, self._most = connect_timeout, read_timeout, most
        self._tls = ssl.create_default_context(cafile=certificates) if parts.scheme == "https" else None
        self._waiting: deque[socket.socket] = deque()
        weakref.finalize(self, _close, self._waiting)
        _every.add(self)

    def post(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """To `/`. Raises ConnectTimeoutError, EndpointConnectionError, SSLError, ReadTimeoutError or
        ConnectionClosedError.
        """
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if lines.count("\n") != len(headers):
            raise ValueError("a header has a line break in it")
        request = f"POST / HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body
        connection = self._take()
        keep = False
        try:
            connection.settimeout(self._read_timeout)
            connection.sendall(request)
            answer = _answer(_Incoming(connection, self._read_timeout))
            keep = answer.keeps_connection and len(self._waiting) < self._most
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=self.url, error=error) from error
        except (OSError, HTTPException, ValueError) as error:
            # http.client has a ValueError for a chunk whose length is below zero.
            raise ConnectionClosedError(endpoint_url=self.url, error=error, request=None) from error
        finally:
            if keep:
                self._waiting.append(connection)
            else:
                connection.close()
        return answer

    def _take(self) -> socket.socket:
        """The one that was used last: the server has probably not closed it."""
        while self._waiting:
            try:
                connection = self._waiting.pop()
            except IndexError:
                # Another thread has taken it.
                break
            if not _has_something_to_read(connection):
                return connection
            connection.close()
        try:
            return self._connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=self.url, error=error) from error
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=self.url, error=error) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=self.url, error=error) from error

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._address, self._connect_timeout)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_hostname=self._address[0])
        except BaseException:
            connection.close()
            raise
        return connection


def _close(connections: deque[socket.socket]) -> None:
    while connections:
        connections.pop().close()


_every: weakref.WeakSet[KeptConnections] = weakref.WeakSet()


def _leave_to_parent() -> None:
    """On a connection that a forked process shares with its parent, one would read the other's answers."""
    for kept in _every:
        _close(kept._waiting)


os.register_at_fork(after_in_child=_leave_to_parent)


def _has_something_to_read(connection: socket.socket) -> bool:
    """Between two requests this is the end of the connection, or an answer to nothing."""
    if isinstance(connection, ssl.SSLSocket) and connection.pending():
        # TLS reads and decrypts a whole record, also where less of it was asked for.
        return True
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


class _Incoming:
    """What comes on a connection, until the time for one answer is over, or it is far longer than any."""

    def __init__(self, connection: socket.socket, read_timeout: float) -> None:
        self._connection, self._read_timeout = connection, read_timeout
        self._until = time.monotonic() + MOST_READ_TIMEOUTS * read_timeout
        self._bytes_left = 2 * MOST_BYTES

    def recv(self, most: int) -> bytes:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._connection.settimeout(min(self._read_timeout, left))
        piece = self._connection.recv(most)
        self._bytes_left -= len(piece)
        if self._bytes_left < 0:
            raise ConnectionResetError("the answer is too long")
        return piece


def _answer(connection: _Incoming) -> Answer:
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        piece = connection.recv(_PIECE_BYTES)
        if not piece or len(received) > _MOST_HEAD_BYTES:
            raise ConnectionResetError("the head of the answer has no end")
        received += piece
    first, *lines = received[:end].decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip(" \t")
    named, length = _STATUS.match(first), headers.get("content-length", "")
    if named is None or not _LENGTH.fullmatch(length) or len(headers) < len(lines) or "transfer-encoding" in headers:
        return _read_by_the_library(connection, received)
    body = _body(connection, received[end + 4 :], int(length))
    keeps = headers.get("connection", "keep-alive").lower() == "keep-alive" and len(body) == int(length)
    return Answer(int(named["status"]), headers, body[: int(length)], keeps)


def _body(connection: _Incoming, beginning: bytes, length: int) -> bytes:
    if length > MOST_BYTES:
        raise ConnectionResetError("the answer is too long")
    missing = length - len(beginning)
    if missing <= 0:
        return beginning
    pieces = [beginning]
    while missing > 0:
        piece = connection.recv(min(missing, _PIECE_BYTES))
        if not piece:
            raise ConnectionResetError("the answer ends too early")
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _read_by_the_library(connection: _Incoming, received: bytes) -> Answer:
    response = HTTPResponse(_Received(connection, received), method="POST")  # type: ignore[arg-type]
    with response:
        response.begin()
        body = response.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise ConnectionResetError("the answer is too long")
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, body, keeps_connection=False)


class _Received(io.RawIOBase):
    """What was received already, and then the rest of the connection."""

    def __init__(self, connection: _Incoming, received: bytes) -> None:
        self._connection, self._received = connection, received

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        received = self._received or self._connection.recv(len(buffer))
        piece, self._received = received[: len(buffer)], received[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)
