"""A server on loopback that answers in ways in which Cognito never does: slowly, endlessly, packed, broken."""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

Answering = Callable[[socket.socket], None]


@dataclass
class OddServer:
    """`answer` gets the connection, once a request was read if it `reads` one."""

    answer: Answering
    reads: bool
    url: str = ""
    seen: list[bytes] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def odd_server(answer: Answering, *, reads: bool = True) -> Iterator[OddServer]:
    server = OddServer(answer, reads)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread = threading.Thread(target=_serve, args=(server, listening))
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            # One more, so that it waits for none.
            socket.create_connection(listening.getsockname()).close()
            thread.join()


@contextmanager
def tls_server(certificate: Path, answering: Answering) -> Iterator[OddServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(65_536)
            answering(tls)

    # The first bytes are TLS's.
    with odd_server(answer, reads=False) as server:
        server.url = server.url.replace("http://", "https://")
        yield server


def _serve(server: OddServer, listening: socket.socket) -> None:
    """Connections that are still open at the end are ended: their threads would wait for the client's next request."""
    with ExitStack() as at_the_end:
        while True:
            connection, _ = listening.accept()
            if server.ended.is_set():
                connection.close()
                return
            # By another handle: TLS takes this one over.
            handle = connection.dup()
            thread = threading.Thread(target=_one, args=(server, connection, handle))
            at_the_end.callback(_end, thread, handle)
            thread.start()


def _end(thread: threading.Thread, handle: socket.socket) -> None:
    with suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)
    thread.join()


def _one(server: OddServer, connection: socket.socket, handle: socket.socket) -> None:
    with handle, connection:
        connection.settimeout(60)
        try:
            if server.reads:
                server.seen.append(_request(connection))
            server.answer(connection)
        except OSError:
            pass


def _request(connection: socket.socket) -> bytes:
    """As far as it comes. What is left unread would end the connection before the answer is read."""
    received = b""
    while piece := connection.recv(65_536):
        received += piece
        head, blank, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if blank and len(body) >= int(length[1] if length else 0):
            break
    return received


def whole(body: bytes | str, *, status: int = 200, **headers: str) -> Answering:
    content = body.encode() if isinstance(body, str) else body
    lines = {"Content-Type": "application/json", "Content-Length": str(len(content)), "Connection": "close"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in {**lines, **named}.items())
    return lambda connection: connection.sendall(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + content)


def as_json(value: object, **options: object) -> Answering:
    return whole(json.dumps(value), **options)  # type: ignore[arg-type]


# In seconds. A call that is given up in time ends long before the minute that a trickle lasts; its own limit is shorter
# still, but a busy machine takes its time.
IN_TIME = 30


def trickling(head: bytes, bit: bytes) -> Answering:
    """Sends `bit` again and again, each well within any timeout of a read, for a minute."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(600):
            connection.sendall(bit)
            time.sleep(0.1)

    return answer


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def packed(size: int) -> Answering:
    """So many zero bytes, a thousandth as long on the way."""
    return whole(gzip.compress(b"0" * size), Content_Encoding="gzip")


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 X\r\n\r\n")
    while True:
        connection.sendall(b" " * 65_536)


ODD_ANSWERS: dict[str, Answering] = {
    "html": whole("<h1>Welcome</h1>", Content_Type="text/html"),
    "empty": whole(""),
    "a list": as_json([]),
    "null": as_json(None),
    "a number": as_json(5),
    "text": as_json("id_token"),
    "no tokens": as_json({}),
    "a token that is a number": as_json({"id_token": 5}),
    "a token that is a list": as_json({"id_token": ["a.b.c"]}),
    "a token that is none": as_json({"id_token": "a.b.c", "refresh_token": "r"}),
    "a refresh token that is an object": as_json({"id_token": "a.b.c", "refresh_token": {}}),
    "an error that is an object": as_json({"error": {"a": 1}}, status=400),
    "an error that is a list": as_json({"error": ["invalid_grant"]}, status=400),
    "an unknown error": as_json({"error": "<script>"}, status=400),
    "a wrong client": as_json({"error": "invalid_client"}, status=400),
    "a wrong grant": as_json({"error": "invalid_grant"}, status=400),
    "a wrong grant with 200": as_json({"error": "invalid_grant"}),
    "unauthorised": whole("", status=401),
    "forbidden by a firewall": whole("<h1>403</h1>", status=403),
    "not found": whole("<h1>404</h1>", status=404),
    "too many": whole("", status=429),
    "an error of the server": whole("oops", status=500),
    "a bad gateway": whole("<h1>502</h1>", status=502),
    "a redirect": whole("", status=302, Location="http://127.0.0.1:9/"),
    "a redirect that keeps the method": whole("", status=307, Location="/oauth2/token"),
    "no content": whole("", status=204),
    "a name twice": whole('{"id_token": "a.b.c", "id_token": "d.e.f"}'),
    "deep": whole("[" * 200_000),
    "deep objects": whole('{"a":' * 40_000 + "1" + "}" * 40_000),
    "a long number": whole('{"id_token": ' + "1" * 10_000 + "}"),
    "not a number": whole('{"id_token": NaN}'),
    "half a pair": whole('{"id_token": "\\ud800"}'),
    "not UTF-8": whole(b'{"id_token": "\xff\xfe"}'),
    "UTF-16": whole('{"id_token": "a"}'.encode("utf-16")),
    "packed": packed(100),
    "a bomb": packed(50_000_000),
    "packed by nothing known": whole("{}", Content_Encoding="br"),
    "too long": whole(b" " * 1_000_000),
    "shorter than it says": whole("{}", Content_Length="100"),
    "a length that is none": whole("{}", Content_Length="many"),
    "a length below zero": whole("{}", Content_Length="-5"),
    "no HTTP": lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "nothing": lambda _: None,
    "a reset": reset,
    "an endless body": endless,
    "broken chunks": lambda connection: connection.sendall(
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"
    ),
    "many headers": lambda connection: connection.sendall(b"HTTP/1.1 200 X\r\n" + b"A: b\r\n" * 1_000 + b"\r\n{}"),
}
TRICKLES: dict[str, Answering] = {
    "a body of known length": trickling(b"HTTP/1.1 200 X\r\nContent-Length: 100000\r\n\r\n", b" "),
    "a body of no length": trickling(b"HTTP/1.1 200 X\r\n\r\n{}", b" "),
    "chunks": trickling(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "the length of a chunk": trickling(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a"),
    "headers": trickling(b"HTTP/1.1 200 X\r\n", b"A: b\r\n"),
    "one header": trickling(b"HTTP/1.1 200 X\r\nA: ", b"b"),
    "the first line": trickling(b"HTTP/1.1 200 ", b"X"),
    "one early answer after the other": trickling(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}
