"""Names and values are defined and used, and expressions are not mixed with the legacy parameters."""

from typing import Any

import pytest

from emulator.expressions.requests import GET, QUERY, SCAN, UPDATE, WRITE, Parameters
from tests.expressions.requests import number, refusal_of, request, text

V = {":v": number(1)}
EXPECTED = {"a": {"Exists": False}}
SEARCHED: dict[str, Any] = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": text("x")}}


@pytest.mark.parametrize(
    ("parameters", "data", "old", "new"),
    [
        (WRITE, {"Expected": EXPECTED, "ConditionExpression": "a = :v"}, "Expected", "ConditionExpression"),
        (UPDATE, {"Expected": EXPECTED, "UpdateExpression": "SET a = :v"}, "Expected", "UpdateExpression"),
        (
            UPDATE,
            {"AttributeUpdates": {}, "ConditionExpression": "a = :v"},
            "AttributeUpdates",
            "ConditionExpression",
        ),
        (GET, {"AttributesToGet": ["a"], "ProjectionExpression": "a"}, "AttributesToGet", "ProjectionExpression"),
        (SCAN, {"ScanFilter": {}, "ProjectionExpression": "a"}, "ScanFilter", "ProjectionExpression"),
        (SCAN, {"ConditionalOperator": "OR", "FilterExpression": "a = :v"}, "ConditionalOperator", "FilterExpression"),
        (QUERY, {**SEARCHED, "KeyConditions": {}}, "KeyConditions", "KeyConditionExpression"),
    ],
)
def test_expressions_are_not_mixed_with_legacy_parameters(
    parameters: Parameters, data: dict[str, Any], old: str, new: str
) -> None:
    assert refusal_of(request, parameters, **data) == (
        "Can not use both expression and non-expression parameters in the same request: "
        f"Non-expression parameters: {{{old}}} Expression parameters: {{{new}}}"
    )


def test_key_conditions_go_with_a_filter_expression() -> None:
    conditions = {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [text("x")]}}
    assert request(QUERY, V, KeyConditions=conditions, FilterExpression="a = :v").filter is not None


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        ({"ExpressionAttributeValues": {}}, "ExpressionAttributeValues must not be empty"),
        ({"ExpressionAttributeNames": {}}, "ExpressionAttributeNames must not be empty"),
        (
            {"ExpressionAttributeNames": {"a": "b"}},
            'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"',
        ),
        (
            {"ExpressionAttributeValues": {"v": number(1)}},
            'ExpressionAttributeValues contains invalid key: Syntax error; key: "v"',
        ),
        (
            {"ExpressionAttributeNames": {"#a": ""}},
            "ExpressionAttributeNames contains invalid value: Empty attribute name for key #a",
        ),
        (
            {"ExpressionAttributeValues": {":v": number("x")}},
            "The parameter cannot be converted to a numeric value: x",
        ),
        (
            {"ExpressionAttributeValues": {":v": {}}},
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ),
        (
            {"ExpressionAttributeValues": {**V, ":w": number(1)}},
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}",
        ),
        (
            {"ExpressionAttributeValues": V, "ExpressionAttributeNames": {"#a": "a"}},
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}",
        ),
    ],
)
def test_names_and_values_are_well_formed_and_used(data: dict[str, Any], refusal: str) -> None:
    assert refusal_of(request, WRITE, ConditionExpression="a = :v", **data) == refusal


def test_a_prefix_of_a_name_is_not_a_use_of_it() -> None:
    values = {":v": number(1), ":value": number(2)}
    assert "keys: {:v}" in refusal_of(request, WRITE, values, ConditionExpression="a = :value")


def test_names_of_more_than_65535_bytes_are_refused() -> None:
    for name in ("x" * 65536, "é" * 32768):
        names = {"#a": name}
        refused = refusal_of(request, WRITE, V, ConditionExpression="#a = :v", ExpressionAttributeNames=names)
        assert "65536" in refused


@pytest.mark.parametrize(("name", "kind"), [("pk", "Key"), ("ix", "IndexKey")])
@pytest.mark.parametrize("slot", ["ConditionExpression", "FilterExpression"])
def test_key_attributes_are_scalars(slot: str, name: str, kind: str) -> None:
    parameters = WRITE if slot == "ConditionExpression" else SCAN
    assert refusal_of(request, parameters, V, **{slot: f"{name}.x = :v"}) == (
        f"Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: {kind}: {name}"
    )


def test_values_without_expressions_are_refused() -> None:
    alone = "ExpressionAttributeValues can only be specified when using expressions"
    assert refusal_of(request, UPDATE, V) == refusal_of(request, WRITE, V) == alone
    assert refusal_of(request, SCAN, V) == f"{alone}: FilterExpression is null"
    assert refusal_of(request, GET, ExpressionAttributeNames={"#a": "a"}) == (
        "ExpressionAttributeNames can only be specified when using expressions"
    )
