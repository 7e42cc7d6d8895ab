"""The legacy parameters are checked and evaluated like expressions."""

from typing import Any

import pytest

from emulator.expressions.errors import older_words
from emulator.expressions.evaluation import holds
from emulator.expressions.projections import project
from emulator.expressions.requests import GET, QUERY, SCAN, UPDATE, WRITE
from emulator.expressions.updates import apply_update
from tests.expressions.requests import Item, Value, number, refusal_of, request, text

ITEM: Item = {"a": number(5), "s": text("hello"), "l": {"L": [number(1)]}, "ss": {"SS": ["x"]}, "b": {"B": "aGVsbG8="}}
INVALID = "One or more parameter values were invalid: "


def compared(operator: str, *values: Value) -> dict[str, Any]:
    return {"ComparisonOperator": operator, "AttributeValueList": list(values)}


def expectation_holds(expected: dict[str, Any], operator: str | None = None) -> bool:
    more = {"ConditionalOperator": operator} if operator else {}
    condition = request(WRITE, Expected=expected, **more).condition
    return condition is None or holds(condition, ITEM)


@pytest.mark.parametrize(
    ("name", "expectation", "expected"),
    [
        ("a", compared("EQ", number("5.0")), True),
        ("a", compared("NE", number(5)), False),
        ("q", compared("NE", number(5)), True),
        ("q", compared("EQ", number(5)), False),
        ("l", compared("EQ", {"L": [number("1.0")]}), True),
        ("a", compared("LT", number(6)), True),
        ("a", compared("GE", text("5")), False),
        ("a", compared("IN", number(4), number(5)), True),
        ("a", compared("BETWEEN", number(4), number(6)), True),
        ("s", compared("BEGINS_WITH", text("he")), True),
        ("b", compared("BEGINS_WITH", {"B": "aGU="}), True),
        ("s", compared("CONTAINS", text("ell")), True),
        ("b", compared("CONTAINS", {"B": "ZWxs"}), True),
        ("l", compared("CONTAINS", number(1)), True),
        ("ss", compared("NOT_CONTAINS", text("x")), False),
        ("ss", compared("NOT_CONTAINS", text("y")), True),
        ("q", compared("NOT_CONTAINS", text("y")), False),
        ("q", compared("NULL"), True),
        ("a", {"ComparisonOperator": "NULL"}, False),
        ("a", compared("NOT_NULL"), True),
        ("a", {"Value": number(5)}, True),
        ("a", {"Exists": True, "Value": number(4)}, False),
        ("q", {"Exists": False}, True),
        ("a", {"Exists": False}, False),
        ("a", {"ComparisonOperator": "EQ", "Value": number(5)}, True),
        ("a.b", {"Exists": False}, True),
    ],
)
def test_an_expectation(name: str, expectation: dict[str, Any], expected: bool) -> None:
    assert expectation_holds({name: expectation}) is expected


def test_expectations_are_joined_by_the_conditional_operator() -> None:
    both = {"a": {"Value": number(5)}, "s": {"Value": text("no")}}
    assert not expectation_holds(both)
    assert not expectation_holds(both, "AND")
    assert expectation_holds(both, "OR")
    assert expectation_holds({})


@pytest.mark.parametrize(
    ("expectation", "refusal"),
    [
        (compared("EQ"), "Invalid number of argument(s) for the EQ ComparisonOperator"),
        (compared("BETWEEN", number(1)), "Invalid number of argument(s) for the BETWEEN ComparisonOperator"),
        (compared("IN"), "Invalid number of argument(s) for the IN ComparisonOperator"),
        (compared("NULL", number(1)), "Invalid number of argument(s) for the NULL ComparisonOperator"),
        (compared("LT", {"SS": ["x"]}), "ComparisonOperator LT is not valid for SS AttributeValue type"),
        (compared("BEGINS_WITH", number(1)), "ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type"),
        (compared("CONTAINS", {"L": []}), "ComparisonOperator CONTAINS is not valid for L AttributeValue type"),
        (compared("IN", number(1), text("1")), "AttributeValues inside AttributeValueList must be of same type"),
        (
            {"ComparisonOperator": "EQ"},
            "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a",
        ),
        (
            {**compared("EQ", number(1)), "Value": number(1)},
            "Value and AttributeValueList cannot be used together for Attribute: a",
        ),
        (
            {**compared("EQ", number(1)), "Exists": True},
            "Exists and ComparisonOperator cannot be used together for Attribute: a",
        ),
        (
            {"AttributeValueList": [number(1)]},
            "AttributeValueList can only be used with a ComparisonOperator for Attribute: a",
        ),
        ({"Exists": True}, "Value must be provided when Exists is true for Attribute: a"),
        ({}, "Value must be provided when Exists is null for Attribute: a"),
        ({"Exists": False, "Value": number(1)}, "Value cannot be used when Exists is false for Attribute: a"),
    ],
)
def test_a_malformed_expectation_is_refused(expectation: dict[str, Any], refusal: str) -> None:
    assert refusal_of(request, WRITE, Expected={"a": expectation}) == INVALID + refusal


def test_operators_are_spelled_in_capitals() -> None:
    text_of_refusal = refusal_of(request, SCAN, ScanFilter={"a": compared("eq", number(1))})
    assert text_of_refusal.startswith(
        "1 validation error detected: Value 'eq' at 'scanFilter.a.member.comparisonOperator' failed to satisfy "
        "constraint: Member must satisfy enum value set: ["
    )


@pytest.mark.parametrize("operator", ["AND", "OR"])
def test_a_conditional_operator_needs_two_conditions(operator: str) -> None:
    for expected, refusal in (
        ({}, "ConditionalOperator cannot be used without Filter or Expected"),
        (
            {"a": {"Exists": False}},
            "ConditionalOperator can only be used when Filter or Expected has two or more elements",
        ),
    ):
        assert refusal_of(request, WRITE, Expected=expected, ConditionalOperator=operator) == refusal


def test_an_unknown_conditional_operator_is_refused_in_two_wordings() -> None:
    expected = {"a": {"Exists": False}, "b": {"Exists": False}}
    refusal = refusal_of(request, WRITE, Expected=expected, ConditionalOperator="XOR")
    assert refusal == "Failed to satisfy constraint: Member must satisfy enum value set: [ALL, OR]"
    with older_words():
        refusal = refusal_of(request, WRITE, Expected=expected, ConditionalOperator="XOR")
    assert refusal == (
        "1 validation error detected: Value 'XOR' at 'conditionalOperator' failed to satisfy constraint: "
        "Member must satisfy enum value set: [OR, AND]"
    )


def test_values_of_different_types_are_reported_before_their_types() -> None:
    mixed = {"a": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"BOOL": True}, text("x")]}}
    assert refusal_of(request, SCAN, ScanFilter=mixed) == (
        "One or more parameter values were invalid: AttributeValues inside AttributeValueList must be of same type"
    )


@pytest.mark.parametrize(
    ("updates", "changed"),
    [
        ({"a": {"Value": number(1)}}, {"a": number(1)}),
        ({"a": {"Action": "DELETE"}}, {"a": None}),
        ({"a": {"Action": "ADD", "Value": number("1.50")}}, {"a": number("6.5")}),
        ({"l": {"Action": "ADD", "Value": {"L": [number(2)]}}}, {"l": {"L": [number(1), number(2)]}}),
        ({"ss": {"Action": "DELETE", "Value": {"SS": ["x"]}}}, {"ss": None}),
        ({"a.b": {"Value": number(1)}}, {"a.b": number(1)}),
    ],
)
def test_attribute_updates(updates: dict[str, Any], changed: dict[str, Value | None]) -> None:
    update = request(UPDATE, AttributeUpdates=updates).update
    assert update is not None
    wanted = {name: value for name, value in {**ITEM, **changed}.items() if value is not None}
    assert apply_update(update, ITEM, legacy=True) == wanted


@pytest.mark.parametrize(
    ("update", "refusal"),
    [
        ({"Action": "PUT"}, "Only DELETE action is allowed when no attribute value is specified"),
        ({"Action": "ADD", "Value": text("x")}, "ADD action is not supported for the type S"),
        ({"Action": "DELETE", "Value": number(1)}, "DELETE action with value is not supported for the type N"),
    ],
)
def test_a_malformed_attribute_update_is_refused(update: dict[str, Any], refusal: str) -> None:
    assert refusal_of(request, UPDATE, AttributeUpdates={"a": update}) == INVALID + refusal


def test_very_many_names_are_compared_at_once() -> None:
    names = [str(number) for number in range(100_000)]
    assert request(GET, AttributesToGet=names).projection is not None
    assert "Duplicate value in attribute name: 7" in refusal_of(request, GET, AttributesToGet=[*names, "7"])


def test_attributes_to_get() -> None:
    projection = request(GET, AttributesToGet=["a", "q", "a.b"]).projection
    assert projection is not None
    assert project(projection, ITEM) == {"a": number(5)}
    assert refusal_of(request, GET, AttributesToGet=["a", "a"]) == f"{INVALID}Duplicate value in attribute name: a"
    assert "length greater than or equal to 1" in refusal_of(request, GET, AttributesToGet=[])


@pytest.mark.parametrize("operator", ["NE", "IN", "CONTAINS", "NOT_CONTAINS"])
def test_key_conditions_are_searchable(operator: str) -> None:
    conditions = {"pk": compared("EQ", text("x")), "sk": compared(operator, number(1))}
    refusal = "Attempted conditional constraint is not an indexable operation"
    assert refusal_of(request, QUERY, KeyConditions=conditions) == refusal


def test_a_filter_of_key_attributes_is_refused() -> None:
    conditions = {"pk": compared("EQ", text("x"))}
    refused = {"sk": compared("EQ", number(1))}
    assert refusal_of(request, QUERY, KeyConditions=conditions, QueryFilter=refused) == (
        "QueryFilter can only contain non-primary key attributes: Primary key attribute: sk"
    )
