"""Serves the portal: `python -m portal.server 127.0.0.1:8000`. A process with threads, because a page mostly waits.
`--processes` starts several.

waitress reads requests and sends answers in one loop, and threads make the pages. `connections.py` bounds each
connection. Here, one address has a share of them, a newcomer always finds room, and the health pages have threads of
their own: they answer while every other thread waits for AWS.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.log import configure_logging
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from portal import environment, secret_files
from portal.connections import Connection
from portal.probes import PATHS
from portal.server_processes import Processes, check_free
from tenants.management.errors import one_line

THREADS = 16
CONNECTIONS = 1_000
# Of one address. Where proxies are trusted, all connections are theirs, and they have to bound their clients.
CONNECTIONS_OF_AN_ADDRESS = 100
STOP_SECONDS = 10
_PROBE_THREADS = 2
_MOST_HEADER_BYTES = 32_768
_MOST_UNSENT_BYTES = 262_144
# Up to three files for a connection: its socket, a long body, a long answer.
_FILES = 3 * CONNECTIONS + 1_000

_log = logging.getLogger("portal.server")


class Server(TcpWSGIServer):  # type: ignore[misc]
    channel_class = Connection

    def __init__(
        self, application: Callable[..., Any], *, adj: Adjustments, share: int, is_one_of_several: bool
    ) -> None:
        # Before the rest, which accepts connections as soon as it runs.
        self._share = share
        self._is_one_of_several = is_one_of_several
        self._stopping = False
        self._next_look = 0.0
        self._probes = _threads(_PROBE_THREADS)
        super().__init__(application, dispatcher=_threads(THREADS), adj=adj, sockinfo=adj.listen[0])

    def bind_server_socket(self) -> None:
        if self._is_one_of_several:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().bind_server_socket()

    def add_task(self, task: Connection) -> None:
        """`task` is the connection. Its first request is the next one to be worked on."""
        request = task.requests[0]
        is_probe = not request.error and request.path in PATHS
        (self._probes if is_probe else self.task_dispatcher).add_task(task)

    def handle_accept(self) -> None:
        super().handle_accept()
        every = list(self.active_channels.values())
        own = [connection for connection in every if connection.address == every[-1].address]
        if len(own) > self._share:
            _end_longest_wait(own)
        elif len(every) > CONNECTIONS:
            _end_longest_wait(every)

    def maintenance(self, now: float) -> None:
        """Does nothing: waitress asks for it in the middle of its loop, where no connection may be closed."""

    def run(self) -> None:
        """Until `stop`. Then goes on for at most STOP_SECONDS with the requests that have begun."""
        while not self._stopping:
            self._turn()
        self.del_channel()
        self.socket.close()
        deadline = time.time() + STOP_SECONDS
        while self.active_channels and time.time() < deadline:
            for connection in list(self.active_channels.values()):
                if connection.is_idle:
                    connection.handle_close()
            self._turn()

    def stop(self, *_: object) -> None:
        self._stopping = True
        self.pull_trigger()

    def _turn(self) -> None:
        self.asyncore.loop(timeout=1, use_poll=True, map=self._map, count=1)
        now = time.time()
        if now < self._next_look:
            return
        self._next_look = now + 1
        for connection in list(self.active_channels.values()):
            if connection.is_overdue(now):
                connection.handle_close()


def _end_longest_wait(connections: Sequence[Connection]) -> None:
    """Ends the one whose client has been waited for longest, if any. A request that is worked on is never ended."""
    waiting = [connection for connection in connections if connection.waits_for_client]
    if waiting:
        min(waiting, key=lambda connection: connection.waits_since).handle_close()


def _threads(count: int) -> ThreadedTaskDispatcher:
    threads = ThreadedTaskDispatcher()
    threads.set_thread_count(count)
    return threads


def adjustments(address: str, most_body_bytes: int) -> Adjustments:
    made = Adjustments(
        listen=address,
        threads=THREADS,
        ident="portal",
        # The portal reads X-Forwarded-For itself, from as many proxies as it trusts.
        clear_untrusted_proxy_headers=False,
        # Room to accept somebody while the connections are all busy.
        connection_limit=CONNECTIONS + 50,
        max_request_header_size=_MOST_HEADER_BYTES,
        max_request_body_size=most_body_bytes + 1,
        inbuf_overflow=65_536,
        outbuf_overflow=262_144,
        # Clients that go away are no errors.
        log_socket_errors=False,
    )
    # Otherwise the kernel would keep up to 4 MB for each client that does not read.
    made.socket_options = [*made.socket_options, (socket.SOL_SOCKET, socket.SO_SNDBUF, _MOST_UNSENT_BYTES)]
    return made


def _allow_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main(arguments: Sequence[str]) -> None:
    options = _parser().parse_args(arguments)
    _allow_files()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if options.processes == 1:
        _serve(options.address, is_one_of_several=False)
    else:
        _serve_in_several(options.processes, options.address)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="portal.server", description="Serves the portal until SIGTERM.")
    parser.add_argument("address", nargs="?", default="127.0.0.1:8000", help="host and port (127.0.0.1:8000)")
    parser.add_argument("--processes", type=int, default=1, choices=range(1, 65), metavar="N", help="one for each core")
    return parser


def _serve_in_several(count: int, address: str) -> None:
    """What each would find wrong with the settings is found here, once."""
    try:
        environment.refuse_missing(environment.Process.WEB, settings.MISSING_SETTINGS)
        secret_files.hide_memory()
        secret_files.forget(os.environ)
        configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)
        family, _, _, place = adjustments(address, 1).listen[0]
        check_free(family, place)
    except (ImproperlyConfigured, ValueError, OSError) as error:
        sys.exit(_cannot_serve(address, error))
    sys.exit(Processes(count, lambda: _serve(address, is_one_of_several=True)).run())


def _serve(address: str, *, is_one_of_several: bool) -> None:
    """Until SIGTERM."""
    try:
        server = _server(address, is_one_of_several=is_one_of_several)
    except (ImproperlyConfigured, ValueError, OSError) as error:
        sys.exit(_cannot_serve(address, error))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.stop)
    _log.info("serving", extra={"address": address, "threads": THREADS})
    server.run()
    _log.info("stopped")


def _cannot_serve(address: str, error: Exception) -> str:
    return f"The portal cannot serve at {address}: {one_line(error) or error}"


def _server(address: str, *, is_one_of_several: bool) -> Server:
    from portal.wsgi import application

    share = CONNECTIONS if settings.TRUSTED_PROXIES else CONNECTIONS_OF_AN_ADDRESS
    adj = adjustments(address, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    return Server(application, adj=adj, share=share, is_one_of_several=is_one_of_several)


if __name__ == "__main__":
    main(sys.argv[1:])
