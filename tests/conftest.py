"""The world of the tests: the same cast, rows and stack as the demo's, in one emulator for the whole run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.retries.standard import ExponentialBackoff
from django.db import connection

from emulator.client import process
from portal.demo.world import World, build

PORTAL_URL = "http://localhost:8000"
pytest_plugins = ["tests.world.fixtures", "tests.world.browsers"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test begins first, or at the end one process works on it and the others wait."""
    items.sort(key=lambda item: item.get_closest_marker("postgres") is None)


@pytest.fixture(scope="session", autouse=True)
def nobody_waits_seconds_between_botocores_tries() -> Iterator[None]:
    """How many there are stays as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.01)
        yield


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with process.start() as emulator:
        yield build(emulator=emulator, portal_url=PORTAL_URL)


@pytest.fixture(scope="session", autouse=True)
def tables_can_be_emptied_after_a_test() -> None:
    """SQLite empties a table row by row, which the triggers refuse: they step aside for it."""
    if connection.vendor != "sqlite":
        return
    emptying = connection.ops.sql_flush

    def with_triggers_aside(*arguments: Any, **options: Any) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            triggers = cursor.fetchall()
        drops = [f"DROP TRIGGER {name}" for name, _ in triggers]
        return [*drops, *emptying(*arguments, **options), *(text for _, text in triggers)]

    connection.ops.sql_flush = with_triggers_aside  # type: ignore[method-assign]
