"""A command that lacks its settings, its database or its cache ends in one line and code 1. Each is a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from django.core.management import get_commands

from tests.world.portal_process import MANAGE, bare_environment, free_port, migrated, placeholders

# These run before there is a stack.
WITHOUT_SETTINGS = {"demo", "emulator", "stack_env"}
OWN = sorted(
    name for name, app in get_commands().items() if app in {"tenants", "portal"} and name not in WITHOUT_SETTINGS
)
DJANGO = ["check", "migrate", "makemigrations", "showmigrations", "shell", "clearsessions", "collectstatic", "no-such"]
NEED_A_DATABASE = [
    ["migrate"],
    ["showmigrations"],
    ["clearsessions"],
    ["shell", "-c", "from tenants.models import Tenant; Tenant.objects.count()"],
    ["tenant", "list"],
    ["tenant", "suspend", "acme", "--reason", "asked for"],
    ["member", "list"],
    ["provision"],
    ["reconcile"],
    ["verify_audit"],
    ["break_glass", "--reason", "asked for"],
    ["closing", "--without-export", "--dry-run"],
]


def run(command: Sequence[str], **settings: str) -> tuple[int, list[str]]:
    """The exit code and the lines on standard error."""
    environment = {**bare_environment(), **settings}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, input="", timeout=120, check=False)
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("name", [*OWN, *DJANGO])
def test_without_settings_one_line_names_them(name: str) -> None:
    code, (line,) = run([*MANAGE, name])
    assert code == 1
    assert "PORTAL_URL: is missing" in line
    assert "set -a; . var/demo.env; set +a" in line


def test_help_needs_no_settings() -> None:
    assert run([*MANAGE, "help"]) == (0, [])


def test_a_list_whose_reader_has_gone_ends_without_a_word(tmp_path: Path) -> None:
    own = {"DATABASE_URL": f"sqlite:///{tmp_path / 'portal.sqlite3'}", "CACHE_URL": "locmemcache://"}
    settings = {**bare_environment(), **placeholders(), **own}
    (tmp_path / "portal.sqlite3").write_bytes(migrated())
    create = ["tenant", "create", "Initech", "--owner", "owner@initech.example"]
    subprocess.run([*MANAGE, *create], env=settings, check=True, timeout=120, stdout=subprocess.DEVNULL)
    for command in (["tenant", "list"], ["member", "list", "--json"], ["tenant", "show", "initech"]):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [*MANAGE, *command],
            env=settings,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
        os.close(writing)
        assert (done.returncode, done.stderr) == (141, ""), command


def test_the_server_says_the_same() -> None:
    code, (line,) = run([sys.executable, "-m", "portal.server"])
    assert code == 1
    assert "PORTAL_URL: is missing" in line


def test_the_server_says_in_one_line_that_its_port_is_taken() -> None:
    code, lines = run([sys.executable, "-m", "portal.server", "192.0.2.1:80"], **placeholders())
    assert code == 1
    assert [line for line in lines if "192.0.2.1:80" in line] == lines[-1:]


@pytest.mark.parametrize("command", NEED_A_DATABASE, ids=" ".join)
def test_without_a_database_one_line_says_so(command: list[str]) -> None:
    away = f"postgres://portal:portal@127.0.0.1:{free_port()}/portal"
    code, lines = run([*MANAGE, *command], **{**placeholders(), "DATABASE_URL": away, "CACHE_URL": "locmemcache://"})
    assert code == 1
    assert len(lines) == 1, lines
    assert "The database does not answer as it should" in lines[0]


def test_without_a_cache_a_command_works_and_one_line_says_so() -> None:
    away = {"CACHE_URL": f"redis://127.0.0.1:{free_port()}/0", "DATABASE_URL": "sqlite://:memory:"}
    command = ["shell", "-c", "from django.core.cache import cache; cache.get('a')"]
    code, lines = run([*MANAGE, *command], **{**placeholders(), **away})
    assert (code, len(lines)) == (0, 1)
    assert "the shared cache failed" in lines[0]
