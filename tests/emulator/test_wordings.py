"""How operations word a refusal: what counts as a validation error of the request, and which words they use."""

from typing import Any

import pytest

from tests.emulator.test_expressions import ENVELOPE, RESERVED, message
from tests.emulator.world import ACME, Stack, key, row

INVALID = "One or more parameter values were invalid: "


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"ConditionExpression": "a = = b"}, 'Invalid ConditionExpression: Syntax error; token: "=", near: "= = b"'),
        (
            {"ConditionExpression": "((attribute_exists(a)))"},
            "Invalid ConditionExpression: The expression has redundant parentheses;",
        ),
        (
            {"ConditionExpression": "a = :v", "ExpressionAttributeValues": {":v": {"N": "1"}, ":w": {"N": "2"}}},
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}",
        ),
        (
            {"ConditionExpression": "attribute_exists(a)", "Expected": {"a": {"Exists": False}}},
            (
                "Can not use both expression and non-expression parameters in the same request: "
                "Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}"
            ),
        ),
        (
            {"ExpressionAttributeValues": {":v": {"N": "1"}}},
            "ExpressionAttributeValues can only be specified when using expressions",
        ),
        (
            {"ReturnValues": "SOME"},
            (
                "Failed to satisfy constraint: Member must satisfy enum value set: "
                "[ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]"
            ),
        ),
    ],
)
def test_single_writes_count_bad_expressions_as_validation_errors(
    stack: Stack, parameters: dict[str, Any], text: str
) -> None:
    db, table, said = stack.root("dynamodb"), stack.table, f"{ENVELOPE}{text}"
    assert message(db.put_item, TableName=table, Item=row(ACME, "0"), **parameters) == said
    assert message(db.delete_item, TableName=table, Key=key(ACME), **parameters) == said
    assert message(db.update_item, TableName=table, Key=key(ACME), **parameters) == said


def test_a_transaction_reports_the_update_before_the_condition(stack: Stack) -> None:
    db, values = stack.root("dynamodb"), {"ExpressionAttributeValues": {":v": {"N": "1"}}}
    both = {"UpdateExpression": "SET total = :v", "ConditionExpression": "status = :v", **values}
    wanted = {"TableName": stack.table, "Key": key(ACME), **both}
    assert message(db.update_item, **wanted) == f"{ENVELOPE}Invalid ConditionExpression: {RESERVED} status"
    said = message(db.transact_write_items, TransactItems=[{"Update": wanted}])
    assert said == f"Invalid UpdateExpression: {RESERVED} total"


def test_an_empty_list_of_parameters_is_refused(stack: Stack) -> None:
    db, statement = stack.root("dynamodb"), f"SELECT * FROM \"{stack.table}\" WHERE pk = 'x'"
    one = {"Statement": statement, "Parameters": []}
    said = "failed to satisfy constraint: Member must have length greater than or equal to 1"
    assert message(db.execute_statement, **one) == f"{ENVELOPE}Value '[]' at 'parameters' {said}"
    alone = db.batch_execute_statement(Statements=[{"Statement": f"{statement} AND sk = '0'"}])
    assert "Error" not in alone["Responses"][0]
    path = "statements.1.member.parameters"
    assert message(db.batch_execute_statement, Statements=[one]) == f"{ENVELOPE}Value '[]' at '{path}' {said}"
    path = "transactStatements.2.member.parameters"
    both = [{"Statement": statement}, one]
    assert message(db.execute_transaction, TransactStatements=both) == f"{ENVELOPE}Value '[]' at '{path}' {said}"


def test_puts_and_deletes_report_all_unknown_words_together(stack: Stack) -> None:
    db, unknown = stack.root("dynamodb"), {"ReturnValues": "SOME", "ReturnConsumedCapacity": "SOME"}
    generic = "Member must satisfy enum value set: [ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]"
    named = "Value 'SOME' at 'returnConsumedCapacity' failed to satisfy constraint: "
    both = (
        f"2 validation errors detected: {named}Member must satisfy enum value set: [INDEXES, TOTAL, NONE]; "
        f"Failed to satisfy constraint: {generic}"
    )
    assert message(db.put_item, TableName=stack.table, Item=key(ACME), **unknown) == both
    assert message(db.delete_item, TableName=stack.table, Key=key(ACME), **unknown) == both
    alone = message(db.update_item, TableName=stack.table, Key=key(ACME), **unknown)
    assert alone == f"{ENVELOPE}Failed to satisfy constraint: {generic}"


def test_only_updates_return_new_values(stack: Stack) -> None:
    db, wanted = stack.root("dynamodb"), {"TableName": stack.table, "ReturnValues": "ALL_NEW"}
    said = f"{ENVELOPE}ReturnValues can only be ALL_OLD or NONE"
    assert message(db.put_item, Item=row(ACME, "0"), **wanted) == said
    assert message(db.delete_item, Key=key(ACME), **wanted) == said


# ── Values that are refused ─────────────────────────────────────────────────────────────────────────────────────────

REFUSED_VALUES: dict[str, tuple[dict[str, Any], str, str]] = {
    "no number": (
        {"N": "x"},
        "The parameter cannot be converted to a numeric value: x",
        "The parameter cannot be converted to a numeric value: x",
    ),
    "an empty number": (
        {"N": ""},
        "The parameter cannot be converted to a numeric value: ",
        "The parameter cannot be converted to a numeric value",
    ),
    "a repeated text": (
        {"SS": ["b", "a", "b"]},
        f'{INVALID}Input collection ["a", "b", "b"] contains duplicates.',
        f"{INVALID}Input collection [b, a, b] contains duplicates.",
    ),
    "a repeated binary": (
        {"BS": [b"\xff", b"\0", b"\0"]},
        f'{INVALID}Input collection ["AA==","/w==","AA=="]of type BS contains duplicates.',
        f"{INVALID}Input collection [/w==, AA==, AA==]of type BS contains duplicates.",
    ),
    "a repeated number": (
        {"NS": ["2", "1", "2.0"]},
        f"{INVALID}Input collection contains duplicates.",
        "Input collection contains duplicates",
    ),
}


@pytest.mark.parametrize("name", REFUSED_VALUES)
def test_operations_word_a_refused_value_in_one_of_two_ways(stack: Stack, name: str) -> None:
    value, newer, older = REFUSED_VALUES[name]
    db, table, item = stack.root("dynamodb"), stack.table, {**row(ACME, "0"), "a": value}
    values = {"ExpressionAttributeValues": {":p": {"S": "p"}, ":v": value}}
    only = {"ExpressionAttributeValues": {":v": value}}
    update = {"TableName": table, "Key": key(ACME), "UpdateExpression": "SET a = :v", **only}
    query = {"TableName": table, "KeyConditionExpression": "pk = :p", "FilterExpression": "a = :v", **values}
    assert message(db.put_item, TableName=table, Item=item) == f"{ENVELOPE}{newer}"
    assert message(db.update_item, **update) == f"{ENVELOPE}{newer}"
    assert message(db.query, **query) == newer
    assert message(db.batch_write_item, RequestItems={table: [{"PutRequest": {"Item": item}}]}) == older
    assert message(db.transact_write_items, TransactItems=[{"Put": {"TableName": table, "Item": item}}]) == older
    named = f"ExpressionAttributeValues contains invalid value: {older} for key :v"
    assert message(db.transact_write_items, TransactItems=[{"Update": update}]) == named
    assert message(db.scan, TableName=table, FilterExpression="a = :v", **only) == named


def test_sets_come_back_in_order(stack: Stack, request: pytest.FixtureRequest) -> None:
    db, wanted = stack.root("dynamodb"), {"TableName": stack.table, "Key": key(ACME, "sets")}
    request.addfinalizer(lambda: db.delete_item(**wanted))
    sets = {"texts": {"SS": ["b", "", "a"]}, "numbers": {"NS": ["10", "9", "-1"]}}
    db.put_item(TableName=stack.table, Item={**key(ACME, "sets"), "in": {"L": [{"M": sets}]}})
    read = db.get_item(**wanted)["Item"]["in"]["L"][0]["M"]
    assert read == {"texts": {"SS": ["", "a", "b"]}, "numbers": {"NS": ["-1", "9", "10"]}}
    added = {"ExpressionAttributeValues": {":v": {"BS": [b"b", b"a"]}}}
    db.update_item(**wanted, UpdateExpression="ADD binaries :v", **added)
    assert db.get_item(**wanted)["Item"]["binaries"] == {"BS": [b"a", b"b"]}


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (
            {"Select": "COUNT", "ProjectionExpression": "a"},
            "Cannot specify the ProjectionExpression when choosing to get only the Count",
        ),
        (
            {"Select": "ALL_ATTRIBUTES", "AttributesToGet": ["a"]},
            "Cannot specify the AttributesToGet when choosing to get ALL_ATTRIBUTES",
        ),
        (
            {"Select": "ALL_PROJECTED_ATTRIBUTES"},
            "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName",
        ),
        (
            {"Select": "SPECIFIC_ATTRIBUTES"},
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
        ),
    ],
)
def test_only_a_query_counts_a_bad_selection_as_a_validation_error(
    stack: Stack, parameters: dict[str, Any], text: str
) -> None:
    db, wanted = stack.root("dynamodb"), {"TableName": stack.table, **parameters}
    keys = {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "x"}]}}
    if "ProjectionExpression" in parameters:
        values = {":p": {"S": "x"}}
        query = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": values}
    else:
        query = {"KeyConditions": keys}
    assert message(db.query, **wanted, **query) == f"{ENVELOPE}{text}"
    assert message(db.scan, **wanted) == text
