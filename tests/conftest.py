"""The world of the tests: the same cast, rows and stack as the demo's, in one emulator for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator import process
from portal.demo.world import World, build

PORTAL_URL = "http://localhost:8000"


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with process.start() as emulator:
        yield build(emulator=emulator, portal_url=PORTAL_URL)
