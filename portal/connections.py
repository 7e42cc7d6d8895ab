"""One client's connection: bounded in time and size, so that a slow or hostile client delays nobody else.

waitress reads a request whole before a thread works on it, and sends an answer without holding the thread. Its own
timeout counts from the last byte, so a client that sends one byte now and then would stay for ever. The limits here
count from the first byte. What two programs could read differently is refused, because a proxy stands in front.
"""

from __future__ import annotations

import logging
import re
import socket
import time
from typing import Any

from django.conf import settings
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import RequestEntityTooLarge

from portal.headers import BARE

# Seconds from the first byte of a request to the end of its headers, and to its end.
HEADER_SECONDS = 10
REQUEST_SECONDS = 30
# A load balancer closes an idle connection after 60 seconds. It must be the first: a request that it sends on a
# connection that we have just closed is lost.
IDLE_SECONDS = 75
# Who takes an answer slower than this, is not waited for.
SLOWEST_BYTES_PER_SECOND = 1_000
PACE_SECONDS = 20
# After the last answer, what the client still sends is read and dropped. Otherwise it would lose the answer.
LINGER_SECONDS = 5
_DROP_BYTES = 65_536

_log = logging.getLogger("portal.server")
_FOLDED = re.compile(rb"\r\n[ \t]")
_FRAMING = re.compile(rb"(?im)^(transfer-encoding|content-length|host|expect)[ \t]*:[ \t]*(.*?)[ \t]*\r?$")


class Request(HTTPRequestParser):  # type: ignore[misc]
    """Refuses what a proxy could frame in another way. A body that is too large is not read; the portal says so."""

    def parse_header(self, header_plus: bytes) -> None:
        if _FOLDED.search(header_plus):
            raise ParsingError("A header is continued on the next line")
        _refuse_ambiguous_framing(header_plus)
        super().parse_header(header_plus)

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        if isinstance(self.error, RequestEntityTooLarge):
            self._leave_body_unread()
        if self.error:
            self.expect_continue = False
        return consumed

    def _leave_body_unread(self) -> None:
        """The portal answers, by the length in the header. The connection then ends: the body was not read."""
        self.close()
        self.headers["CONTENT_LENGTH"] = str(max(self.content_length, self.body_bytes_received))
        self.headers["CONNECTION"] = "close"
        self.error, self.body_rcv, self.expect_continue, self.completed = None, None, False, True


def _refuse_ambiguous_framing(header_plus: bytes) -> None:
    found: dict[bytes, list[bytes]] = {}
    for name, value in _FRAMING.findall(header_plus):
        found.setdefault(name.lower(), []).append(value.lower())
    if any(len(values) > 1 for values in found.values()):
        raise ParsingError("A header that may appear once appears twice")
    encoding = found.get(b"transfer-encoding")
    if encoding and (b"content-length" in found or encoding != [b"chunked"] or not _is_http_1_1(header_plus)):
        raise ParsingError("Transfer-Encoding is not chunked, or is not alone")
    if found.get(b"expect", [b"100-continue"]) != [b"100-continue"]:
        raise ParsingError("An expectation other than 100-continue")


def _is_http_1_1(header_plus: bytes) -> bool:
    return header_plus.partition(b"\r\n")[0].rstrip().endswith(b" HTTP/1.1")


class Answer(WSGITask):  # type: ignore[misc]
    """Sends no body to HEAD. The headers stay those of GET."""

    def write(self, data: bytes) -> None:
        super().write(b"" if self.request.command == "HEAD" else data)

    def finish(self) -> None:
        if self.request.command == "HEAD":
            self.chunked_response = False
        super().finish()


class Refusal(ErrorTask):  # type: ignore[misc]
    """A request that is no HTTP, or that Django could not answer at all. Django logs none of them.

    The reason is neither sent nor logged: it can repeat what the client sent.
    """

    def execute(self) -> None:
        error = self.request.error
        error.body = error.reason
        self.response_headers.extend(_headers())
        super().execute()
        _log.info("refused", extra={"status": self.status, "address": self.channel.address})


def _headers() -> list[tuple[str, str]]:
    hsts = f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains; preload" if settings.SECURE_HSTS_SECONDS else ""
    return [*BARE.items(), *([("Strict-Transport-Security", hsts)] if hsts else [])]


class Connection(HTTPChannel):  # type: ignore[misc]
    task_class = Answer
    error_task_class = Refusal
    parser_class = Request

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.waits_since = self.creation_time
        self._request_since = 0.0
        self._lingers_since = 0.0
        self._ends_after_this = False
        self._sent = 0
        # When the pace was looked at, and how much had been sent by then.
        self._pace = (0.0, 0)

    @property
    def address(self) -> str:
        return str(self.addr[0])

    @property
    def waits_for_client(self) -> bool:
        """Whether no thread works for it: the client has to send something, or to take its answer."""
        return not self.requests

    @property
    def is_idle(self) -> bool:
        """Whether nothing is lost if it ends now."""
        return bool(self._lingers_since) or not (self.requests or self.request or self.total_outbufs_len)

    def is_overdue(self, now: float) -> bool:
        if self._lingers_since:
            return now - self._lingers_since > LINGER_SECONDS
        if self.total_outbufs_len:
            return self._reads_too_slowly(now)
        self._pace = (0.0, 0)
        if self.requests:
            return False
        request = self.request
        if request is None:
            return bool(now - self.waits_since > IDLE_SECONDS)
        limit = REQUEST_SECONDS if request.headers_finished else HEADER_SECONDS
        return bool(now - self._request_since > limit)

    def _reads_too_slowly(self, now: float) -> bool:
        since, sent = self._pace
        if not since:
            self._pace = (now, self._sent)
        if not since or now - since < PACE_SECONDS:
            return False
        self._pace = (now, self._sent)
        return self._sent - sent < SLOWEST_BYTES_PER_SECOND * PACE_SECONDS

    def received(self, data: bytes) -> bool:
        if self._ends_after_this:
            return False
        request = self.request
        received: bool = super().received(data)
        if self.request is not request:
            self._request_since = time.time()
        with self.requests_lock:
            if len(self.requests) > 1:
                self._take_no_more()
        return received

    def _take_no_more(self) -> None:
        """Browsers and proxies wait for an answer before they ask again. A hundred answers waiting are an attack."""
        del self.requests[1:]
        self.request, self._ends_after_this = None, True

    def service(self) -> None:
        super().service()
        self.waits_since = time.time()
        if self._ends_after_this and not self.requests:
            self.close_when_flushed = True
            self.server.pull_trigger()

    def send(self, data: bytes, do_close: bool = True) -> int:
        sent: int = super().send(data, do_close=do_close)
        self._sent += sent
        return sent

    # ── Ending ───────────────────────────────────────────────────────────────────────────────────────────────────

    def handle_write(self) -> None:
        if self.close_when_flushed and not self.requests:
            self._end_after_answer()
        else:
            super().handle_write()

    def _end_after_answer(self) -> None:
        self._flush_exception(self._flush_some)
        if self.will_close:
            self.handle_close()
        elif not self.total_outbufs_len:
            self.close_when_flushed = False
            self._linger()

    def _linger(self) -> None:
        self._lingers_since = time.time()
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.handle_close()

    def readable(self) -> bool:
        return bool(self._lingers_since) or bool(super().readable())

    def handle_read(self) -> None:
        if not self._lingers_since:
            super().handle_read()
            return
        try:
            left = self.recv(_DROP_BYTES)
        except OSError:
            left = b""
        if not left:
            self.handle_close()
