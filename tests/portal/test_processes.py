"""Each process starts with the settings that it needs, and no secret of the others is among them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from portal.environment import ALL, BASE, SETTINGS, Process, settings_of
from portal.secret_files import SECRETS
from tests.world.portal_process import MANAGE, bare_environment, placeholders

ON_PAGES = {Process.WEB: "web", Process.WORKER: "worker", Process.CLOSING: "closing job"}
OF_THE_WEB = {"DJANGO_SECRET_KEY", "TOKEN_ENCRYPTION_KEYS", "COGNITO_CLIENT_SECRET"}
WORKERS = [
    ["provision", "--dry-run"],
    ["tenant", "list"],
    ["member", "list"],
    ["verify_audit"],
    ["check"],
    ["clearsessions"],
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('processes') / 'portal.sqlite3'}"
    code, said = run(["migrate", "-v0"], Process.WORKER, url)
    assert code == 0, said
    return url


def run(command: Sequence[str], process: Process, database: str, **more: str) -> tuple[int, str]:
    given = {**placeholders(), "METRICS_TOKEN": "abcdefghij-0123456789", "CACHE_URL": "locmemcache://"}
    own = settings_of(process, {**given, "DATABASE_URL": database})
    environment = {**bare_environment(), **own, **more}
    program = command if command[0] == sys.executable else [*MANAGE, *command]
    done = subprocess.run(program, cwd=BASE, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_page_says_who_needs_each_setting() -> None:
    rows = re.findall(
        r"^\| `([A-Z_]+)` \|.*\| ([^|]+) \| [^|]+ \|$", (BASE / "docs" / "settings.md").read_text(), re.MULTILINE
    )
    needed = {name: "all" if who == ALL else ", ".join(word for process, word in ON_PAGES.items() if process in who)
              for name, (_, _, who) in SETTINGS.items()}  # fmt: skip
    assert dict(rows) == needed


def test_only_the_web_process_gets_what_signs_and_opens() -> None:
    everything = dict.fromkeys(SETTINGS, "x")
    for process in (Process.WORKER, Process.CLOSING):
        assert OF_THE_WEB.isdisjoint(settings_of(process, everything))
    assert set(settings_of(Process.WEB, everything)) >= OF_THE_WEB


@pytest.mark.parametrize("command", WORKERS, ids=" ".join)
def test_the_worker_and_a_terminal_start_without_the_webs_secrets(command: Sequence[str], database: str) -> None:
    code, said = run(command, Process.WORKER, database)
    assert "needed by" not in said
    assert "Traceback" not in said
    assert code == 0 or "credentials" in said, said


def test_the_closing_job_starts_without_the_webs_secrets(database: str) -> None:
    role = "arn:aws:iam::123456789012:role/portal-ClosingRole"
    code, said = run(["closing", "--without-export", "--dry-run"], Process.CLOSING, database, CLOSING_ROLE_ARN=role)
    assert (code, "Traceback" in said) == (0, False), said


@pytest.mark.parametrize("process", [Process.WORKER, Process.CLOSING])
def test_the_web_does_not_start_with_the_settings_of_another(process: Process, database: str) -> None:
    code, said = run([sys.executable, "-m", "portal.server", "127.0.0.1:0"], process, database)
    assert code == 1
    assert "Traceback" not in said
    for name in OF_THE_WEB:
        assert f"{name}: is missing, and needed by the web process" in said


def test_a_key_that_is_not_there_is_refused_by_its_name(database: str) -> None:
    code, said = run(["shell", "-c", "from django.core import signing; signing.dumps(1)"], Process.WORKER, database)
    assert code != 0
    assert "DJANGO_SECRET_KEY, which this process does not have" in said


@pytest.mark.parametrize(
    "command",
    [
        ["diffsettings"],
        ["diffsettings", "--all"],
        ["diffsettings", "--output", "unified"],
        ["shell", "-c", "from django.conf import settings as s; print({n: getattr(s, n) for n in dir(s)})"],
    ],
    ids=["short", "all", "unified", "shell"],
)
def test_printed_settings_show_no_secret(command: Sequence[str], tmp_path: Path) -> None:
    marks = {
        "DJANGO_SECRET_KEY": "Mark1-abcdefghijklmnopqrstuvwxyz-0123456789-ABCDEFGHIJK",
        "DJANGO_SECRET_KEY_FALLBACKS": "Mark2-abcdefghijklmnopqrstuvwxyz-0123456789-ABCDEFGHIJK",
        "DATABASE_URL": "postgres://portal:Mark3-0123@db.example.com/portal?sslmode=verify-full",
        "CACHE_URL": "rediss://:Mark4-0123@cache.example.com:6379/0",
        "EMAIL_URL": "smtp+tls://portal:Mark5-0123@mail.example.com:587",
        "TOKEN_ENCRYPTION_KEYS": "TWFyazYtYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXo=",
        "COGNITO_CLIENT_SECRET": "Mark7-0123456789",
        "METRICS_TOKEN": "Mark8-abcdefghij-0123456789,Mark9-abcdefghij-0123456789",
    }
    assert set(marks) == set(SECRETS)
    environment = {**bare_environment(), **placeholders(), **marks}
    done = subprocess.run(
        [*MANAGE, *command], cwd=BASE, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "********" in said
    assert re.findall(r"Mark\d|TWFyazYt", said) == []
