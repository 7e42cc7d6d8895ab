"""Queries of a partition with many rows: every page equals what sorting and filtering all rows would give."""

import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import chain
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.world import ACME, ACME_OWNER, Stack, key, refusal, row

_MANY = 260
_LETTERS = "abé~\U0001f511Z"
Sort = str | Decimal


class Table:
    """A separate table, and the sort values expected in its one partition."""

    def __init__(self, db: Any, kind: str) -> None:
        self.db, self.kind, self.name = db, kind, f"wide-{kind}"
        self.expected: set[Sort] = set()
        self._chosen = random.Random(kind)
        attributes = {"pk": "S", "sk": kind}
        db.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": known} for name, known in attributes.items()
            ],
            BillingMode="PAY_PER_REQUEST",
        )

    def any_sort(self) -> Sort:
        if self.kind == "N":
            return Decimal(self._chosen.randrange(-999, 999)) / 10
        return "".join(self._chosen.choices(_LETTERS, k=self._chosen.randrange(1, 5)))

    def attribute(self, sort: Sort) -> dict[str, str]:
        return {self.kind: f"{sort:f}" if isinstance(sort, Decimal) else sort}

    def add(self, sort: Sort) -> None:
        item = {"pk": {"S": "p"}, "sk": self.attribute(sort), "even": {"BOOL": len(self.expected) % 2 == 0}}
        self.db.put_item(TableName=self.name, Item=item)
        self.expected.add(sort)

    def remove(self, sort: Sort) -> None:
        self.db.delete_item(TableName=self.name, Key={"pk": {"S": "p"}, "sk": self.attribute(sort)})
        self.expected.discard(sort)

    def pages(self, condition: str, values: dict[str, Sort], **more: Any) -> Iterator[list[Sort]]:
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": f"pk = :pk{condition}",
            "ExpressionAttributeValues": {":pk": {"S": "p"}, **{name: self.attribute(v) for name, v in values.items()}},
            **more,
        }
        while True:
            answer = self.db.query(**request)
            yield [self._sort(item["sk"]) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _sort(self, attribute: dict[str, str]) -> Sort:
        return Decimal(attribute["N"]) if self.kind == "N" else attribute["S"]


_CONDITIONS: dict[str, Callable[[Any, Any, Any], bool]] = {
    "": lambda sort, low, high: True,
    " AND sk = :low": lambda sort, low, high: sort == low,
    " AND sk < :low": lambda sort, low, high: sort < low,
    " AND sk <= :low": lambda sort, low, high: sort <= low,
    " AND sk > :low": lambda sort, low, high: sort > low,
    " AND sk >= :low": lambda sort, low, high: sort >= low,
    " AND sk BETWEEN :low AND :high": lambda sort, low, high: low <= sort <= high,
    " AND (sk >= :low)": lambda sort, low, high: sort >= low,
    " AND begins_with(sk, :low)": lambda sort, low, high: sort.startswith(low),
    " and begins_with ( sk , :low )": lambda sort, low, high: sort.startswith(low),
}


@pytest.fixture(scope="module", params=["S", "N"])
def table(request: pytest.FixtureRequest, stack: Stack) -> Table:
    made = Table(stack.root("dynamodb"), request.param)
    while len(made.expected) < _MANY:
        made.add(made.any_sort())
    return made


@pytest.mark.parametrize("condition", _CONDITIONS)
def test_pages_contain_all_matching_rows_in_order(table: Table, condition: str) -> None:
    if table.kind == "N" and "begins" in condition:
        with pytest.raises(ClientError, match="begins_with"):
            next(table.pages(condition, {":low": table.any_sort()}))
        return
    for forward in (True, False):
        for limit in (1, 25, 100, 2000, None):
            low, high = sorted((table.any_sort(), table.any_sort()))  # type: ignore[type-var]
            values = {name: value for name, value in ((":low", low), (":high", high)) if name in condition}
            wanted = sorted(sort for sort in table.expected if _CONDITIONS[condition](sort, low, high))  # type: ignore[type-var]
            more = {"Limit": limit} if limit else {}
            pages = table.pages(condition, values, ScanIndexForward=forward, **more)
            found = [next(pages), *([] if limit == 1 else pages)]
            assert list(chain(*found)) == (wanted if forward else wanted[::-1])[: 1 if limit == 1 else None]
            assert all(len(page) <= (limit or _MANY) for page in found)
            table.remove(
                random.Random(low if isinstance(low, str) else float(low)).choice(sorted(table.expected, key=str))
            )
            table.add(table.any_sort())


def test_a_page_ending_at_the_last_row_has_a_next_page(table: Table) -> None:
    answer = list(table.pages("", {}, Limit=len(table.expected)))
    assert [len(page) for page in answer] == [len(table.expected), 0]


def test_a_page_has_at_most_a_megabyte(stack: Stack) -> None:
    db = stack.root("dynamodb")
    for number in range(140):
        item = {"pk": {"S": "large"}, "sk": {"S": f"{number:03d}"}, "text": {"S": "x" * 20_000}}
        db.put_item(TableName=stack.table, Item=item)
    condition = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "large"}}}
    answer = db.query(TableName=stack.table, **condition)
    assert (answer["Count"], answer["LastEvaluatedKey"]["sk"]) == (52, {"S": "051"})


def test_a_filter_applies_after_the_limit(table: Table) -> None:
    request: dict[str, Any] = {
        "TableName": table.name,
        "KeyConditionExpression": "#p = :pk",
        "FilterExpression": "even = :yes",
        "ExpressionAttributeNames": {"#p": "pk"},
        "ExpressionAttributeValues": {":pk": {"S": "p"}, ":yes": {"BOOL": True}},
    }
    answer = table.db.query(Limit=50, **request)
    assert answer["ScannedCount"] == 50
    assert 0 < answer["Count"] < 50
    assert table.db.query(Select="COUNT", **request)["ScannedCount"] == len(table.expected)


def test_a_malformed_condition_is_refused(table: Table) -> None:
    for condition, values in (
        ("pk = :pk AND other = :pk", {":pk": {"S": "p"}}),
        ("pk = :pk AND begins_with(sk, :n)", {":pk": {"S": "p"}, ":n": {"BOOL": True}}),
        ("pk = :pk AND sk > :missing", {":pk": {"S": "p"}}),
    ):
        error = refusal(
            table.db.query, TableName=table.name, KeyConditionExpression=condition, ExpressionAttributeValues=values
        )
        assert error["code"] == "ValidationException"


def test_a_query_returns_only_its_own_partition(stack: Stack) -> None:
    db, root = stack.dynamodb(ACME_OWNER), stack.root("dynamodb")
    for number in range(120):
        root.put_item(TableName=stack.table, Item=row(f"{ACME}#wide", f"{number:03d}"))
    values = {":pk": key(f"{ACME}#wide")["pk"]}
    answer = db.query(TableName=stack.table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=values)
    assert {item["pk"]["S"] for item in answer["Items"]} == {f"{ACME}#wide#orders"}
    assert answer["Count"] == 120
