"""Consumed capacity: blocks of 4 KB read and 1 KB written, for the table and each index."""

import pytest

from emulator.expressions.capacity import (
    Consumed,
    Index,
    complete_scan_units,
    index_write_units,
    read_units,
    refused_write_units,
    report,
    write_units,
)
from emulator.expressions.sizes import item_size
from tests.expressions.requests import Item, Value, number, text

ALL = Index("all", True, ("x",), None)
KEYS_ONLY = Index("keys", False, ("x",), frozenset({"pk", "x"}))
ITEM: Item = {"pk": text("p"), "x": text("1"), "a": text("y" * 1500)}


@pytest.mark.parametrize(
    ("size", "consistent", "eventually", "transactional"),
    [(0, 1, 0.5, 2), (1, 1, 0.5, 2), (4096, 1, 0.5, 2), (4097, 2, 1, 4), (20_000, 5, 2.5, 10)],
)
def test_reads(size: int, consistent: float, eventually: float, transactional: float) -> None:
    assert read_units(size, consistent=True) == consistent
    assert read_units(size) == eventually
    assert read_units(size, transactional=True) == transactional


@pytest.mark.parametrize(("size", "units"), [(0, 1), (1024, 1), (1025, 2), (10_240, 10)])
def test_writes(size: int, units: float) -> None:
    assert write_units(size) == units


@pytest.mark.parametrize(("item", "units"), [(None, 1), (ITEM, 2)])
def test_a_write_whose_condition_fails_costs_as_much_as_the_item(item: Item | None, units: float) -> None:
    assert refused_write_units(item) == units
    assert refused_write_units(item, transactional=True) == 2 * units


def test_a_complete_scan_reads_each_partition() -> None:
    assert complete_scan_units(10, consistent=True, on_demand=True) == 4
    assert complete_scan_units(10, consistent=False, on_demand=True) == 2
    assert complete_scan_units(10, consistent=False, on_demand=False) == 0.5
    assert complete_scan_units(40_960, consistent=True, on_demand=True) == 10


@pytest.mark.parametrize(
    ("index", "old", "new", "units"),
    [
        (ALL, None, ITEM, 2),
        (ALL, ITEM, None, 2),
        (ALL, ITEM, ITEM, 0),
        (ALL, ITEM, {**ITEM, "a": text("z")}, 2),
        (ALL, ITEM, {**ITEM, "x": text("2")}, 4),
        (ALL, None, {"pk": text("p")}, 0),
        (ALL, ITEM, {"pk": text("p")}, 2),
        (KEYS_ONLY, None, ITEM, 1),
        (KEYS_ONLY, ITEM, {**ITEM, "a": text("z")}, 0),
    ],
)
def test_writes_of_an_index(index: Index, old: Item | None, new: Item | None, units: float) -> None:
    assert index_write_units(index, old, new) == units


def test_a_report_names_the_table_and_its_indexes() -> None:
    consumed = Consumed()
    consumed.add_write(None, ITEM, [ALL, KEYS_ONLY], factor=2)
    assert report("t", consumed, "TOTAL") == {"TableName": "t", "CapacityUnits": 7.0}
    assert report("t", consumed, "INDEXES", kind="WriteCapacityUnits") == {
        "TableName": "t",
        "CapacityUnits": 7.0,
        "WriteCapacityUnits": 7.0,
        "Table": {"CapacityUnits": 4.0, "WriteCapacityUnits": 4.0},
        "GlobalSecondaryIndexes": {"all": {"CapacityUnits": 2.0, "WriteCapacityUnits": 2.0}},
        "LocalSecondaryIndexes": {"keys": {"CapacityUnits": 1.0, "WriteCapacityUnits": 1.0}},
    }


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (text("abc"), 3),
        (text("é"), 2),
        ({"B": "aGVsbG8="}, 5),
        (number(1), 2),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["ab", "c"]}, 3),
        ({"NS": ["1", "100"]}, 4),
        ({"BS": ["YQ=="]}, 1),
        ({"L": []}, 3),
        ({"L": [text("ab")]}, 6),
        ({"M": {"n": text("ab")}}, 7),
    ],
)
def test_the_size_of_an_item_counts_its_names_and_values(value: Value, size: int) -> None:
    assert item_size({"name": value}) == 4 + size
