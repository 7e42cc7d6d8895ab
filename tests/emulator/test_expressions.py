"""Invalid expressions and other bad input get DynamoDB's refusals, whether or not the request finds a row."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.world import ACME, ACME_OWNER, Stack, key, refusal, row

Reads = Callable[[Any, str, dict[str, Any], dict[str, Any]], Any]

# Each read gets the client, the table, the row's key, and the projection with its names.
PROJECTED_READS: dict[str, Reads] = {
    "GetItem": lambda db, table, wanted, more: db.get_item(TableName=table, Key=wanted, **more),
    "BatchGetItem": lambda db, table, wanted, more: db.batch_get_item(
        RequestItems={table: {"Keys": [wanted, key(ACME, "1")], **more}}
    ),
    "TransactGetItems": lambda db, table, wanted, more: db.transact_get_items(
        TransactItems=[
            {"Get": {"TableName": table, "Key": key(ACME, "1")}},
            {"Get": {"TableName": table, "Key": wanted, **more}},
        ]
    ),
    "Query": lambda db, table, wanted, more: db.query(
        TableName=table,
        KeyConditionExpression="pk = :pk AND sk = :sk",
        ExpressionAttributeValues={":pk": wanted["pk"], ":sk": wanted["sk"]},
        **more,
    ),
    "Scan": lambda db, table, wanted, more: db.scan(TableName=table, **more),
}
KEYS = {"a row": key(ACME), "no row": key(ACME, "none")}
OVERLAP = (
    "Two document paths overlap with each other; must remove or rewrite one of these paths; "
    "path one: [pk], path two: [pk]"
)
ENVELOPE = "1 validation error detected: "
RESERVED = "Attribute name is a reserved keyword; reserved keyword:"


def message(call: Callable[..., Any], *arguments: Any, **parameters: Any) -> str:
    """The text of a refusal, which must be a ValidationException with status 400."""
    error = refusal(lambda: call(*arguments, **parameters))
    assert (error["code"], error["status"]) == ("ValidationException", 400)
    return str(error["message"])


@pytest.mark.parametrize("found", KEYS)
@pytest.mark.parametrize("operation", PROJECTED_READS)
@pytest.mark.parametrize(
    ("projection", "names", "text"),
    [
        ("total", {}, f"{RESERVED} total"),
        ("pk, status", {}, f"{RESERVED} status"),
        ("map.entry", {}, f"{RESERVED} map"),
        ("pk, #p", {"#p": "pk"}, OVERLAP),
        ("pk, pk", {}, OVERLAP),
        ("pieces[", {}, 'Syntax error; token: "<EOF>", near: "["'),
        ("pieces[x]", {}, 'Syntax error; token: "x", near: "[x]"'),
        ("pk,", {}, 'Syntax error; token: "<EOF>", near: ","'),
        ("pk sk", {}, 'Syntax error; token: "sk", near: "pk sk"'),
        (" ", {}, "The expression can not be empty;"),
        (
            "#none",
            {},
            "An expression attribute name used in the document path is not defined; attribute name: #none",
        ),
    ],
)
def test_an_invalid_projection_is_refused(
    stack: Stack, operation: str, found: str, projection: str, names: dict[str, str], text: str
) -> None:
    more: dict[str, Any] = {"ProjectionExpression": projection}
    more |= {"ExpressionAttributeNames": names} if names else {}
    said = message(PROJECTED_READS[operation], stack.root("dynamodb"), stack.table, KEYS[found], more)
    assert said == f"Invalid ProjectionExpression: {text}"


@pytest.mark.parametrize("operation", ["BatchGetItem", "TransactGetItems"])
def test_unused_names_of_a_projection_are_refused(stack: Stack, operation: str) -> None:
    more = {"ProjectionExpression": "pk", "ExpressionAttributeNames": {"#unused": "sk"}}
    said = message(PROJECTED_READS[operation], stack.dynamodb(ACME_OWNER), stack.table, key(ACME), more)
    assert said == "Value provided in ExpressionAttributeNames unused in expressions: keys: {#unused}"


@pytest.mark.parametrize("operation", PROJECTED_READS)
def test_paths_of_lists_and_maps_are_projected(stack: Stack, operation: str) -> None:
    db, marked = stack.root("dynamodb"), key(ACME, "with parts")
    parts = {"pieces": {"L": [{"M": {"name": {"S": "x"}, "other": {"S": "y"}}}]}, "deep": {"M": {"a": {"S": "z"}}}}
    db.put_item(TableName=stack.table, Item={**marked, **parts})
    more = {"ProjectionExpression": "pieces[0].#n , deep.a,pk", "ExpressionAttributeNames": {"#n": "name"}}
    answer = PROJECTED_READS[operation](db, stack.table, marked, more)
    wanted = {"pieces": {"L": [{"M": {"name": {"S": "x"}}}]}, "deep": parts["deep"], "pk": marked["pk"]}
    assert wanted in _rows(answer)
    db.delete_item(TableName=stack.table, Key=marked)


def _rows(answer: Any) -> list[Any]:
    responses = answer.get("Responses") or []
    if isinstance(responses, dict):
        return [item for items in responses.values() for item in items]
    return [*answer.get("Items", []), answer.get("Item"), *(each.get("Item") for each in responses)]


# ── Conditions ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("person", ["member", "root"])
@pytest.mark.parametrize(
    ("condition", "operator"),
    [
        ("pk = :pk OR sk = :sk", "OR"),
        ("pk = :pk or sk = :sk", "OR"),
        ("pk = :pk AND NOT sk = :sk", "NOT"),
        ("pk = :pk AND sk <> :sk", "<>"),
        ("pk = :pk AND sk IN (:sk)", "IN"),
        ("pk = :pk AND contains(sk, :sk)", "contains"),
        ("pk = :pk AND (sk > :sk OR sk < :sk)", "OR"),
    ],
)
def test_a_key_condition_accepts_only_its_own_operators(
    stack: Stack, person: str, condition: str, operator: str
) -> None:
    db = stack.root("dynamodb") if person == "root" else stack.dynamodb(ACME_OWNER)
    values = {":pk": key(ACME)["pk"], ":sk": {"S": "0"}}
    said = message(db.query, TableName=stack.table, KeyConditionExpression=condition, ExpressionAttributeValues=values)
    assert said == f"Invalid operator used in KeyConditionExpression: {operator}"


@pytest.mark.parametrize("sk", ["0", "none"])
def test_names_that_resemble_operators_are_accepted(stack: Stack, sk: str) -> None:
    answer = stack.dynamodb(ACME_OWNER).query(
        TableName=stack.table,
        KeyConditionExpression="#or = :not AND begins_with(#in, :or)",
        ExpressionAttributeNames={"#or": "pk", "#in": "sk"},
        ExpressionAttributeValues={":not": key(ACME)["pk"], ":or": {"S": sk}},
    )
    assert answer["Count"] == (sk == "0")


@pytest.mark.parametrize("org", [ACME, "nobody"])
@pytest.mark.parametrize("slot", ["KeyConditionExpression", "FilterExpression"])
def test_a_malformed_condition_is_refused_by_its_name(stack: Stack, org: str, slot: str) -> None:
    for condition, text in (
        ("total = :pk", f"{RESERVED} total"),
        ("pk = :pk AND", 'Syntax error; token: "<EOF>", near: "AND"'),
        (" ", "The expression can not be empty;"),
    ):
        query = {"KeyConditionExpression": "pk = :pk", slot: condition}
        values = {":pk": key(org)["pk"]}
        said = message(stack.root("dynamodb").query, TableName=stack.table, **query, ExpressionAttributeValues=values)
        assert said == f"Invalid {slot}: {text}"


def test_a_reserved_word_is_reported_with_its_expression(stack: Stack) -> None:
    db, table, wanted = stack.root("dynamodb"), stack.table, key(ACME)
    values = {"ExpressionAttributeValues": {":v": {"N": "1"}}}
    assert message(db.scan, TableName=table, FilterExpression="total = :v", **values) == (
        f"Invalid FilterExpression: {RESERVED} total"
    )
    condition = {"ConditionExpression": "total = :v", **values}
    said = f"Invalid ConditionExpression: {RESERVED} total"
    check = {"ConditionCheck": {"TableName": table, "Key": wanted, **condition}}
    assert message(db.transact_write_items, TransactItems=[check]) == said
    for refused in (
        message(db.put_item, TableName=table, Item=row(ACME, "0"), **condition),
        message(db.delete_item, TableName=table, Key=wanted, **condition),
        message(db.update_item, TableName=table, Key=wanted, UpdateExpression="SET b = :v", **condition),
    ):
        assert refused == f"{ENVELOPE}{said}"
    update = message(db.update_item, TableName=table, Key=wanted, UpdateExpression="SET total = :v", **values)
    assert update == f"{ENVELOPE}Invalid UpdateExpression: {RESERVED} total"


# ── Other bad input ─────────────────────────────────────────────────────────────────────────────────────────────────

BAD_INPUT: dict[str, Callable[[Any, str], Any]] = {
    "an operator without its value": lambda db, table: db.scan(
        TableName=table, ScanFilter={"sk": {"ComparisonOperator": "EQ", "AttributeValueList": []}}
    ),
    "a condition on keys without its value": lambda db, table: db.query(
        TableName=table,
        KeyConditions={
            "pk": {"ComparisonOperator": "EQ", "AttributeValueList": [key(ACME)["pk"]]},
            "sk": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"S": "0"}]},
        },
    ),
    "an expectation without its value": lambda db, table: db.put_item(
        TableName=table, Item=key(ACME), Expected={"sk": {"ComparisonOperator": "EQ", "AttributeValueList": []}}
    ),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_never_an_internal_failure(stack: Stack, case: str) -> None:
    assert message(BAD_INPUT[case], stack.root("dynamodb"), stack.table)


@pytest.mark.parametrize("action", ["Put", "Update", "Delete", "ConditionCheck"])
def test_a_transaction_with_an_incomplete_action_writes_nothing(stack: Stack, action: str) -> None:
    db, first = stack.root("dynamodb"), key(ACME, "in a refused transaction")
    incomplete = {"TableName": stack.table}
    incomplete |= {"UpdateExpression": "REMOVE a"} if action == "Update" else {}
    incomplete |= {"ConditionExpression": "attribute_exists(pk)"} if action == "ConditionCheck" else {}
    actions = [{"Put": {"TableName": stack.table, "Item": first}}, {action: incomplete}]
    assert "Member must not be null" in message(db.transact_write_items, TransactItems=actions)
    assert "Item" not in db.get_item(TableName=stack.table, Key=first)
