"""Whatever a text says, reading and evaluating it ends in an answer or in a refusal."""

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

from emulator.expressions.errors import Invalid
from emulator.expressions.requests import QUERY, SCAN
from tests.expressions.requests import condition_holds, projected_by, request, searched, updated

PIECES = [
    "a", "b", "m.x", "l[0]", "#n", "#n.#n", ":v", ":w", ":none", "pk", "sk", "size(a)", "contains(a, :v)", "size(",
    "begins_with(b, :w)", "attribute_exists(a)", "attribute_type(a, :t)", "if_not_exists(a, :v)", "list_append(l, :l)",
    "=", "<>", "<", ">=", "AND", "or", "NOT", "BETWEEN", "IN", "(", ")", "((", "))", ",", ".", "[", "]", "+", "-", "1",
    "SET", "remove", "ADD", "DELETE", "dog(", "status", "\u00e9", "$", "\n",
]  # fmt: skip
VALUES: dict[str, Any] = {
    ":v": {"N": "1"}, ":w": {"S": "x"}, ":t": {"S": "N"}, ":l": {"L": [{"N": "1"}]}, ":s": {"NS": ["1"]},
}  # fmt: skip
NAMES = {"#n": "name"}
ITEMS = [
    {},
    {"a": {"N": "1"}, "b": {"S": "x"}, "m": {"M": {"x": {"BOOL": True}}}, "l": {"L": [{"S": "y"}]}, "pk": {"S": "k"}},
    {"a": {"L": []}, "b": {"NS": ["1"]}, "m": {"N": "9e125"}, "l": {"B": "YQ=="}, "name": {"M": {}}},
]
texts = some.lists(some.sampled_from(PIECES), max_size=14).map(" ".join) | some.text(max_size=20)


def _used(text: str) -> dict[str, Any]:
    names = {alias: name for alias, name in NAMES.items() if alias in text}
    return {"ExpressionAttributeNames": names} if names else {}


@settings(max_examples=400, deadline=None)
@given(texts, some.sampled_from(ITEMS))
def test_conditions_end_in_an_answer_or_a_refusal(text: str, item: dict[str, Any]) -> None:
    values = {name: value for name, value in VALUES.items() if name in text}
    with contextlib.suppress(Invalid):
        assert condition_holds(text, item, values, **_used(text)) in (True, False)
    with contextlib.suppress(Invalid):
        searched(text, values, **_used(text))


@settings(max_examples=400, deadline=None)
@given(some.sampled_from(["SET ", "REMOVE ", "ADD ", "SET a = ", "DELETE b ", ""]), texts, some.sampled_from(ITEMS))
def test_updates_end_in_an_item_or_a_refusal(start: str, text: str, item: dict[str, Any]) -> None:
    values = {name: value for name, value in VALUES.items() if name in text}
    before = repr(item)
    with contextlib.suppress(Invalid):
        assert isinstance(updated(start + text, item, values, **_used(text)), dict)
    assert repr(item) == before


@settings(max_examples=200, deadline=None)
@given(texts)
def test_projections_end_in_paths_or_a_refusal(text: str) -> None:
    with contextlib.suppress(Invalid):
        assert projected_by(text, **_used(text)).projection is not None


@settings(max_examples=200, deadline=None)
@given(
    some.dictionaries(
        some.sampled_from(["a", "pk", "sk", ""]),
        some.fixed_dictionaries({
            "ComparisonOperator": some.sampled_from(["EQ", "LT", "BETWEEN", "IN", "NULL", "CONTAINS", "x"]),
            "AttributeValueList": some.lists(some.sampled_from(list(VALUES.values())), max_size=3),
        }),
        max_size=3,
    )
)  # fmt: skip
def test_legacy_conditions_end_in_an_answer_or_a_refusal(conditions: dict[str, Any]) -> None:
    with contextlib.suppress(Invalid):
        request(SCAN, ScanFilter=conditions)
    with contextlib.suppress(Invalid):
        request(QUERY, KeyConditions=conditions)
