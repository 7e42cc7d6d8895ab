"""Starts, watches and ends the demo's own processes: gunicorn with the portal, and the worker."""

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

import requests

from emulator.client.process import Emulator
from portal.environment import BASE, VAR

LOOPBACK = "127.0.0.1"
PORTAL_LOG, WORKER_LOG = VAR / "portal.log", VAR / "worker.log"
MANAGE = [sys.executable, str(BASE / "manage.py")]
_START_SECONDS = 30
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


@contextmanager
def portal(port: int, settings: Mapping[str, str]) -> Iterator[Process]:
    """Yields once the portal answers. Raises CannotRun."""
    # The portal calls AWS with the credentials of the people who are signed in, so it gets no AWS keys itself.
    own = {name: value for name, value in settings.items() if name not in _KEYS}
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", "python:portal.gunicorn", "-b", f"{LOOPBACK}:{port}"]
    with _process([*gunicorn, "portal.wsgi"], own, PORTAL_LOG, ends_in_seconds=4) as process:
        _wait_until_served(process, f"http://localhost:{port}/livez")
        yield process


@contextmanager
def worker(settings: Mapping[str, str]) -> Iterator[Process]:
    """Runs as PortalRole, whose keys are among the settings. Has ten seconds to save its work when it ends."""
    with _process([*MANAGE, "provision", "--watch"], settings, WORKER_LOG, ends_in_seconds=10) as process:
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
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DJANGO_"))}
    return {**inherited, **settings, "AWS_EC2_METADATA_DISABLED": "true"}


def short_path(path: Path) -> str:
    return str(path.relative_to(BASE))


@contextmanager
def _process(
    command: Sequence[str], settings: Mapping[str, str], log: Path, *, ends_in_seconds: float
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


def _wait_until_served(process: Process, address: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.popen.poll() is None:
        try:
            if requests.get(address, timeout=2).ok:
                return
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.1)
    raise CannotRun(f"The portal did not start: {process.log_hint}.")
