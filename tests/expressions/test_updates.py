"""Updates change items as DynamoDB does, and a refused update changes nothing."""

from typing import Any

import pytest

from emulator.expressions.requests import UPDATE
from emulator.expressions.updates import creates_item
from tests.expressions.requests import Value, number, refusal_of, request, text, updated

ITEM: dict[str, Value] = {
    "a": number(5),
    "s": text("hello"),
    "l": {"L": [number(1), number(2), number(3)]},
    "m": {"M": {"x": number(1), "l": {"L": [text("p")]}}},
    "ns": {"NS": ["1", "2"]},
    "big": number("12345678901234567890123456789012345678"),
}
V = {":v": number(1)}
WRONG_TYPE = "An operand in the update expression has an incorrect data type"
BAD_PATH = "The document path provided in the update expression is invalid for update"
MISSING = "The provided expression refers to an attribute that does not exist in the item"


def numbers_of(*members: object) -> Value:
    return {"L": [number(str(member)) for member in members]}


@pytest.mark.parametrize(
    ("expression", "values", "changed"),
    [
        ("SET a = :v", V, {"a": number(1)}),
        ("SET a = a + :v", V, {"a": number(6)}),
        ("SET a = :v - a", V, {"a": number(-4)}),
        ("SET big = big - :v", V, {"big": number("12345678901234567890123456789012345677")}),
        ("SET big = big + :v", {":v": number(-1)}, {"big": number("12345678901234567890123456789012345677")}),
        ("SET a = (a + :v)", {":v": number("0.10")}, {"a": number("5.1")}),
        ("SET a = big, big = a", None, {"a": ITEM["big"], "big": number(5)}),
        ("SET z = if_not_exists(a, :v), y = if_not_exists(q, :v)", V, {"z": number(5), "y": number(1)}),
        ("SET z = if_not_exists(q, if_not_exists(a, :v))", V, {"z": number(5)}),
        ("SET l = list_append(l, :v)", {":v": numbers_of(4)}, {"l": numbers_of(1, 2, 3, 4)}),
        (
            "SET z = list_append(if_not_exists(q, :v), :w)",
            {":v": numbers_of(), ":w": numbers_of(1)},
            {"z": numbers_of(1)},
        ),
        ("SET l[1] = :v", V, {"l": numbers_of(1, 1, 3)}),
        ("SET l[9] = :v, l[7] = :w", {":v": number(9), ":w": number(7)}, {"l": numbers_of(1, 2, 3, 7, 9)}),
        ("SET l[9] = :v, l[0] = :w REMOVE l[1]", {":v": number(9), ":w": number(0)}, {"l": numbers_of(0, 3, 9)}),
        ("REMOVE l[0], l[2], l[8]", None, {"l": numbers_of(2)}),
        ("SET m.y = m.x", None, {"m": {"M": {**ITEM["m"]["M"], "y": number(1)}}}),
        ("SET m.l[0] = :v REMOVE m.x", V, {"m": {"M": {"l": numbers_of(1)}}}),
        ("REMOVE m.q", None, {}),
        ("REMOVE a, q", None, {"a": None}),
        ("ADD a :v, q :v", V, {"a": number(6), "q": number(1)}),
        ("ADD big :v", V, {"big": number("12345678901234567890123456789012345679")}),
        ("ADD ns :v", {":v": {"NS": ["2.0", "3"]}}, {"ns": {"NS": ["1", "2", "3"]}}),
        ("ADD q :v", {":v": {"SS": ["x"]}}, {"q": {"SS": ["x"]}}),
        ("DELETE ns :v", {":v": {"NS": ["1.0", "7"]}}, {"ns": {"NS": ["2"]}}),
        ("DELETE ns :v", {":v": {"NS": ["1", "2"]}}, {"ns": None}),
        ("DELETE q :v", {":v": {"NS": ["1"]}}, {}),
        ("set a = :v remove s", V, {"a": number(1), "s": None}),
    ],
)
def test_an_update_changes_the_item(expression: str, values: Any, changed: dict[str, Value | None]) -> None:
    wanted = {name: value for name, value in {**ITEM, **changed}.items() if value is not None}
    before = repr(ITEM)
    assert updated(expression, ITEM, values) == wanted
    assert repr(ITEM) == before


@pytest.mark.parametrize(
    ("expression", "values", "refusal"),
    [
        ("SET a = s + :v", V, WRONG_TYPE),
        ("SET a = :v + q", V, MISSING),
        ("SET a = q", None, MISSING),
        ("SET l = list_append(s, :v)", {":v": numbers_of(1)}, WRONG_TYPE),
        ("SET l = list_append(q, :v)", {":v": numbers_of(1)}, MISSING),
        ("SET q.x = :v", V, BAD_PATH),
        ("SET s.x = :v", V, BAD_PATH),
        ("SET l.x = :v", V, BAD_PATH),
        ("SET m[0] = :v", V, BAD_PATH),
        ("SET l[5].x = :v", V, BAD_PATH),
        ("REMOVE q.x", None, BAD_PATH),
        ("ADD s :v", V, WRONG_TYPE),
        ("ADD ns :v", V, WRONG_TYPE),
        ("DELETE a :v", {":v": {"NS": ["1"]}}, WRONG_TYPE),
        (
            "ADD big :v",
            {":v": number("0.1")},
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        # A wrong type is reported before a path, and a path before a missing attribute.
        ("SET q.x = :v, a = s + :v", V, WRONG_TYPE),
        ("SET a = q REMOVE z.x", None, BAD_PATH),
    ],
)
def test_an_update_that_cannot_be_applied_is_refused(expression: str, values: Any, refusal: str) -> None:
    assert refusal_of(updated, expression, ITEM, values) == refusal


@pytest.mark.parametrize(
    ("expression", "values", "creates"),
    [
        ("SET a = :v", V, True),
        ("ADD a :v", V, True),
        ("REMOVE a", None, False),
        ("DELETE a :v", {":v": {"SS": ["x"]}}, False),
    ],
)
def test_only_set_and_add_make_an_item(expression: str, values: Any, creates: bool) -> None:
    update = request(UPDATE, values, UpdateExpression=expression).update
    assert update is not None
    assert creates_item(update) is creates
