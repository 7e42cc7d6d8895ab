"""Indexes whose keys have several attributes: which rows they hold, and how they are queried."""

from collections.abc import Iterator
from typing import Any

import pytest

from emulator.client.process import Emulator
from tests.emulator.definitions import index, table
from tests.emulator.deviations import user_with
from tests.emulator.test_expressions import message
from tests.emulator.world import Stack, client, refusal

ROWS = {
    "p1": ("a", "b", "x", "2"), "p2": ("a", "b", "x", "1"), "p3": ("a", "b", "w", "9"), "p4": ("a", "c", "x", "1"),
    "no-sort": ("a", "b", "x", ""),
}  # fmt: skip
SAME = "must have equality conditions specified in the query"


@pytest.fixture(scope="module")
def rows(emulator: Emulator) -> Iterator[Any]:
    db = client(emulator, "dynamodb", emulator.root)
    indexes = [index("both", "H", "I", "r", "s"), index("swapped", "R", "s", "h"), index("of-table", "H", "s", "p")]
    names = ("p", "H", "I", "R", "h", "r", "s")
    db.create_table(**table("p", TableName="multi", defined=names, GlobalSecondaryIndexes=indexes))
    for key, (h, i, r, s) in ROWS.items():
        more = {"s": {"S": s}} if s else {}
        item = {"p": {"S": key}, "H": {"S": h}, "I": {"S": i}, "R": {"S": r}, "h": {"S": h}, "r": {"S": r}, **more}
        db.put_item(TableName="multi", Item=item)
    yield db
    db.delete_table(TableName="multi")


def query(rows: Any, condition: str, name: str = "both", **more: Any) -> dict[str, Any]:
    values = {":h": "a", ":i": "b", ":r": "x", ":s": "1", ":t": "2"}
    used = {key: {"S": value} for key, value in values.items() if key in condition}
    answer: dict[str, Any] = rows.query(
        TableName="multi", IndexName=name, KeyConditionExpression=condition, ExpressionAttributeValues=used, **more
    )
    return answer


def found(answer: dict[str, Any]) -> list[str]:
    return [item["p"]["S"] for item in answer["Items"]]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("H = :h AND I = :i", ["p3", "p2", "p1"]),
        ("I = :i AND H = :h", ["p3", "p2", "p1"]),
        ("H = :h AND I = :i AND r = :r", ["p2", "p1"]),
        ("H = :h AND I = :i AND r < :r", ["p3"]),
        ("H = :h AND I = :i AND begins_with(r, :r)", ["p2", "p1"]),
        ("H = :h AND I = :i AND r = :r AND s > :s", ["p1"]),
        ("H = :h AND I = :i AND r = :r AND s BETWEEN :s AND :t", ["p2", "p1"]),
        ("s = :s AND r = :r AND I = :i AND H = :h", ["p2"]),
    ],
)
def test_a_query_finds_rows_in_the_order_of_the_key(rows: Any, condition: str, expected: list[str]) -> None:
    assert found(query(rows, condition)) == expected
    assert found(query(rows, condition, ScanIndexForward=False)) == expected[::-1]


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ("H = :h", f"HASH key attributes I {SAME}"),
        ("I = :i", f"HASH key attributes H {SAME}"),
        ("r = :r", f"HASH key attributes H, I {SAME}"),
        ("H = :h AND I > :i", f"HASH key attributes I {SAME}"),
        ("H = :h AND begins_with(I, :i)", f"HASH key attributes I {SAME}"),
        ("H = :h AND I = :i AND s = :s",
         f"RANGE key attributes r {SAME} because a condition is present on key attribute s"),
        ("H = :h AND I = :i AND r > :r AND s = :s",
         f"RANGE key attributes r {SAME} because a condition is present on key attribute s"),
    ],
)  # fmt: skip
def test_a_query_needs_the_key_from_the_left(rows: Any, condition: str, text: str) -> None:
    assert message(query, rows, condition) == text


def test_a_swapped_key_is_queried_by_its_own_rules(rows: Any) -> None:
    assert found(query(rows, "R = :r AND s = :s", "swapped")) == ["p2", "p4"]
    assert "must have equality" in message(query, rows, "R = :r AND h = :h", "swapped")


def test_the_tables_key_may_be_part_of_an_index_key(rows: Any) -> None:
    assert found(query(rows, "H = :h AND s = :s", "of-table")) == ["p2", "p4"]


def test_pages_end_with_all_key_attributes(rows: Any) -> None:
    pages: list[str] = []
    more: dict[str, Any] = {}
    while True:
        answer = query(rows, "H = :h AND I = :i", Limit=1, **more)
        pages += found(answer)
        if "LastEvaluatedKey" not in answer:
            break
        assert answer["LastEvaluatedKey"].keys() == {"p", "H", "I", "r", "s"}
        more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    assert pages == ["p3", "p2", "p1"]
    start = {**more["ExclusiveStartKey"], "extra": {"S": "x"}}
    assert message(query, rows, "H = :h AND I = :i", ExclusiveStartKey=start) == "The provided starting key is invalid"
    assert "is outside query boundaries" in message(
        query, rows, "H = :h AND I = :i", ExclusiveStartKey={**more["ExclusiveStartKey"], "I": {"S": "z"}}
    )


def test_a_row_without_one_key_attribute_is_not_in_the_index(rows: Any) -> None:
    held = rows.scan(TableName="multi", IndexName="both")["Items"]
    assert {item["p"]["S"] for item in held} == ROWS.keys() - {"no-sort"}


def test_legacy_conditions_are_refused(rows: Any) -> None:
    equal = {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}
    text = message(rows.query, TableName="multi", IndexName="both", KeyConditions={"H": equal, "I": equal})
    assert "KeyConditionExpression" in text


@pytest.mark.usefixtures("rows")
def test_the_leading_key_is_the_first_attribute_only(stack: Stack) -> None:
    allowed = {"Effect": "Allow", "Action": "dynamodb:Query", "Resource": "*"}
    for value, reason in (("a", None), ("b", "AccessDeniedException")):
        condition = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [value]}}
        person = client(stack.emulator, "dynamodb", user_with(stack, {**allowed, "Condition": condition}))
        if reason is None:
            assert found(query(person, "H = :h AND I = :i")) == ["p3", "p2", "p1"]
        else:
            assert refusal(query, rows=person, condition="H = :h AND I = :i")["code"] == reason
