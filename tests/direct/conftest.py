"""A world with a portal of its own to stop: pages that read by themselves go on without it."""

from __future__ import annotations

import http.server
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from emulator.client import process
from portal.demo.world import World, build
from portal.environment import BASE
from tests.world.faults import Switches
from tests.world.portal_process import free_port, wait_until_served


@dataclass(frozen=True)
class Portal:
    """A portal process; `stop` freezes it, so that nothing it is asked is ever answered."""

    url: str
    popen: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> None:
        os.killpg(self.popen.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.killpg(self.popen.pid, signal.SIGCONT)


@dataclass(frozen=True)
class Direct:
    """`off` is a portal of the same stack whose settings say that pages may not read by themselves."""

    world: World
    portal: Portal
    off: Portal

    @property
    def switches(self) -> Switches:
        return Switches(self.world.emulator)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="session")
def assets() -> Iterator[str]:
    """The address where the scripts are served from, beside no page at all."""
    serve = partial(_Quiet, directory=str(BASE / "portal" / "assets"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="session")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Direct]:
    folder, port = tmp_path_factory.mktemp("direct"), free_port()
    with ExitStack() as running:
        emulator = running.enter_context(process.start())
        world = build(emulator=emulator, portal_url=f"http://localhost:{port}")
        off = {**world.settings, "PUBLIC_READS": "false", "COGNITO_BROWSER_CLIENT_ID": ""}
        yield Direct(
            world,
            running.enter_context(serve_portal(port, world.settings, folder / "on")),
            running.enter_context(serve_portal(free_port(), off, folder / "off")),
        )


@contextmanager
def serve_portal(port: int, settings: Mapping[str, str], folder: Path) -> Iterator[Portal]:
    """Without a database: what a visitor opens needs none."""
    folder.mkdir()
    url, log = f"http://localhost:{port}", folder / "log"
    own = {
        **os.environ,
        **settings,
        "PORTAL_URL": url,
        "DATABASE_URL": f"sqlite:///{folder / 'portal.sqlite3'}",
        "CACHE_URL": "locmemcache://",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    command = [sys.executable, "-m", "portal.server", f"127.0.0.1:{port}"]
    with log.open("wb") as file:
        popen = subprocess.Popen(command, cwd=BASE, env=own, stdout=file, stderr=file, start_new_session=True)
    portal = Portal(url, popen, log)
    try:
        wait_until_served(url, popen, log)
        yield portal
    finally:
        portal.go_on()
        popen.terminate()
        try:
            popen.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(popen.pid, signal.SIGKILL)
            popen.wait()


@dataclass(frozen=True)
class Window:
    """A browser window, and every request and answer of its pages."""

    page: Any
    requests: list[Any]
    answers: list[Any]
    # What the console says; each that is left at the end and is no answer's status fails the test.
    complaints: list[str]

    def requests_to(self, address: str) -> list[str]:
        """The addresses asked for that begin with this one, since `forget`."""
        return [request.url for request in self.requests if request.url.startswith(address)]

    def forget(self) -> None:
        self.requests.clear()
        self.answers.clear()

    def stored(self) -> tuple[dict[str, str], dict[str, str]]:
        """localStorage and sessionStorage."""
        local, session = self.page.evaluate("[{...localStorage}, {...sessionStorage}]")
        return local, session

    def secrets(self) -> list[str]:
        """Each token and key that AWS has given to this window since `forget`."""
        found = []
        for answer in self.answers:
            if answer.request.method == "POST" and answer.ok:
                given = answer.json()
                found += [given[name] for name in ("id_token", "access_token", "refresh_token") if name in given]
                found += [str(value) for name, value in given.get("Credentials", {}).items() if name != "Expiration"]
        return found


@pytest.fixture
def window(chromium: Any, direct: Direct) -> Iterator[Window]:
    """A new one, with AWS as it should be. What the console says, beyond an answer's status, fails the test."""
    switches = direct.switches
    switches.mend()
    switches.forget()
    switches.move_clock(0)
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    page, complaints = context.new_page(), []
    window = Window(page, [], [], complaints)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: window.requests.append(request))
    page.on("response", lambda answer: window.answers.append(answer))
    yield window
    context.close()
    direct.portal.go_on()
    switches.mend()
    switches.move_clock(0)
    expected = re.compile(r"the server responded with a status of|net::ERR_(FAILED|EMPTY_RESPONSE|CONNECTION_RESET)")
    assert [text for text in complaints if not expected.search(text)] == []
