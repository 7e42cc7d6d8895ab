"""Somebody uses the demo, and then every file under var/ and every command line is searched for secrets."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

import requests

from emulator.client.sign_in import fill_in
from tests.demo.conftest import Demo
from tests.demo.test_demo import settings_of

SECRET_SETTINGS = (
    "DJANGO_SECRET_KEY", "TOKEN_ENCRYPTION_KEYS", "COGNITO_CLIENT_SECRET", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
)  # fmt: skip
# For other terminals: readable by their owner only.
FOR_TERMINALS = {"demo.env", "closing.env", "deployer.env"}


def used(demo: Demo) -> dict[str, str]:
    """Signs in, reads, and fails to; what the browser held meanwhile."""
    browser = requests.Session()
    page = browser.get(f"{demo.url}/oidc/authenticate/?next=/records/orders/", timeout=60)
    typed = {"username": "owner@acme.example", "password": demo.password}
    answer = fill_in(browser, page, typed, f"{demo.url}/oidc/callback/")
    read = browser.get(f"{demo.url}/oidc/callback/", params=answer, timeout=60)
    assert read.ok
    assert "ORD-2026" in read.text
    marker = secrets.token_urlsafe(16)
    browser.get(f"{demo.url}/records/orders/{marker}/?{marker}", timeout=60)
    browser.get(f"{demo.url}/{marker}", timeout=60)
    browser.post(f"{demo.url}/signup/", {"name": marker}, timeout=60)
    cookies = {cookie.name: cookie.value or "" for cookie in browser.cookies if cookie.name in {"session", "csrf"}}
    assert cookies
    return {**answer, **cookies, "marker": marker}


def command_lines(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").resolve() == folder.resolve():
                found.append((process / "cmdline").read_text())
    return found


def test_no_secret_is_in_a_file_or_a_command_line(demo: Demo) -> None:
    of_the_browser = used(demo)
    kept = {"password": demo.password}
    for files in ((), ("closing.env",), ("deployer.env",)):
        settings = settings_of(demo, *files)
        kept |= {f"{name} {files}": settings[name] for name in SECRET_SETTINGS if settings[name]}
    var = demo.folder / "var"
    files = {path: path.read_bytes() for path in var.rglob("*") if path.is_file() and path.name not in FOR_TERMINALS}
    assert {var / "portal.log", var / "worker.log", var / "demo.sqlite3"} <= files.keys()
    assert [
        (kind, path) for kind, secret in kept.items() for path, held in files.items() if secret.encode() in held
    ] == []
    logs = [held for path, held in files.items() if path.suffix == ".log"]
    assert any(b"/records/<collection>/<key>/" in log for log in logs)
    assert [kind for kind, secret in of_the_browser.items() if any(secret.encode() in log for log in logs)] == []
    commands = command_lines(demo.folder)
    assert len(commands) >= 5
    every = {**kept, **of_the_browser}
    assert [kind for kind, secret in every.items() if any(secret in command for command in commands)] == []


def test_the_guard_has_no_secret_in_its_environment(demo: Demo) -> None:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if "guard.py" in (process / "cmdline").read_text() and (process / "cwd").resolve() == demo.folder.resolve():
                assert (process / "environ").read_bytes() == b""
                return
    raise AssertionError("no guard")
