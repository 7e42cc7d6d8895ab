"""One emulator for all tests of this package, with the product's stack and variants of it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from emulator.client.process import Emulator, start
from tests.emulator.browser import Browser
from tests.emulator.definitions import index, table, units
from tests.emulator.unguarded_template import unguarded_template
from tests.emulator.world import TEMPLATE, Stack, build, client
from tests.world.rows import FirstRows

Make = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with start() as running:
        yield running


@pytest.fixture(scope="session")
def build_shared(emulator: Emulator, first_rows: list[FirstRows]) -> Iterator[Callable[..., Stack]]:
    """Builds a stack that files share."""

    def built(name: str, **options: Any) -> Stack:
        stack = build(emulator, name=name, **options)
        first_rows.append(FirstRows(stack.root("dynamodb"), stack.table))
        return stack

    yield built
    first_rows.clear()


@pytest.fixture(scope="session")
def stack(build_shared: Callable[..., Stack]) -> Stack:
    return build_shared("portal")


@pytest.fixture
def browser(stack: Stack) -> Browser:
    return Browser(stack)


@pytest.fixture(scope="session")
def loose_stack(build_shared: Callable[..., Stack]) -> Stack:
    """The same template without the guards against requests that name no key."""
    return build_shared("loose", template=unguarded_template(TEMPLATE.read_text("utf-8")))


@pytest.fixture(scope="session")
def guest_stack(build_shared: Callable[..., Stack]) -> Stack:
    return build_shared("guests", PublicReads="true")


@pytest.fixture(scope="session")
def impatient_stack(build_shared: Callable[..., Stack]) -> Stack:
    """Its client has no grace period for used refresh tokens."""
    text = TEMPLATE.read_text("utf-8")
    hurried = text.replace("RetryGracePeriodSeconds: 30", "RetryGracePeriodSeconds: 0")
    assert hurried != text
    return build_shared("impatient", template=hurried)


@pytest.fixture(scope="session")
def tables(emulator: Emulator) -> Any:
    """DynamoDB for root."""
    return client(emulator, "dynamodb", emulator.root)


@pytest.fixture
def make_table(tables: Any) -> Iterator[Make]:
    """Makes the table `changed` for one test, and returns its description."""

    def made(*names: str, **more: Any) -> dict[str, Any]:
        description: dict[str, Any] = tables.create_table(**table(*names, TableName="changed", **more))
        return dict(description["TableDescription"])

    yield made
    if "changed" in tables.list_tables()["TableNames"]:
        tables.update_table(TableName="changed", DeletionProtectionEnabled=False)
        tables.delete_table(TableName="changed")


@pytest.fixture
def on_demand_table(make_table: Make) -> dict[str, Any]:
    local = {"LocalSecondaryIndexes": [index("local", "p", "c")]}
    return make_table("p", "c", defined=("p", "c", "x"), GlobalSecondaryIndexes=[index("by-x", "x")], **local)


@pytest.fixture
def provisioned_table(make_table: Make) -> dict[str, Any]:
    indexes = [index("by-x", "x", ProvisionedThroughput=units(2, 2))]
    more = {"BillingMode": None, "ProvisionedThroughput": units(5, 5)}
    return make_table("p", defined=("p", "x"), GlobalSecondaryIndexes=indexes, **more)
