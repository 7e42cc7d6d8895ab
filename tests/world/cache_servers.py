"""Servers of a shared cache that fail, and a Redis of the test's own, which can be stopped, halted and filled."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
import redis

from portal.cache import caches_at
from portal.environment import read

NOBODY_LISTENS = 1
# On a busy machine a server that does not hang may need more than the portal's half a second.
PATIENTLY = "?socket_timeout=5&socket_connect_timeout=5"


def caches_on(port: int, query: str = "") -> dict[str, Any]:
    """The setting CACHES for a Redis at this port, made as the portal makes it."""
    return caches_at(read({**os.environ, "CACHE_URL": f"redis://127.0.0.1:{port}/0{query}"}).cache)


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server that gives this answer to whatever it is asked; with b"" it hangs. Yields its port."""

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(65_536):
                self.request.sendall(answer)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@dataclass(slots=True)
class Redis:
    port: int
    process: subprocess.Popen[bytes]

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=60)

    def halt(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.go_on()
        self.process.kill()
        self.process.wait()

    def fill(self) -> None:
        """It takes no more writes: OOM command not allowed."""
        self.client.config_set("maxmemory", "1")


@contextmanager
def redis_server() -> Iterator[Redis]:
    """Skips the test where there is no redis-server."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on this machine")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as scratch:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", scratch]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        server = Redis(port, process)
        try:
            _wait_for(server)
            yield server
        finally:
            server.stop()


def _wait_for(server: Redis) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and server.process.poll() is None:
        with suppress(redis.ConnectionError, redis.TimeoutError), server.client as client:
            client.ping()
            return
        time.sleep(0.05)
    pytest.fail("redis-server did not start")
