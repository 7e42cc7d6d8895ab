"""Rows behave as DynamoDB's: refused writes change nothing, numbers are exact, and capacity is counted by size."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.emulator.test_expressions import message
from tests.emulator.world import ACME, Stack, key, refusal

ONE = {":v": {"N": "1"}}
OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"

REFUSED_UPDATES: dict[str, tuple[str, dict[str, Any]]] = {
    "a path twice": ("SET a = :v, a = :v", ONE),
    "a map and its entry": ("SET m = :v, m.b = :v", ONE),
    "a clause twice": ("SET a = :v SET b = :v", ONE),
    "a removed parent": ("SET m.b = :v REMOVE m", ONE),
    "a text in a sum": ("SET a = s + :v", ONE),
    "a missing operand": ("SET a = none", {}),
    "a missing parent": ("SET a = :v, none.b = :v", ONE),
    "an unused value": ("SET a = :v", {**ONE, ":w": {"N": "2"}}),
    "a sum of too many digits": ("SET a = :w, b = :w + :v", {**ONE, ":w": {"N": "1e50"}}),
    "a key": ("SET a = :v, sk = :w", {**ONE, ":w": {"S": "x"}}),
    "an unknown function": ("SET a = dog(s)", {}),
    "a wrong set": ("SET b = :v DELETE s :w", {**ONE, ":w": {"SS": ["x"]}}),
}


@pytest.fixture
def item(stack: Stack) -> Iterator[dict[str, Any]]:
    """Other files count the rows of this collection."""
    own = key(ACME, "semantics")
    kept = {**own, "s": {"S": "text"}, "m": {"M": {"b": {"N": "5"}}}, "l": {"L": [{"N": "1"}]}}
    stack.root("dynamodb").put_item(TableName=stack.table, Item=kept)
    yield kept
    stack.root("dynamodb").delete_item(TableName=stack.table, Key=own)


def _read(stack: Stack, wanted: dict[str, Any]) -> Any:
    db = stack.root("dynamodb")
    return db.get_item(TableName=stack.table, Key={name: wanted[name] for name in ("pk", "sk")}).get("Item")


@pytest.mark.parametrize("case", REFUSED_UPDATES)
def test_a_refused_update_writes_nothing(stack: Stack, item: dict[str, Any], case: str) -> None:
    expression, values = REFUSED_UPDATES[case]
    more = {"ExpressionAttributeValues": values} if values else {}
    wanted = {"TableName": stack.table, "Key": key(ACME, "semantics"), "UpdateExpression": expression, **more}
    assert message(stack.root("dynamodb").update_item, **wanted)
    assert _read(stack, item) == item


def test_an_update_adds_38_digits(stack: Stack, item: dict[str, Any]) -> None:
    db, large = stack.root("dynamodb"), "12345678901234567890123456789012345678"
    wanted = {"TableName": stack.table, "Key": key(ACME, "semantics"), "ReturnValues": "UPDATED_NEW"}
    values = {":v": {"N": large}, ":w": {"N": "1"}}
    answer = db.update_item(
        **wanted, UpdateExpression="SET a = :v + :w, b = :v - :w ADD c :v", ExpressionAttributeValues=values
    )
    assert answer["Attributes"] == {"a": {"N": large[:-1] + "9"}, "b": {"N": large[:-1] + "7"}, "c": {"N": large}}
    refused = message(
        db.update_item, **wanted, UpdateExpression="ADD c :v", ExpressionAttributeValues={":v": {"N": ".1"}}
    )
    assert refused == OVERFLOW


def test_a_statement_adds_38_digits(stack: Stack, item: dict[str, Any]) -> None:
    db, large = stack.root("dynamodb"), "12345678901234567890123456789012345678"
    where = f"WHERE pk = '{item['pk']['S']}' AND sk = 'semantics'"
    db.execute_statement(Statement=f'UPDATE "{stack.table}" SET a = {large} {where}')
    db.execute_statement(Statement=f'UPDATE "{stack.table}" SET a = a + 1 {where}')
    assert _read(stack, item)["a"] == {"N": large[:-1] + "9"}


@pytest.mark.parametrize("attribute", ["pk", "sk"])
def test_a_key_of_an_index_has_a_longest_length(numbered: Any, attribute: str) -> None:
    limit = {"pk": 2048, "sk": 1024}[attribute]
    keys = {"pk": {"S": "a"}, "sk": {"S": "b"}} | {attribute: {"S": "x" * (limit + 1)}}
    wanted = {"id": {"S": "1"}, **keys}
    numbered.create_table(
        TableName="indexed",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "pk", "sk")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-pk",
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    assert f"size limit of {limit} bytes" in message(numbered.put_item, TableName="indexed", Item=wanted)
    numbered.put_item(TableName="indexed", Item={**wanted, attribute: {"S": "x" * limit}})
    numbered.delete_table(TableName="indexed")


def test_list_indexes_beyond_the_end_append_in_their_order(stack: Stack, item: dict[str, Any]) -> None:
    stack.root("dynamodb").update_item(
        TableName=stack.table,
        Key=key(ACME, "semantics"),
        UpdateExpression="SET l[9] = :nine, l[5] = :five",
        ExpressionAttributeValues={":nine": {"N": "9"}, ":five": {"N": "5"}},
    )
    assert _read(stack, item)["l"] == {"L": [{"N": "1"}, {"N": "5"}, {"N": "9"}]}


@pytest.mark.parametrize(
    "update", [{"UpdateExpression": "REMOVE a, b.c"}, {"AttributeUpdates": {"a": {"Action": "DELETE"}}}]
)
def test_removing_from_no_item_makes_none(stack: Stack, update: dict[str, Any]) -> None:
    db, absent = stack.root("dynamodb"), key(ACME, "absent")
    answer = db.update_item(TableName=stack.table, Key=absent, ReturnValues="ALL_NEW", **update)
    assert "Attributes" not in answer
    assert _read(stack, absent) is None


@pytest.mark.parametrize("condition", ["attribute_exists(pk)", "x = y"])
def test_removing_from_no_item_tests_the_condition(stack: Stack, condition: str) -> None:
    wanted = {"TableName": stack.table, "Key": key(ACME, "absent"), "UpdateExpression": "REMOVE a"}
    update = stack.root("dynamodb").update_item
    refused = refusal(update, **wanted, ConditionExpression=condition)
    assert refused["code"] == "ConditionalCheckFailedException"
    assert update(**wanted, ConditionExpression="attribute_not_exists(pk)")
    assert _read(stack, wanted["Key"]) is None


@pytest.fixture(scope="module")
def numbered(stack: Stack) -> Any:
    """A table whose keys are numbers, and an index that holds its keys only."""
    db = stack.root("dynamodb")
    names = ("p", "c", "x")
    db.create_table(
        TableName="numbered",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "c", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "N"} for name in names],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by-x",
                "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "x", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for place in ("1", "20", "3e0"):
        row = {"p": {"N": "1e3"}, "c": {"N": place}, "x": {"N": place}, "text": {"S": "y" * 3000}}
        db.put_item(TableName="numbered", Item=row)
    yield db
    db.delete_table(TableName="numbered")


@pytest.mark.parametrize("spelled", ["1000", "1e3", "1000.0", "+1E+3"])
def test_a_key_is_the_number_and_not_its_spelling(numbered: Any, spelled: str) -> None:
    wanted = {"p": {"N": spelled}, "c": {"N": "3.0"}}
    assert numbered.get_item(TableName="numbered", Key=wanted)["Item"]["c"] == {"N": "3"}
    twice = [wanted, {"p": {"N": "1000"}, "c": {"N": "3"}}]
    assert "duplicates" in message(numbered.batch_get_item, RequestItems={"numbered": {"Keys": twice}})
    found = numbered.query(
        TableName="numbered",
        KeyConditionExpression="p = :p AND c > :c",
        ExpressionAttributeValues={":p": {"N": spelled}, ":c": {"N": "1.5"}},
    )
    assert [row["c"]["N"] for row in found["Items"]] == ["3", "20"]


def test_a_transaction_stores_the_number_and_not_its_spelling(numbered: Any) -> None:
    spelled = {"p": {"N": "7e0"}, "c": {"N": "1.50"}}
    update = {
        "TableName": "numbered",
        "Key": spelled,
        "UpdateExpression": "SET a = :v",
        "ExpressionAttributeValues": ONE,
    }
    numbered.transact_write_items(TransactItems=[{"Update": update}])
    stored = numbered.get_item(TableName="numbered", Key={"p": {"N": "7"}, "c": {"N": "1.5"}})["Item"]
    assert stored == {"p": {"N": "7"}, "c": {"N": "1.5"}, "a": {"N": "1"}}
    numbered.delete_item(TableName="numbered", Key=spelled)


def _query(**more: Any) -> dict[str, Any]:
    values = {":p": {"N": "1000"}}
    return {"TableName": "numbered", "KeyConditionExpression": "p = :p", "ExpressionAttributeValues": values, **more}


@pytest.mark.parametrize(
    ("start", "refusal"),
    [
        ({"p": {"N": "1000"}, "c": {"N": "1"}, "z": {"S": "x"}}, "The provided starting key is invalid"),
        ({"p": {"N": "1000"}}, "The provided starting key is invalid"),
        ({"p": {"N": "1000"}, "c": {"S": "1"}}, "The provided key element does not match the schema"),
        (
            {"p": {"N": "1001"}, "c": {"N": "1"}},
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
    ],
)
def test_a_query_continues_only_where_a_page_can_end(numbered: Any, start: dict[str, Any], refusal: str) -> None:
    assert message(numbered.query, **_query(ExclusiveStartKey=start)) == refusal


CAPACITY: dict[str, tuple[Callable[[Any], Any], float]] = {
    "an item of 3 KB": (lambda db: db.get_item(TableName="numbered", Key=_key(1), **TOTAL), 0.5),
    "a consistent one": (lambda db: db.get_item(TableName="numbered", Key=_key(1), ConsistentRead=True, **TOTAL), 1),
    "no item": (lambda db: db.get_item(TableName="numbered", Key=_key(99), **TOTAL), 0.5),
    "9 KB in a query": (lambda db: db.query(**_query(**TOTAL)), 1.5),
    "the same with a projection": (lambda db: db.query(**_query(ProjectionExpression="c", **TOTAL)), 1.5),
    "keys in an index": (lambda db: db.query(**_query(IndexName="by-x", **TOTAL)), 0.5),
    "rows fetched for an index": (
        lambda db: db.query(**_query(IndexName="by-x", Select="ALL_ATTRIBUTES", **TOTAL)),
        2,
    ),
    "a scan of four partitions": (lambda db: db.scan(TableName="numbered", **TOTAL), 2),
    "a batch": (lambda db: db.batch_get_item(RequestItems={"numbered": {"Keys": [_key(1), _key(3)]}}, **TOTAL), 1),
    "a transaction": (
        lambda db: db.transact_get_items(TransactItems=[{"Get": {"TableName": "numbered", "Key": _key(1)}}], **TOTAL),
        2,
    ),
}
TOTAL = {"ReturnConsumedCapacity": "TOTAL"}


def _key(place: int) -> dict[str, Any]:
    return {"p": {"N": "1000"}, "c": {"N": str(place)}}


@pytest.mark.parametrize("case", CAPACITY)
def test_reads_consume_capacity_by_size(numbered: Any, case: str) -> None:
    read, units = CAPACITY[case]
    consumed = read(numbered)["ConsumedCapacity"]
    assert (consumed[0] if isinstance(consumed, list) else consumed)["CapacityUnits"] == units


def test_a_local_index_fetches_what_it_does_not_hold(numbered: Any) -> None:
    projected = numbered.query(**_query(IndexName="by-x"))["Items"]
    assert all(set(row) == {"p", "c", "x"} for row in projected)
    whole = numbered.query(**_query(IndexName="by-x", Select="ALL_ATTRIBUTES"))["Items"]
    assert all("text" in row for row in whole)


BAD_REQUESTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "no item": ("put_item", {"TableName": "numbered"}, "Value null at 'item'"),
    "no key": ("get_item", {"TableName": "numbered"}, "Value null at 'key'"),
    "an empty write request": (
        "batch_write_item",
        {"RequestItems": {"numbered": [{}]}},
        "must contain exactly one of the supported datatypes",
    ),
    "no keys": ("batch_get_item", {"RequestItems": {"numbered": {}}}, "'requestItems.numbered.member.keys'"),
    "a long name": (
        "put_item",
        {"TableName": "numbered", "Item": {**_key(5), "x" * 65536: {"S": ""}}},
        "must be less than 65536 bytes",
    ),
    "no condition": ("query", {"TableName": "numbered"}, "Either the KeyConditions or KeyConditionExpression"),
}


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_bad_requests_are_refused(numbered: Any, case: str) -> None:
    method, data, refusal = BAD_REQUESTS[case]
    assert refusal in message(getattr(numbered, method), **data)


@pytest.mark.parametrize(
    ("name", "constraint"),
    [
        ("ab", "Member must have length greater than or equal to 3"),
        ("a" * 256, "Member must have length less than or equal to 255"),
        ("a!b", "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"),
    ],
)
def test_a_malformed_name_of_a_table_is_refused(stack: Stack, name: str, constraint: str) -> None:
    db, one = stack.root("dynamodb"), key(ACME, "one")
    text = f"1 validation error detected: Value '{name}' at 'tableName' failed to satisfy constraint: {constraint}"
    for call, more in ((db.get_item, {"Key": one}), (db.put_item, {"Item": one}), (db.scan, {})):
        assert message(call, TableName=name, **more) == text


def test_a_transaction_writes_four_megabytes_at_most(stack: Stack) -> None:
    items = [{**key(ACME, f"large-{number}"), "text": {"S": "x" * 100_000}} for number in range(43)]
    writes = [{"Put": {"TableName": stack.table, "Item": item}} for item in items]
    assert "4 MB" in message(stack.root("dynamodb").transact_write_items, TransactItems=writes)
    assert _read(stack, items[0]) is None
