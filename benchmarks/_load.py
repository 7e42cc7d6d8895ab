"""Browsers that open one page after another as fast as they get them, in a process of their own.

Run as a file, it is that process: it reads what to ask for from standard input, as JSON, and prints the count.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

_HEAD_ENDS = b"\r\n\r\n"
_LENGTH = b"content-length: "


@dataclass(frozen=True, slots=True)
class Load:
    """`pages` were answered with 200 within `seconds`, from connection to connection evenly; `others` were not 200."""

    pages: int
    others: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.pages / self.seconds


def load(port: int, path: str, cookies: Sequence[str], *, connections: int, seconds: float) -> Load:
    """Each request is of the next of the people whose cookies these are."""
    asked = {"port": port, "path": path, "cookies": list(cookies), "connections": connections, "seconds": seconds}
    done = subprocess.run(
        [sys.executable, Path(__file__)], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    return Load(**json.loads(done.stdout))


class Browser(asyncio.Protocol):
    """One connection. It asks again as soon as an answer is whole."""

    def __init__(self, asks: Asks) -> None:
        self.asks = asks
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.asks.next_request())

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, ends, body = self.received.partition(_HEAD_ENDS)
        if not ends:
            return
        lowered = head.lower()
        length = int(lowered.partition(_LENGTH)[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self.received = b""
        if lowered[9:12] == b"200":
            self.asks.pages += 1
        else:
            self.asks.others += 1
        if time.monotonic() < self.asks.ends_at:
            self.transport.write(self.asks.next_request())
        else:
            self.transport.close()

    def connection_lost(self, _problem: Exception | None) -> None:
        self.asks.open -= 1
        if not self.asks.open:
            self.asks.over.set()


class Asks:
    def __init__(self, path: str, cookies: Sequence[str], connections: int, seconds: float) -> None:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost:8000\r\nAccept: text/html\r\nUser-Agent: benchmark\r\nCookie: "
        self.requests = [f"{head}{cookie}\r\n\r\n".encode() for cookie in cookies]
        self.next, self.pages, self.others, self.open = 0, 0, 0, connections
        self.over = asyncio.Event()
        self.ends_at = time.monotonic() + seconds

    def next_request(self) -> bytes:
        self.next = (self.next + 1) % len(self.requests)
        return self.requests[self.next]


async def main() -> None:
    asked = json.load(sys.stdin)
    loop, asks = (
        asyncio.get_running_loop(),
        Asks(*(asked[name] for name in ("path", "cookies", "connections", "seconds"))),
    )
    began = time.monotonic()
    for _ in range(asked["connections"]):
        await loop.create_connection(lambda: Browser(asks), "127.0.0.1", asked["port"])
    await asks.over.wait()
    print(json.dumps({"pages": asks.pages, "others": asks.others, "seconds": time.monotonic() - began}))


if __name__ == "__main__":
    asyncio.run(main())
