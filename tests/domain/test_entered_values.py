"""What people enter becomes exactly one value of DynamoDB, and back. All else is refused in the words of the form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.domain.entered_values import entered_again, entered_value, fits_a_form, item_text, read_item, text_of
from tenants.domain.errors import InvalidInput
from tenants.domain.value_limits import MAX_ITEM_BYTES, check_item, checked_number, item_size
from tenants.domain.values import AttributeValue

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12).map(
    lambda number: checked_number(str(number))
)


def _sets(members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(members, min_size=1, max_size=4, unique=True)


_SCALARS = st.one_of(
    st.fixed_dictionaries({"S": _TEXTS}),
    st.fixed_dictionaries({"N": _NUMBERS}),
    st.fixed_dictionaries({"B": st.binary(max_size=20)}),
    st.fixed_dictionaries({"BOOL": st.booleans()}),
    st.just({"NULL": True}),
    st.fixed_dictionaries({"SS": _sets(_TEXTS)}),
    st.fixed_dictionaries({"NS": _sets(_NUMBERS)}),
    st.fixed_dictionaries({"BS": _sets(st.binary(max_size=9))}),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"L": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"M": st.dictionaries(_TEXTS, inner, max_size=3)}),
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(VALUES)
def test_a_value_entered_again_untouched_stays_as_it_is(value: AttributeValue) -> None:
    ((kind, _),) = value.items()
    as_a_browser_sends_it = text_of(value).replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    assert entered_again(kind, as_a_browser_sends_it, value) == value


@settings(deadline=None)
@given(VALUES)
def test_the_text_of_a_value_is_read_as_the_same_value(value: AttributeValue) -> None:
    ((kind, _),) = value.items()
    if fits_a_form(value):
        assert entered_value(kind, text_of(value)) == value


@settings(deadline=None)
@given(st.dictionaries(_TEXTS, VALUES, max_size=4))
def test_an_item_as_json_is_read_as_the_same_item(item: dict[str, Any]) -> None:
    assert read_item(item_text(item)) == item


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("1e3", "1000"),
        (" 007.50 ", "7.5"),
        ("-0", "0"),
        ("0e999", "0"),
        ("1E-130", "0." + "0" * 129 + "1"),
        ("9" * 38, "9" * 38),
        ("1" + "0" * 125, "1" + "0" * 125),
        (".5", "0.5"),
        ("+5.", "5"),
    ],
)
def test_numbers_are_exact(text: str, stored: str) -> None:
    assert checked_number(text) == stored


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Enter a number"),
        ("1,5", "not a number"),
        ("0x1f", "not a number"),
        ("NaN", "not a number"),
        ("Infinity", "not a number"),
        ("١٢", "not a number"),
        ("1_000", "not a number"),
        ("9" * 39, "at most 38 digits; this one has 39"),
        ("1e126", "between"),
        ("1e-131", "between"),
        ("1e999999999", "between"),
        ("1e9999999999", "not a number"),
    ],
)
def test_what_is_no_number_of_dynamodb_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        checked_number(text)


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("X", "a", "Choose a type"),
        ("BOOL", "yes", "true or false"),
        ("NULL", "something", "no content"),
        ("B", "a", "not base64"),
        ("B", "ü", "not base64"),
        ("SS", "", "at least one entry"),
        ("SS", "a\r\na", "each entry once"),
        ("NS", "1\n1.0", "each entry once"),
        ("NS", "1\nx", "not a number"),
        ("BS", "AA==\nAA==", "each entry once"),
        ("SS", "[1]", "quotation marks"),
        ("L", '{"S": "a"}', "a list"),
        ("M", '{"a": "b"}', "type and its content"),
        ("M", '{"a": {"S": "b"}, "a": {"S": "c"}}', "twice"),
        ("L", '[{"N": 1}]', "quotation marks"),
        ("L", '[{"Q": "1"}]', "no type “Q”"),
        ("L", "[", "not JSON: line 1"),
        ("L", "[NaN]", "quotation marks"),
        ("L", '{"L": [' * 40, "nested at most 32"),
        ("L", '[{"L": ' * 32 + "[]" + "}]" * 32, "nested at most 32"),
    ],
)
def test_what_cannot_be_a_value_is_refused_with_the_reason(kind: str, text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        entered_value(kind, text)


def test_thirty_two_levels_are_taken() -> None:
    entered_value("L", '[{"L": ' * 31 + "[]" + "}]" * 31)
    entered_value("L", '[{"L": ' * 30 + '[{"S": "x"}]' + "}]" * 30)
    with pytest.raises(InvalidInput, match="nested at most 32"):
        entered_value("L", '[{"L": ' * 31 + '[{"S": "x"}]' + "}]" * 31)


def test_brackets_inside_a_text_are_no_levels() -> None:
    assert entered_value("L", json.dumps([{"S": "[" * 500}])) == {"L": [{"S": "[" * 500}]}


def test_an_item_of_400_kb_is_taken_and_one_byte_more_is_not() -> None:
    item = {"pk": {"S": "p"}, "sk": {"S": "s"}, "text": {"S": ""}}
    item["text"] = {"S": "x" * (MAX_ITEM_BYTES - item_size(item))}
    check_item(item)
    with pytest.raises(InvalidInput, match=r"at most 409,600 bytes.*has 409,601"):
        check_item({**item, "text": {"S": item["text"]["S"] + "x"}})


def test_a_refused_value_names_its_attribute() -> None:
    with pytest.raises(InvalidInput, match="amount: A number has at most 38") as refused:
        check_item({"amount": {"N": "9" * 39}})
    assert refused.value.attribute == "amount"


def test_an_empty_entry_of_a_set_is_kept() -> None:
    for value in ({"SS": ["", "a"]}, {"BS": [b"", b"a"]}, {"BS": [b""]}):
        (kind,) = value
        assert entered_value(kind, text_of(value)) == value
