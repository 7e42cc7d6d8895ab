"""The world of the tests: the demo's cast, rows and stack, in one emulator for the whole run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.retries.standard import ExponentialBackoff
from django.db import connection

from emulator.client import process
from portal.demo.world import World, build
from tenants.aws.clients import HURRIED
from tests.world.closings import as_root
from tests.world.rows import FirstRows

PORTAL_URL = "http://localhost:8000"
# Of the files of tests, the longest first.
LONGEST = (
    "tests/test_postgresql.py",
    "tests/house/test_deploy_docs_literally.py",
    "tests/management/test_tenant_import.py",
    "tests/management/test_closing_command.py",
    "tests/house/test_redirects.py",
    "tests/house/test_every_response.py",
    "tests/house/test_deploy_docs_first_hour.py",
    "tests/emulator/test_generated_requests.py",
    "tests/emulator/test_state.py",
    "tests/emulator/test_wrong_types.py",
    "tests/management/test_one_line.py",
    "tests/portal/test_logs.py",
    "tests/members/test_permissions.py",
    "tests/operators/test_hidden_characters.py",
    "tests/records/test_editing.py",
)
pytest_plugins = ["tests.world.fixtures", "tests.world.browsers"]


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: one only waits for the run on PostgreSQL, and many tests wait for processes."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starts the longest files first. Otherwise all other processes would wait for one of them at the end."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(LONGEST)))


@pytest.fixture(scope="session", autouse=True)
def short_waits_between_botocores_attempts() -> Iterator[None]:
    """The number of attempts does not change."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.01)
        yield


@pytest.fixture(scope="session", autouse=True)
def patience_with_a_busy_machine() -> Iterator[None]:
    """The second that a page waits for what it can leave out is too short for an emulator beside other tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect_timeout", "read_timeout"):
            patch.setitem(HURRIED, name, 5)
        yield


@pytest.fixture(scope="session")
def first_rows() -> list[FirstRows]:
    """Of each table that files share, as far as they were made."""
    return []


@pytest.fixture(scope="module", autouse=True)
def rows_as_at_first(first_rows: list[FirstRows]) -> Iterator[None]:
    """The tests of a file do not depend on the files that ran before in the same process."""
    yield
    for rows in first_rows:
        rows.restore()


@pytest.fixture(scope="session")
def world(first_rows: list[FirstRows]) -> Iterator[World]:
    with process.start() as emulator:
        world = build(emulator=emulator, portal_url=PORTAL_URL)
        first_rows.append(FirstRows(as_root(world), world.settings["RECORDS_TABLE"]))
        yield world
        first_rows.clear()


@pytest.fixture(scope="session", autouse=True)
def tables_can_be_emptied_after_a_test() -> None:
    """Drops the triggers of SQLite while its tables are emptied: they refuse to delete rows."""
    if connection.vendor != "sqlite":
        return
    emptying = connection.ops.sql_flush

    def without_triggers(*arguments: Any, **options: Any) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            triggers = cursor.fetchall()
        drops = [f"DROP TRIGGER {name}" for name, _ in triggers]
        return [*drops, *emptying(*arguments, **options), *(text for _, text in triggers)]

    connection.ops.sql_flush = without_triggers  # type: ignore[method-assign]
