"""`migrate` is one at a time, and whole or not at all."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from portal.environment import BASE
from portal.management.commands import migrate


@pytest.fixture
def empty_database(tmp_path: Path, transactional_db: None) -> Iterator[dict[str, str]]:
    """The environment of a process whose database is new and empty."""
    settings = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    if connection.vendor == "sqlite":
        yield {**settings, "DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite3"}
        return
    name, server = f"new_{uuid4().hex}", urlsplit(os.environ["DATABASE_URL"])
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    yield {**settings, "DATABASE_URL": server._replace(path=f"/{name}").geturl()}
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def migrating(environment: dict[str, str], *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "migrate", *options],
        env=environment,
        cwd=BASE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_migrate_killed_at_any_statement_leaves_nothing_behind(empty_database: dict[str, str]) -> None:
    killer = [sys.executable, "-m", "tests.world.kill_migrations", "--every", "30"]
    done = subprocess.run(killer, env=empty_database, cwd=BASE, capture_output=True, text=True, check=False)
    # A server without trigrams is warned of.
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert int(done.stdout) > 4
    with migrating(empty_database, "--check") as process:
        assert process.communicate() == ("", None)
    assert process.returncode == 0


def test_three_at_once_migrate_one_after_another(empty_database: dict[str, str]) -> None:
    with ExitStack() as running:
        processes = [running.enter_context(migrating(empty_database)) for _ in range(3)]
        printed = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], printed
    assert sum("Applying tenants.0001_initial" in text for text in printed) == 1


@pytest.fixture
def another_migrate(transactional_db: None) -> Iterator[None]:
    """Holds what a running migrate holds."""
    other = connections.create_connection("default")
    with other.cursor() as cursor:
        if other.vendor == "sqlite":
            cursor.execute("BEGIN IMMEDIATE")
        else:
            cursor.execute("SELECT pg_advisory_lock(%s)", [migrate.LOCK])
        yield
    other.close()


def test_a_second_migrate_waits_says_so_and_gives_up(another_migrate: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "WAIT_SECONDS", 1)
    told = io.StringIO()
    with pytest.raises(CommandError, match=r"^Nothing was changed: .*lock.*\.$"):
        call_command("migrate", verbosity=0, stderr=told)
    assert "Another migrate is running" in told.getvalue()
    assert "1 seconds at most" in told.getvalue()


@pytest.mark.parametrize("option", ["--plan", "--check"])
def test_looking_waits_for_no_migrate(another_migrate: None, option: str) -> None:
    call_command("migrate", option, verbosity=0)


@pytest.mark.django_db(transaction=True)
def test_a_migration_that_fails_undoes_those_before_it() -> None:
    call_command("migrate", "tenants", "zero", verbosity=0)
    try:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE tenants_tenant (id integer)")
        told = io.StringIO()
        with pytest.raises(Exception, match="already exists"):
            call_command("migrate", verbosity=0, stderr=told)
        assert told.getvalue() == "Nothing was changed.\n"
        assert [name for name in connection.introspection.table_names() if name.startswith("tenants_")] == [
            "tenants_tenant"
        ]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE tenants_tenant")
        call_command("migrate", verbosity=0)


def test_every_migration_can_run_in_the_one_transaction() -> None:
    assert [name for name, found in MigrationLoader(None).disk_migrations.items() if not found.atomic] == []


@pytest.mark.django_db
def test_a_database_of_another_version_is_refused() -> None:
    MigrationRecorder(connection).record_applied("tenants", "0099_later")
    with pytest.raises(CommandError, match=r"^Another version of the portal made this database: tenants\.0099_later "):
        call_command("migrate", verbosity=0)


@pytest.mark.django_db(transaction=True)
def test_migrate_can_pretend() -> None:
    call_command("migrate", "tenants", "0002", "--fake", verbosity=0)
    call_command("migrate", "--fake", verbosity=0)
    call_command("migrate", "--check", verbosity=0)
