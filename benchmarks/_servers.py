"""The portal's real server in processes of its own, and the processor time that each of them takes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_BASE = Path(__file__).resolve().parent.parent
_START_SECONDS = 60
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Served:
    port: int
    pid: int

    def processor_seconds(self) -> dict[int, float]:
        """Of each process that serves, since it began."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return {int(pid): _seconds_of(pid) for pid in children or [str(self.pid)]}


@contextmanager
def served(settings: Mapping[str, str], *, processes: int) -> Iterator[Served]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [sys.executable, "-m", "portal.server", f"127.0.0.1:{port}", "--processes", str(processes)]
    environment = {**os.environ, **settings}
    process = subprocess.Popen(
        command, cwd=_BASE, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_it_listens(port, process)
        yield Served(port, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            # The other processes start at the same moment.
            time.sleep(1)
            return
    raise RuntimeError("the portal's server does not start")


def _seconds_of(pid: str) -> float:
    """In user and in system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
