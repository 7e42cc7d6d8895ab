"""Starts, watches and ends the demo's own processes: the portal's server and the worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import requests

from emulator.client.process import Emulator
from portal import environment
from portal.environment import BASE, SETTINGS, VAR, settings_of

LOOPBACK = "127.0.0.1"
PORTAL_LOG, WORKER_LOG = VAR / "portal.log", VAR / "worker.log"
MANAGE = [sys.executable, str(BASE / "manage.py")]
# It ends sooner where the portal has ended.
_START_SECONDS = 120
_KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}


class CannotRun(Exception):
    """The demo could not start or continue. The message is one line for a terminal."""


@dataclass(frozen=True, slots=True)
class Process:
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def log_hint(self) -> str:
        return f"see the end of {short_path(self.log)}"


@dataclass(frozen=True, slots=True)
class Guard:
    to: IO[bytes]

    def tell(self, line: str) -> None:
        # Without a guard the demo goes on.
        with suppress(OSError):
            self.to.write(f"{line}\n".encode())


@contextmanager
def guard() -> Iterator[Guard]:
    """Ends the other processes if the demo is killed before it can. Yields once no signal can end the guard."""
    # A session of its own: a signal to the demo's group must not reach it.
    command = [sys.executable, "-I", "-S", str(BASE / "portal" / "demo" / "guard.py")]
    with subprocess.Popen(  # noqa: S603 - a file of this program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={},
        cwd=BASE, start_new_session=True, bufsize=0,
    ) as popen:  # fmt: skip
        # Also returns if the guard has ended.
        cast(IO[bytes], popen.stdout).readline()
        yield Guard(cast(IO[bytes], popen.stdin))


@contextmanager
def portal(port: int, settings: Mapping[str, str], guard: Guard) -> Iterator[Process]:
    """Yields once the portal answers. Raises CannotRun."""
    # The portal calls AWS with the credentials of the people who are signed in, so it gets no AWS keys itself.
    own = {name: value for name, value in settings_of(environment.Process.WEB, settings).items() if name not in _KEYS}
    command = [sys.executable, "-m", "portal.server", f"{LOOPBACK}:{port}"]
    with _process(command, own, PORTAL_LOG, guard, ends_in_seconds=4) as process:
        _wait_until_served(process, f"http://localhost:{port}/livez")
        yield process


@contextmanager
def worker(settings: Mapping[str, str], guard: Guard) -> Iterator[Process]:
    """Runs as PortalRole, whose keys are among the settings. Has ten seconds to save its work when it ends."""
    own = settings_of(environment.Process.WORKER, settings)
    command = [*MANAGE, "provision", "--watch"]
    with _process(command, own, WORKER_LOG, guard, ends_in_seconds=10) as process:
        yield process


def watch(portal: Process, worker: Process, emulator: Emulator, *, tell: Callable[[str], None]) -> None:
    """Blocks while they run. Raises CannotRun if the portal or the emulator ends; goes on without the worker."""
    reported = False
    while True:
        if portal.popen.poll() is not None:
            raise CannotRun(f"The portal ended by itself: {portal.log_hint}.")
        if not emulator.running:
            raise CannotRun("The emulator ended by itself.")
        if not reported and worker.popen.poll() is not None:
            reported = True
            tell(f"\nThe worker ended by itself: {worker.log_hint}. {_WITHOUT_A_WORKER}")
        time.sleep(0.2)


_WITHOUT_A_WORKER = (
    "Without a worker, changes do not reach Cognito, and a suspension closes the portal only. "
    "Start a worker in a second terminal: .venv/bin/python manage.py provision --watch"
)


def environment_for_children(settings: Mapping[str, str]) -> dict[str, str]:
    """What a terminal that has read var/demo.env would hand down is left out: each process gets its own settings."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "DJANGO_")) and name.removesuffix("_FILE") not in SETTINGS
    }
    return {**inherited, **settings, "AWS_EC2_METADATA_DISABLED": "true"}


def short_path(path: Path) -> str:
    return str(path.relative_to(BASE))


@contextmanager
def _process(
    command: Sequence[str], settings: Mapping[str, str], log: Path, guard: Guard, *, ends_in_seconds: float
) -> Iterator[Process]:
    with log.open("ab") as file:
        popen = subprocess.Popen(  # noqa: S603 - this very program
            command,
            env=environment_for_children(settings),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            cwd=BASE,
            # Ctrl-C must reach the demo command only, which then ends the others in order.
            start_new_session=True,
        )
    try:
        guard.tell(f"+{popen.pid}")
        yield Process(popen, log)
    finally:
        # Somebody may have stopped it (kill -STOP), and a stopped process does not act on SIGTERM.
        with suppress(ProcessLookupError):
            os.killpg(popen.pid, signal.SIGCONT)
        popen.terminate()
        try:
            popen.wait(timeout=ends_in_seconds)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()
        guard.tell(f"-{popen.pid}")


def _wait_until_served(process: Process, address: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.popen.poll() is None:
        try:
            if requests.get(address, timeout=2).ok:
                return
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.1)
    raise CannotRun(f"The portal did not start: {process.log_hint}.")
