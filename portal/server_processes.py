"""Several processes of the server at one address, because a process of Python uses one core.

Each has a socket of its own there, and the kernel spreads new connections over them evenly. Of one socket that they
shared, the process that wakes first would take nearly all: connections stay open, so it would go on doing the work of
all. This process starts the others, and starts one again that ends. It serves nothing itself.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

# One that ends sooner would end again.
LEAST_SECONDS = 10
_PR_SET_PDEATHSIG = 1

_log = logging.getLogger("portal.server")


class Processes:
    """`serve` is run in each process, and returns when that gets SIGTERM."""

    def __init__(self, count: int, serve: Callable[[], None]) -> None:
        self._count = count
        self._serve = serve
        self._started: dict[int, float] = {}
        self._stopping = False

    def run(self) -> int:
        """Until `stop`, or until one has ended right after its start. Returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        code = 0
        for _ in range(self._count):
            self._start()
        while self._started:
            pid, status = os.wait()
            lived = time.monotonic() - self._started.pop(pid)
            if self._stopping:
                continue
            _log.error("a process of the server ended", extra={"pid": pid, "code": os.waitstatus_to_exitcode(status)})
            if lived < LEAST_SECONDS:
                code = 1
                self.stop()
            else:
                self._start()
        return code

    def stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """All of them go on with what they have begun, as one alone does."""
        self._stopping = True
        for pid in list(self._started):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _start(self) -> None:
        parent = os.getpid()
        # Otherwise `stop` could come before the new one is known, and miss it.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        pid = os.fork()
        if not pid:
            self._become_one(parent)
        self._started[pid] = time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        if self._stopping:
            self.stop()

    def _become_one(self, parent: int) -> NoReturn:
        for number in _ENDING:
            signal.signal(number, signal.SIG_DFL)
        end_with_parent(parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        code = 1
        try:
            self._serve()
            code = 0
        except SystemExit as error:
            sys.stderr.write(f"{error.code}\n")
        except BaseException:  # noqa: BLE001 - says what it was, and ends
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stderr.flush()
            os._exit(code)


_ENDING = (signal.SIGTERM, signal.SIGINT)


def end_with_parent(parent: int) -> None:
    """Otherwise a process would go on serving after this one was killed, beside those of the next start."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def check_free(family: int, address: tuple[str, int]) -> None:
    """Raises OSError for an address in use. Sockets that share one would not: they join those that are there."""
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
