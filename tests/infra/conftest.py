"""One emulator for the stacks of this package."""

from collections.abc import Iterator

import pytest

from emulator.client.process import Emulator, start


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with start() as running:
        yield running
