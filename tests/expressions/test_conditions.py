"""Conditions hold, or do not, as DynamoDB evaluates them."""

from typing import Any

import pytest

from tests.expressions.requests import Value, condition_holds, number, text

BYTES = {"B": "aGVsbG8="}  # hello
ITEM: dict[str, Value] = {
    "a": number(5),
    "s": text("hello"),
    "b": BYTES,
    "l": {"L": [number(1), text("x"), {"L": [number(2)]}]},
    "m": {"M": {"x": number(1), "y.z": text("dot"), "deep": {"M": {"rr": {"L": [number(7)]}}}}},
    "ss": {"SS": ["x", "y"]},
    "ns": {"NS": ["1", "2.50"]},
    "bs": {"BS": ["YQ==", "Yg=="]},
    "t": {"BOOL": True},
    "n": {"NULL": True},
    "big": number("12345678901234567890123456789012345678"),
}


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("a = :v", {":v": number("5.0")}),
        ("a = :v", {":v": number("0.5e1")}),
        ("a <> :v", {":v": text("5")}),
        ("a > :v", {":v": number("4.999")}),
        (":v < a", {":v": number(4)}),
        ("big < :v", {":v": number("12345678901234567890123456789012345679")}),
        ("s > :v", {":v": text("Hello")}),
        ("b > :v", {":v": {"B": "aGVsbA=="}}),
        ("a BETWEEN :v AND :w", {":v": number(5), ":w": number("5")}),
        (":v BETWEEN a AND big", {":v": number(6)}),
        ("a IN (:v, :w)", {":v": text("5"), ":w": number(5)}),
        ("a IN (m.x, a2, l[0]) OR a = :v", {":v": number(5)}),
        ("NOT a = :v", {":v": number(6)}),
        ("NOT NOT a = :v", {":v": number(5)}),
        ("a = :v OR a = :w AND s = :w", {":v": number(5), ":w": text("no")}),
        ("(a = :v)", {":v": number(5)}),
        ("(a) = (:v)", {":v": number(5)}),
        ("a = :v AND NOT (a < :v OR a > :v)", {":v": number(5)}),
        ("ns = :v", {":v": {"NS": ["2.5", "1.0"]}}),
        ("ss = :v", {":v": {"SS": ["y", "x"]}}),
        ("bs = :v", {":v": {"BS": ["Yg==", "YQ=="]}}),
        ("l = :v", {":v": {"L": [number("1.0"), text("x"), {"L": [number("2e0")]}]}}),
        ("m.deep = :v", {":v": {"M": {"rr": {"L": [number(7)]}}}}),
        ("l[2][0] = :v", {":v": number(2)}),
        ("m.deep.rr[0] = :v", {":v": number(7)}),
        ("attribute_exists(m.deep.rr[0])", None),
        ("attribute_not_exists(m.deep.rr[1])", None),
        ("attribute_not_exists(a.x)", None),
        ("attribute_type(l, :v)", {":v": text("L")}),
        ("attribute_type(:w, :v)", {":v": text("N"), ":w": number(1)}),
        ("begins_with(s, :v)", {":v": text("he")}),
        ("begins_with(b, :v)", {":v": {"B": "aGU="}}),
        ("contains(s, :v)", {":v": text("ell")}),
        ("contains(b, :v)", {":v": {"B": "ZWxs"}}),
        ("contains(ss, :v)", {":v": text("x")}),
        ("contains(ns, :v)", {":v": number("25e-1")}),
        ("contains(bs, :v)", {":v": {"B": "YQ=="}}),
        ("contains(l, :v)", {":v": number("1.00")}),
        ("contains(l, :v)", {":v": {"L": [number(2)]}}),
        ("size(s) = :v", {":v": number(5)}),
        ("size(b) = :v AND size(l) = :w AND size(m) = :w", {":v": number(5), ":w": number(3)}),
        ("size(ss) = size(ns)", None),
        ("size(s) BETWEEN :v AND :v", {":v": number(5)}),
        # Nothing equals what is not there, and everything differs from it.
        ("aa <> bb", None),
        ("NOT aa = bb", None),
        ("aa <> a", None),
    ],
)
def test_a_condition_holds(expression: str, values: dict[str, Value] | None) -> None:
    assert condition_holds(expression, ITEM, values)


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("aa = bb", None),
        ("aa = :v", {":v": number(5)}),
        ("aa < :v", {":v": number(5)}),
        ("a = :v", {":v": text("5")}),
        ("a < :v", {":v": text("9")}),
        ("t = :v", {":v": {"BOOL": False}}),
        ("a BETWEEN :v AND :w", {":v": number(6), ":w": number(7)}),
        ("aa BETWEEN :v AND :w", {":v": number(6), ":w": number(7)}),
        ("aa IN (:v)", {":v": number(5)}),
        ("attribute_exists(aa)", None),
        ("attribute_type(aa, :v)", {":v": text("N")}),
        ("begins_with(s, :v)", {":v": {"B": "aGU="}}),
        ("begins_with(ss, :v)", {":v": text("x")}),
        ("contains(a, :v)", {":v": number(5)}),
        ("contains(s, :v)", {":v": number(5)}),
        ("contains(ss, :v)", {":v": number(1)}),
        ("contains(m, :v)", {":v": text("x")}),
        ("contains(aa, :v)", {":v": text("x")}),
        ("size(a) > :v", {":v": number(0)}),
        ("size(aa) = :v", {":v": number(0)}),
        ("l[9] = :v", {":v": number(1)}),
        ("s[0] = :v", {":v": number(1)}),
        ("ss = :v", {":v": {"SS": ["x"]}}),
        ("l = :v", {":v": {"L": []}}),
        ("m = :v", {":v": {"M": {}}}),
    ],
)
def test_a_condition_does_not_hold(expression: str, values: dict[str, Value] | None) -> None:
    assert not condition_holds(expression, ITEM, values)


@pytest.mark.parametrize(
    ("content", "size"), [("", 0), ("abc", 3), ("é", 1), ("\N{GRINNING FACE}", 2), ("a\N{GRINNING FACE}", 3)]
)
def test_the_size_of_a_text_counts_utf_16_units(content: str, size: int) -> None:
    assert condition_holds("size(a) = :v", {"a": text(content)}, {":v": number(size)})


def test_names_may_hold_anything() -> None:
    names: dict[str, Any] = {"#m": "m", "#d": "y.z"}
    assert condition_holds("#m.#d = :v", ITEM, {":v": text("dot")}, ExpressionAttributeNames=names)


def test_texts_are_ordered_by_their_bytes() -> None:
    values = {":v": text("\N{GRINNING FACE}"), ":w": text("\uffee")}
    assert condition_holds(":v > a", {"a": text("\uffee")}, {":v": values[":v"]})
    assert condition_holds("a > :w", {"a": text("\N{GRINNING FACE}")}, {":w": values[":w"]})
