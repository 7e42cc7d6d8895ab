"""A query of records is the same in its address, and DynamoDB gets nothing that it would refuse."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.domain.entered_values import text_of
from tenants.domain.errors import InvalidInput
from tenants.domain.keys import USUAL_KEYS, KeyNames
from tenants.domain.record_filters import FILTER_OPERATORS, MOST_FILTERS, MOST_IN_A_LIST, Filter
from tenants.domain.record_query import (
    KEY_OPERATORS,
    MOST_COLUMNS,
    PAGE_SIZES,
    KeyCondition,
    RecordQuery,
    query_parameters,
    read_new_filter,
    read_query,
)
from tenants.domain.values import TYPE_NAMES
from tests.domain.test_entered_values import VALUES

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
_NAMES = _TEXTS.filter(lambda name: name not in {*USUAL_KEYS})
ODD_NAMES = ("size", "a.b", 'a"b', "a'b", "#n0", ":v0", "🦊", "a b", "__proto__", "ünï")


def read(asked: str) -> RecordQuery:
    return read_query(parse_qs(asked, keep_blank_values=True), USUAL_KEYS)


def refusal(asked: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as refused:
        read(asked)
    return refused.value


def refused_filter(*parts: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as refused:
        read_new_filter(
            {name: [part] for name, part in zip(("fa", "fo", "ft", "fv", "fw"), parts, strict=False)}, USUAL_KEYS
        )
    return refused.value


@st.composite
def conditions(draw: st.DrawFn) -> KeyCondition:
    operator = draw(st.sampled_from(sorted(KEY_OPERATORS)))
    keys = sorted((draw(_TEXTS), draw(_TEXTS)), key=str.encode)
    return KeyCondition(operator, keys[0], keys[1] if operator == "between" else "")


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    name = draw(_NAMES)
    operator = draw(st.sampled_from(["=", "<>", "exists", "not exists", "type is", "size >", "in", "between"]))
    match operator:
        case "=" | "<>":
            ((kind, content),) = draw(VALUES).items()
            return Filter(name, operator, kind, text_of({kind: content}))
        case "type is":
            return Filter(name, operator, draw(st.sampled_from(sorted(TYPE_NAMES))))
        case "size >":
            return Filter(name, operator, "", str(draw(st.integers(0, 500))))
        case "in":
            return Filter(name, operator, "S", json.dumps(draw(st.lists(_TEXTS, min_size=1, max_size=4))))
        case "between":
            low, high = sorted((draw(st.integers()) % 1000, draw(st.integers()) % 1000))
            return Filter(name, operator, "N", str(low), str(high))
    return Filter(name, operator)


@st.composite
def queries(draw: st.DrawFn) -> RecordQuery:
    several = tuple(dict.fromkeys(draw(st.lists(filters(), max_size=3))))
    return RecordQuery(
        condition=draw(st.one_of(st.just(KeyCondition()), conditions())),
        filters=several,
        any_of=draw(st.booleans()) and len(several) > 1,
        descending=draw(st.booleans()),
        consistent=draw(st.booleans()),
        size=draw(st.sampled_from(PAGE_SIZES)),
        columns=tuple(draw(st.lists(_TEXTS, max_size=4, unique=True))),
        view=draw(st.sampled_from(["table", "json"])),
    )


@settings(deadline=None)
@given(queries())
def test_an_address_reads_as_the_query_that_wrote_it(query: RecordQuery) -> None:
    assert read(urlencode(query.in_address())) == query


@settings(deadline=None)
@given(queries(), st.booleans())
def test_every_name_and_value_of_an_expression_is_a_placeholder(query: RecordQuery, backwards: bool) -> None:
    made = query_parameters(query, KeyNames("size", "a.b"), "org#x", start="k", backwards=backwards)
    expressions = " ".join(made[name] for name in made if name.endswith("Expression"))
    assert set(made["ExpressionAttributeNames"]) == {word for word in words(expressions) if word.startswith("#")}
    assert set(made["ExpressionAttributeValues"]) == {word for word in words(expressions) if word.startswith(":")}
    assert made["ExclusiveStartKey"] == {"size": {"S": "org#x"}, "a.b": {"S": "k"}}
    assert made.get("ScanIndexForward", True) is (query.descending is backwards)


def words(expression: str) -> Sequence[str]:
    return expression.replace("(", " ").replace(")", " ").replace(",", " ").split()


def test_the_beginning_of_a_key_keeps_its_short_address() -> None:
    assert read("prefix=ORD-1") == read("op=begins&key=ORD-1") == RecordQuery(KeyCondition("begins", "ORD-1"))
    assert read("op=begins&key=ORD-1").in_address() == [("prefix", "ORD-1")]
    assert read("op=begins&key=&prefix=&order=asc&size=25&f=") == RecordQuery()


@pytest.mark.parametrize(
    ("asked", "condition"),
    [
        ("op=eq&key=a", KeyCondition("eq", "a")),
        ("op=between&key=a&key_to=b", KeyCondition("between", "a", "b")),
        ("op=between&key=a", KeyCondition("ge", "a")),
        ("op=between&key_to=b", KeyCondition("le", "b")),
        ("op=lt&key=a&key_to=b", KeyCondition("lt", "a")),
        ("op=lt&key_to=b", KeyCondition()),
        ("op=eq", KeyCondition()),
    ],
)
def test_a_condition_on_the_key_is_what_its_fields_say(asked: str, condition: KeyCondition) -> None:
    assert read(asked).condition == condition


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("op=near&key=a", "op"),
        (f"op=eq&key={'x' * 1025}", "key"),
        (f"op=between&key=a&key_to={'x' * 1025}", "key_to"),
        ("op=between&key=b&key_to=a", "key"),
        ("order=sideways", "order"),
        ("size=26", "size"),
        ("size=-1", "size"),
        ("view=tree", "view"),
        (urlencode([("c", f"n{place}") for place in range(MOST_COLUMNS + 1)]), "c"),
        (f"c={'x' * 256}", "c"),
        *((f"f={text}", "f") for text in ("{}", "[1]", '["a"]', '["a","=","S","b","c","d"]', '["a","=",["S"],"b"]')),
        (f"f={'[' * 100_000}", "f"),
        (urlencode([("f", json.dumps([f"n{place}", "exists"])) for place in range(MOST_FILTERS + 1)]), "f"),
    ],
)  # fmt: skip
def test_what_no_form_sends_is_refused(asked: str, field: str) -> None:
    assert refusal(asked).field == field


@pytest.mark.parametrize("keys", [USUAL_KEYS, KeyNames("owner", "id")])
def test_a_part_of_the_key_is_no_filter(keys: KeyNames) -> None:
    for name in keys:
        with pytest.raises(InvalidInput, match="Search by the key above") as refused:
            read_new_filter({"fa": [name], "fo": ["="], "ft": ["S"], "fv": ["x"]}, keys)
        assert refused.value.field == "fa"


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        (("", "=", "S", "x"), "fa"),
        (("x" * 65536, "=", "S", "x"), "fa"),
        (("a", "like", "S", "x"), "fo"),
        (("a", "=", "X", "x"), "ft"),
        (("a", "<", "BOOL", "true"), "ft"),
        (("a", "begins with", "N", "1"), "ft"),
        (("a", "contains", "SS", "x"), "ft"),
        (("a", "between", "L", "[]", "[]"), "ft"),
        (("a", "=", "N", "abc"), "fv"),
        (("a", "=", "N", "1" * 39), "fv"),
        (("a", "=", "N", "1E126"), "fv"),
        (("a", "=", "B", "?"), "fv"),
        (("a", "=", "BOOL", "maybe"), "fv"),
        (("a", "=", "SS", ""), "fv"),
        (("a", "=", "NS", "1\n1.0"), "fv"),
        (("a", "=", "L", "[1]"), "fv"),
        (("a", "=", "L", '[{"L":' * 33 + "[]" + "}]" * 33), "fv"),
        (("a", "between", "N", "2", "x"), "fw"),
        (("a", "between", "N", "10", "9"), "fv"),
        (("a", "between", "S", "b", "a"), "fv"),
        (("a", "in", "S", ""), "fv"),
        (("a", "in", "S", ",".join(map(str, range(MOST_IN_A_LIST + 1)))), "fv"),
        (("a", "in", "S", "[1]"), "fv"),
        (("a", "size >", "", "-1"), "fv"),
        (("a", "size >", "", "²"), "fv"),
        (("a", "size >", "", "9" * 39), "fv"),
        (("a", "=", "S", "\ud800"), "fv"),
        (("a", "in", "S", '["\\ud800"]'), "fv"),
    ],
)
def test_a_filter_that_dynamodb_would_refuse_names_its_field(parts: Sequence[str], field: str) -> None:
    assert refused_filter(*parts).field == field


def test_numbers_of_a_range_are_compared_as_numbers() -> None:
    assert read('f=["a","between","N","9","10"]').filters[0].values() == ({"N": "9"}, {"N": "10"})


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("operator", sorted(FILTER_OPERATORS))
def test_any_name_can_be_filtered_by(name: str, operator: str) -> None:
    text_to = "x" if operator == "between" else ""
    text = "1" if operator.startswith("size ") else "x"
    one = read(urlencode({"f": json.dumps([name, operator, "S", text, text_to])})).filters[0]
    made = parameters_of(RecordQuery(filters=(one,)))
    assert name in made["ExpressionAttributeNames"].values()


def parameters_of(query: RecordQuery) -> Mapping[str, Any]:
    return query_parameters(query, USUAL_KEYS, "org#x")


def test_as_many_filters_as_are_taken_fit_into_an_expression() -> None:
    listed = ",".join(map(str, range(MOST_IN_A_LIST)))
    asked = urlencode([("f", json.dumps([f"n{place}", "in", "N", listed])) for place in range(MOST_FILTERS)])
    assert len(parameters_of(read(asked))["FilterExpression"]) <= 4096


def test_columns_are_read_with_the_key_and_each_once() -> None:
    made = parameters_of(read("c=b&c=pk&c=a.b&c=b"))
    assert made["ProjectionExpression"] == "#n0, #n1, #n2, #n3"
    assert list(made["ExpressionAttributeNames"].values()) == ["pk", "sk", "b", "a.b"]


def test_filters_are_joined_as_the_query_says() -> None:
    asked = 'f=["a","exists"]&f=["b","not exists"]'
    assert " AND " in parameters_of(read(asked))["FilterExpression"]
    assert " OR " in parameters_of(read(f"{asked}&any=1"))["FilterExpression"]


def test_an_empty_filter_form_adds_nothing() -> None:
    assert read_new_filter({"fa": [""], "fo": ["="], "ft": ["S"], "fv": [""], "fw": [""]}, USUAL_KEYS) is None
