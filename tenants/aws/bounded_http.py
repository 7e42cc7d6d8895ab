"""Plain HTTP calls whose answer is bounded: in total time, however slowly it comes, and in size.

A timeout of a socket bounds one read only, so an answer that trickles could hold a thread for hours: here an alarm ends
the connection. Answers are asked for unpacked, and one that is packed anyway is refused.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

MOST_SECONDS = 8.0
MOST_BYTES = 256 * 1024
_TIMEOUT = (2, 5)


class NoAnswer(Exception):
    """Nothing usable came back: no connection, too slow, too long, packed, broken. The text names no address."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` are found whatever their case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def call(request: requests.PreparedRequest, *, seconds: float = MOST_SECONDS, most_bytes: int = MOST_BYTES) -> Answer:
    """Sends it once, on a connection of its own, and follows no redirect. Raises NoAnswer.

    `seconds` begin when the connection does: finding the host's address is the operating system's.
    """
    request.headers["Accept-Encoding"] = "identity"
    alarm = _Alarm(seconds)
    try:
        with requests.Session() as session:
            session.mount("http://", _Adapter(alarm))
            session.mount("https://", _Adapter(alarm))
            return _answer(session, request, most_bytes)
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        raise NoAnswer("it takes too long" if alarm.rang else type(error).__name__) from error
    finally:
        alarm.off()
        if alarm.rang:
            # Without a length, an answer that was cut off looks like a whole one.
            raise NoAnswer("it takes too long")


def _answer(session: requests.Session, request: requests.PreparedRequest, most_bytes: int) -> Answer:
    surroundings = session.merge_environment_settings(request.url, {}, True, None, None)
    with session.send(request, timeout=_TIMEOUT, allow_redirects=False, **surroundings) as response:
        if response.headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}:
            raise NoAnswer("it is packed")
        body = response.raw.read(most_bytes + 1, decode_content=False)
        if len(body) > most_bytes:
            raise NoAnswer("it is too long")
        return Answer(response.status_code, response.headers, body)


class _Alarm:
    """Ends a connection after so many seconds, whatever the thread that uses it is waiting for."""

    def __init__(self, seconds: float) -> None:
        self.rang = False
        self._seconds = seconds
        self._timer: threading.Timer | None = None
        self._twin: socket.socket | None = None

    def watch(self, connection: socket.socket) -> socket.socket:
        self.off()
        # TLS takes the socket itself over before its handshake. Its twin stays ours and is the same connection.
        self._twin = connection.dup()
        self._timer = threading.Timer(self._seconds, self._ring, [self._twin])
        self._timer.daemon = True
        self._timer.start()
        return connection

    def off(self) -> None:
        if self._timer is not None and self._twin is not None:
            self._timer.cancel()
            self._timer.join()
            self._twin.close()
            self._timer = self._twin = None

    def _ring(self, twin: socket.socket) -> None:
        self.rang = True
        with suppress(OSError):
            twin.shutdown(socket.SHUT_RDWR)


class _Http(HTTPConnection):
    def __init__(self, *arguments: Any, alarm: _Alarm, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._alarm = alarm

    def _new_conn(self) -> socket.socket:
        """As urllib3's own SOCKS connection does, the connection is made here before TLS begins."""
        return self._alarm.watch(super()._new_conn())


class _Https(_Http, HTTPSConnection):
    pass


class _Adapter(HTTPAdapter):
    def __init__(self, alarm: _Alarm) -> None:
        super().__init__()
        self._alarm = alarm

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*arguments, **options)
        pool.ConnectionCls = _Https if issubclass(pool.ConnectionCls, HTTPSConnection) else _Http
        pool.conn_kw["alarm"] = self._alarm
        return pool
