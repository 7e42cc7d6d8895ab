"""A collection of many megabytes: a filter and a count read a part, say how much, and go on exactly there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from emulator.client import seeding
from portal.demo.cast import ACME, ACME_OWNER, CastMember
from portal.demo.world import World
from tests.organisation.test_record_explorer import text
from tests.organisation.test_records import keys_on, link
from tests.world.faults import Switches
from tests.world.fixtures import Browser

ROWS, MARKED = 33, {11, 12, 30}


@pytest.fixture(scope="module")
def wide(world: World) -> Iterator[str]:
    """Thirteen megabytes, of which DynamoDB reads one at a time. The address of their collection."""
    client = seeding.clients(world.emulator.endpoint_url, world.credentials_of(ACME_OWNER))("dynamodb")
    table, partition = world.settings["RECORDS_TABLE"], ACME.space.collection("wide")
    keys = [{"pk": {"S": partition}, "sk": {"S": f"{number:02d}"}} for number in range(1, ROWS + 1)]
    for number, key in enumerate(keys, 1):
        marked = {"marked": {"BOOL": True}} if number in MARKED else {}
        client.put_item(TableName=table, Item={**key, **marked, "text": {"S": "x" * 390_000}})
    yield "/records/wide/"
    for key in keys:
        client.delete_item(TableName=table, Key=key)


@pytest.fixture
def owner(browse_as: Callable[[CastMember], Browser]) -> Browser:
    return browse_as(ACME_OWNER)


def pages(browser: Browser, address: str, label: str) -> Iterator[str]:
    while address:
        page = browser.get(address).content.decode()
        yield page
        address = link(page, label)


def looked_at(page: str) -> int:
    return int(re.findall(r"Looked at (\d+) record", text(page))[0])


def test_a_filter_goes_on_exactly_where_it_stopped(owner: Browser, wide: str) -> None:
    read = list(pages(owner, f'{wide}?f=["marked","exists"]', "Go on from there"))
    assert "Nothing found yet" in text(read[0])
    assert [key for page in read for key in keys_on(page)] == [f"{number:02d}" for number in sorted(MARKED)]
    assert sum(map(looked_at, read)) == ROWS
    assert len(read) > 5


def test_a_filter_goes_back_as_it_went(owner: Browser, wide: str) -> None:
    forwards = list(pages(owner, f'{wide}?f=["marked","exists"]', "Go on from there"))
    last = next(page for page in reversed(forwards) if keys_on(page))
    found = [key for page in pages(owner, link(last, "Previous"), "Previous") for key in keys_on(page)]
    assert found == ["12", "11"] or found == ["11", "12"]


def test_a_page_without_a_filter_is_as_long_as_dynamodb_answers(owner: Browser, wide: str) -> None:
    read = list(pages(owner, wide, "Next"))
    assert [key for page in read for key in keys_on(page)] == [f"{number:02d}" for number in range(1, ROWS + 1)]
    assert "Records 1–" in text(read[0])


def test_a_count_stops_and_goes_on_to_the_whole(owner: Browser, wide: str, switches: Switches) -> None:
    first = owner.get(f"{wide}?count=1", headers={"HX-Request": "true"}).content.decode()
    assert switches.calls()["DynamoDB.Query"] == 10
    assert re.search(r"At least \d+ records 10 requests", text(first))
    whole = list(pages(owner, link(first, "Count on"), "Count on"))[-1]
    assert f" {ROWS} records " in f" {text(whole)} "
    assert "At least" not in text(whole)


def test_a_page_is_one_query_whatever_it_asks(owner: Browser, wide: str, switches: Switches) -> None:
    owner.get(wide)
    switches.forget()
    for asked in ("", '?f=["marked","exists"]', "?order=desc&size=100&c=marked&view=json"):
        owner.get(f"{wide}{asked}")
    assert switches.calls() == {"DynamoDB.Query": 3}
