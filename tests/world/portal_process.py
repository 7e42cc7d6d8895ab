"""The portal as a process of its own, with the real server, on SQLite and without AWS."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from portal.environment import BASE

MANAGE = [sys.executable, str(BASE / "manage.py")]


@dataclass(frozen=True)
class PortalProcess:
    port: int
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def placeholders() -> dict[str, str]:
    """A complete set of settings, without AWS behind it: the one that the checks use."""
    lines = (BASE / ".ci" / "deploy.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def bare_environment() -> dict[str, str]:
    """That of this process without a setting of the portal or a key of AWS."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


@cache
def migrated() -> bytes:
    """A new database of the portal, in SQLite. Made once per test process, because it takes seconds."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "portal.sqlite3"
        own = {**bare_environment(), **placeholders(), "DATABASE_URL": f"sqlite:///{file}"}
        subprocess.run([*MANAGE, "migrate", "-v0"], env=own, check=True, timeout=120)
        return file.read_bytes()


@contextmanager
def running_portal(folder: Path, more: Mapping[str, str], *, processes: int = 1) -> Iterator[PortalProcess]:
    port, log = free_port(), folder / "portal.log"
    away = f"http://localhost:{free_port()}"
    settings = {
        **placeholders(),
        "DJANGO_ALLOWED_HOSTS": "localhost",
        "PORTAL_URL": f"http://localhost:{port}",
        "DATABASE_URL": f"sqlite:///{folder / 'portal.sqlite3'}",
        "CACHE_URL": "locmemcache://",
        "AWS_ENDPOINT_URL": away,
        "COGNITO_DOMAIN": away,
        **more,
    }
    own = {**bare_environment(), **settings}
    if settings["DATABASE_URL"].startswith("sqlite"):
        (folder / "portal.sqlite3").write_bytes(migrated())
    with log.open("wb") as file:
        command = [sys.executable, "-m", "portal.server", f"127.0.0.1:{port}", f"--processes={processes}"]
        popen = subprocess.Popen(command, cwd=BASE, env=own, stdout=file, stderr=file)
    portal = PortalProcess(port, popen, log)
    try:
        wait_until_served(portal.url, popen, log)
        yield portal
    finally:
        popen.kill()
        popen.wait()


def wait_until_served(url: str, popen: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and popen.poll() is None:
        try:
            if requests.get(f"{url}/livez", timeout=2).ok:
                return
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.1)
    raise AssertionError(log.read_text())
