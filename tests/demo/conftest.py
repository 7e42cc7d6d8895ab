"""The demo, started as a newcomer would: a copy of the project, its own `var/`, and free ports."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from portal.environment import BASE
from tests.world.portal_process import free_port

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
_NOT_COPIED = shutil.ignore_patterns(".*", "var", "__pycache__", "tests", "docs", "benchmarks")


@dataclass(frozen=True)
class Demo:
    folder: Path
    url: str
    emulator_url: str
    password: str
    output: str
    process: subprocess.Popen[str]


def environment(**changes: str) -> dict[str, str]:
    """The environment of a new terminal, without settings of the portal or of AWS."""
    inherited = {
        name: value for name, value in os.environ.items()
        if not name.startswith(("AWS_", "DJANGO_", "COGNITO_", "PORTAL_", "RECORDS_"))
        and name not in {"DATABASE_URL", "CACHE_URL", "EMAIL_URL", "TOKEN_ENCRYPTION_KEYS", "SIGN_UP", "MAIL_FROM"}
    }  # fmt: skip
    return {**inherited, **changes}


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout") / "project"
    shutil.copytree(BASE, folder, ignore=_NOT_COPIED)
    return folder


@pytest.fixture(scope="session")
def demo(project: Path) -> Iterator[Demo]:
    with running_demo(project) as demo:
        yield demo


@contextmanager
def running_demo(folder: Path, **changes: str) -> Iterator[Demo]:
    port, emulator_port = free_port(), free_port()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "demo"],
        cwd=folder,
        env=environment(PORT=str(port), EMULATOR_PORT=str(emulator_port), **changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    output = _read_until(process, "Ctrl-C ends everything.")
    password = re.search(r"^password: (\S+)$", output, re.MULTILINE)
    assert password, output
    yield Demo(folder, f"http://localhost:{port}", f"http://localhost:{emulator_port}", password[1], output, process)
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=60)
    process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()


def _read_until(process: subprocess.Popen[str], words: str) -> str:
    output = ""
    assert process.stdout
    for line in process.stdout:
        output += line
        if words in line:
            return output
    raise AssertionError(f"the demo ended:\n{output}")


def text_mailed(demo: Demo, address: str, pattern: str) -> re.Match[str]:
    """The first match in the newest mail to the address. Waits for the worker, which sends it."""
    deadline, mails = time.monotonic() + 180, []
    while time.monotonic() < deadline:
        mails = requests.get(f"{demo.emulator_url}/mailbox.json", params={"to": address}, timeout=60).json()["mails"]
        if mails and (found := re.search(pattern, mails[0]["body"], re.MULTILINE)):
            return found
        time.sleep(0.1)
    raise AssertionError(f"no mail to {address} has {pattern}: {mails}")


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A new browser window. An error in its console fails the test, such as one of the content security policy."""
    context = chromium.new_context(viewport=DESKTOP)
    context.set_default_timeout(60_000)
    page, errors = context.new_page(), []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    expected = re.compile(r"the server responded with a status of (400|401|403|404)")
    assert [text for text in errors if not expected.search(text)] == []
