"""The demo itself, as a newcomer starts it: a copy of the project, its own `var/`, free ports, one process to end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from portal.environment import BASE

_LEFT_BEHIND = shutil.ignore_patterns(".*", "var", "__pycache__", "tests", "docs", "benchmarks")


@dataclass(frozen=True)
class Demo:
    folder: Path
    url: str
    emulator_url: str
    password: str
    said: str
    process: subprocess.Popen[str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(**changes: str) -> dict[str, str]:
    """What a terminal has before anybody sourced anything: no setting of ours or AWS's."""
    inherited = {
        name: value for name, value in os.environ.items()
        if not name.startswith(("AWS_", "DJANGO_", "COGNITO_", "PORTAL_", "RECORDS_"))
        and name not in {"DATABASE_URL", "CACHE_URL", "EMAIL_URL", "TOKEN_ENCRYPTION_KEYS"}
    }  # fmt: skip
    return {**inherited, **changes}


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout") / "project"
    shutil.copytree(BASE, folder, ignore=_LEFT_BEHIND)
    return folder


@pytest.fixture(scope="session")
def demo(project: Path) -> Iterator[Demo]:
    port, emulator_port = free_port(), free_port()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "demo"],
        cwd=project,
        env=environment(PORT=str(port), EMULATOR_PORT=str(emulator_port)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said = _until(process, "Ctrl-C ends all of it.")
    password = re.search(r"^password: (\S+)$", said, re.MULTILINE)
    assert password, said
    yield Demo(project, f"http://localhost:{port}", f"http://localhost:{emulator_port}", password[1], said, process)
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=15)
    process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()


def _until(process: subprocess.Popen[str], words: str) -> str:
    said = ""
    assert process.stdout
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"the demo ended:\n{said}")
