"""Leaves out tests that use no database: on another database they would show nothing else. A plugin of pytest.

A test without one of these fixtures or this mark cannot use it: pytest-django refuses.
"""

from __future__ import annotations

import pytest

DATABASE = {"db", "transactional_db"}


def uses_database(item: pytest.Item) -> bool:
    names: list[str] = getattr(item, "fixturenames", [])
    return not DATABASE.isdisjoint(names) or item.get_closest_marker("django_db") is not None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if not uses_database(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if uses_database(item)]
