"""Requests of several megabytes: what AWS's limits exclude is refused before it is looked at one by one."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.expressions.sizes import LARGEST_ITEM, surely_exceeds, value_size
from tests.emulator.definitions import table

KEY = {"p": {"S": "a"}}
TOTAL = 2 * 1024 * 1024
NULLS: dict[str, Any] = {"L": [{"NULL": True}] * (LARGEST_ITEM // 2 + 1)}


@pytest.fixture
def rows(tables: Any) -> Any:
    tables.create_table(**table("p"))
    yield tables
    tables.delete_table(TableName="defined")


def test_an_item_of_too_many_small_parts_is_too_large(rows: Any) -> None:
    with pytest.raises(ClientError, match="Item size has exceeded the maximum allowed size"):
        rows.put_item(TableName="defined", Item={**KEY, "l": NULLS})
    with pytest.raises(ClientError, match="Item size has exceeded the maximum allowed size"):
        rows.batch_write_item(RequestItems={"defined": [{"PutRequest": {"Item": {**KEY, "l": NULLS}}}]})


@pytest.mark.parametrize(("size", "fits"), [(TOTAL - 100, True), (TOTAL, False)])
def test_names_and_values_of_expressions_have_a_total(rows: Any, size: int, *, fits: bool) -> None:
    def scan() -> Any:
        half = {"S": "x" * (size // 2)}
        return rows.scan(
            TableName="defined",
            FilterExpression="a = :a OR a = :b",
            ExpressionAttributeValues={":a": half, ":b": half},
        )

    if fits:
        assert scan()["Count"] == 0
        return
    with pytest.raises(ClientError, match="ExpressionAttributeValues must not exceed 2 MB in total"):
        scan()


@pytest.mark.parametrize(("letter", "fits"), [("é", True), ("x", False)])
def test_a_transaction_counts_its_items_and_not_their_json(rows: Any, letter: str, *, fits: bool) -> None:
    """JSON spells an é with six bytes."""
    text = {"S": letter * (190_000 if fits else 390_000)}
    count = 4 if fits else 12
    puts = [{"Put": {"TableName": "defined", "Item": {"p": {"S": str(n)}, "l": text}}} for n in range(count)]
    if fits:
        rows.transact_write_items(TransactItems=puts)
        return
    with pytest.raises(ClientError, match="Transaction request size cannot exceed 4 MB"):
        rows.transact_write_items(TransactItems=puts)


@pytest.mark.parametrize(
    "value",
    [
        {"S": "zoë"},
        {"N": "12345"},
        {"B": "AAAA"},
        {"NS": ["1", "22"]},
        {"L": [{"NULL": True}, {"L": []}, {"S": ""}]},
        {"M": {"name": {"BOOL": False}, "other": {"M": {}}}},
    ],
)
def test_the_quick_measure_never_counts_more_than_the_exact_one(value: dict[str, Any]) -> None:
    assert not surely_exceeds([value], value_size(value))


@pytest.mark.parametrize("value", [{"L": [{"S": "ab"}] * 3}, {"M": {"ab": {"S": "c"}}}, {"S": "zoë"}])
def test_the_quick_measure_is_exact_for_texts(value: dict[str, Any]) -> None:
    assert surely_exceeds([value], value_size(value) - 1)


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, {"L": None}, {"M": []}, {"S": 1}, {"S": "a", "N": "1"}])
def test_the_quick_measure_takes_what_is_no_value(value: object) -> None:
    assert not surely_exceeds([value], 1)
