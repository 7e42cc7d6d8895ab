"""HTTP/1.1 on loopback: reads a whole request, passes it to the app, and writes the answer. Knows nothing about AWS.

A request that is too large or could be read in two ways (a repeated security header, two lengths of one body) is
refused first.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http.client import responses

import h11

from emulator import clock
from emulator.wire import Dropped, Incoming, Reply

App = Callable[[Incoming], Awaitable[Reply | Dropped]]

MAX_BODY = 16 * 1024 * 1024
# A body above the limit is read up to here, so that the client sees the answer and not a broken connection.
_DISCARDED = 64 * 1024 * 1024
IDLE_SECONDS = 75
REQUEST_SECONDS = 30
_READ_SIZE = 256 * 1024
_NO_IPV6 = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT})
_SINGLE_HEADERS = ("authorization", "content-type", "host", "content-encoding", "content-length")

log = logging.getLogger(__name__)


class UnreadableRequest(Exception):
    """The request cannot be read, or can be read in more than one way. The client gets the message."""

    status = 400


class TooLarge(UnreadableRequest):
    status = 413

    def __init__(self) -> None:
        super().__init__("The body is larger than 16 MB.")


def listen(port: int) -> list[socket.socket]:
    """Opens sockets on 127.0.0.1 and, if the computer has it, ::1, with the same port. 0 picks a free port.

    Raises OSError if the port is taken.
    """
    first = _bind(socket.AF_INET, "127.0.0.1", port)
    try:
        return [first, _bind(socket.AF_INET6, "::1", first.getsockname()[1])]
    except OSError as failure:
        if failure.errno in _NO_IPV6:
            return [first]
        first.close()
        if port == 0:
            return listen(0)
        raise


def _bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(256)
    except OSError:
        listener.close()
        raise
    return listener


async def serve(app: App, sockets: list[socket.socket], stop: asyncio.Event) -> None:
    """Answers requests until `stop` is set, then closes every connection."""
    connections: set[asyncio.Task[None] | None] = set()

    async def handle_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        connections.add(task)
        try:
            await _Connection(app, reader, writer).run()
        except (ConnectionError, asyncio.CancelledError, TimeoutError):
            log.debug("the client closed the connection")
        finally:
            connections.discard(task)
            writer.close()

    servers = [await asyncio.start_server(handle_connection, sock=sock) for sock in sockets]
    await stop.wait()
    for server in servers:
        server.close()
    open_tasks = [task for task in connections if task is not None]
    for task in open_tasks:
        task.cancel()
    await asyncio.gather(*open_tasks, return_exceptions=True)


class _Connection:
    def __init__(self, app: App, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._app, self._reader, self._writer = app, reader, writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=64 * 1024)
        peer = writer.get_extra_info("peername") or ("127.0.0.1",)
        self._client_ip = str(peer[0])

    async def run(self) -> None:
        while True:
            try:
                incoming = await self._next_request()
                if incoming is None:
                    return
                answer = await self._app(incoming)
            except (h11.RemoteProtocolError, UnreadableRequest) as failure:
                status = failure.status if isinstance(failure, UnreadableRequest) else 400
                await self._write(Reply(status, f"{failure}\n".encode(), (("Content-Type", "text/plain"),)), last=True)
                return
            if isinstance(answer, Dropped):
                self._writer.transport.abort()
                return
            await self._write(answer, head=incoming.method == "HEAD")
            if self._http.our_state is h11.MUST_CLOSE or self._http.their_state is not h11.DONE:
                return
            self._http.start_next_cycle()

    async def _next_request(self) -> Incoming | None:
        """Waits up to IDLE_SECONDS for the first byte. The whole request must then arrive within REQUEST_SECONDS."""
        if not self._http.trailing_data[0]:
            async with asyncio.timeout(IDLE_SECONDS):
                self._http.receive_data(await self._reader.read(_READ_SIZE))
        async with asyncio.timeout(REQUEST_SECONDS):
            return await self._read_request()

    async def _read_request(self) -> Incoming | None:
        request: h11.Request | None = None
        body, length = bytearray(), 0
        while True:
            event = await self._next_event()
            if isinstance(event, h11.Request):
                request = event
                if {b"content-length", b"transfer-encoding"} <= {name for name, _ in request.headers}:
                    raise UnreadableRequest("The body has a Content-Length and a Transfer-Encoding.")
            elif isinstance(event, h11.Data):
                length += len(event.data)
                if length > _DISCARDED:
                    raise TooLarge
                if length <= MAX_BODY:
                    body += event.data
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                if length > MAX_BODY:
                    raise TooLarge
                return self._incoming(request, bytes(body))
            elif isinstance(event, h11.ConnectionClosed):
                return None

    async def _next_event(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                self._writer.write(self._http.send(go_on) or b"")
            self._http.receive_data(await self._reader.read(_READ_SIZE))

    def _incoming(self, request: h11.Request, body: bytes) -> Incoming:
        headers: dict[str, str] = {}
        for raw_name, raw_value in request.headers:
            name, value = raw_name.decode("ascii"), raw_value.decode("utf-8", errors="surrogateescape")
            if name in headers and (name in _SINGLE_HEADERS or name.startswith("x-amz-")):
                raise UnreadableRequest(f"The header {name} is given more than once.")
            joint = "; " if name == "cookie" else ", "
            headers[name] = f"{headers[name]}{joint}{value}" if name in headers else value
        target = request.target.decode("ascii", errors="replace")
        return Incoming(request.method.decode("ascii"), target, headers, body, self._client_ip)

    async def _write(self, reply: Reply, *, head: bool = False, last: bool = False) -> None:
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        headers = [
            *reply.headers,
            ("Date", formatdate(clock.now(), usegmt=True)),
            ("Content-Length", str(len(reply.body))),
        ]
        if last:
            headers.append(("Connection", "close"))
        encoded = [(name.encode("ascii"), value.encode("latin-1", errors="replace")) for name, value in headers]
        # While botocore waits for `100 Continue`, it recognises another answer only if it has a reason phrase.
        words = responses.get(reply.status, "Unknown").encode("ascii")
        start = h11.Response(status_code=reply.status, reason=words, headers=encoded)
        out = self._http.send(start) or b""
        if reply.body and not head:
            out += self._http.send(h11.Data(data=reply.body)) or b""
        out += self._http.send(h11.EndOfMessage()) or b""
        self._writer.write(out)
        await self._writer.drain()
