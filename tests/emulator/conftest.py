"""One emulator for all tests of this package, with the product's stack and variants of it."""

from collections.abc import Iterator

import pytest

from emulator.client.process import Emulator, start
from tests.emulator.browser import Browser
from tests.emulator.unguarded_template import unguarded_template
from tests.emulator.world import TEMPLATE, Stack, build


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with start() as running:
        yield running


@pytest.fixture(scope="session")
def stack(emulator: Emulator) -> Stack:
    return build(emulator, name="portal")


@pytest.fixture
def browser(stack: Stack) -> Browser:
    return Browser(stack)


@pytest.fixture(scope="session")
def loose_stack(emulator: Emulator) -> Stack:
    """The same template without the guards against requests that name no key."""
    return build(emulator, name="loose", template=unguarded_template(TEMPLATE.read_text("utf-8")))


@pytest.fixture(scope="session")
def guest_stack(emulator: Emulator) -> Stack:
    return build(emulator, name="guests", PublicReads="true")


@pytest.fixture(scope="session")
def impatient_stack(emulator: Emulator) -> Stack:
    """Its client has no grace period for used refresh tokens."""
    text = TEMPLATE.read_text("utf-8")
    hurried = text.replace("RetryGracePeriodSeconds: 30", "RetryGracePeriodSeconds: 0")
    assert hurried != text
    return build(emulator, name="impatient", template=hurried)
