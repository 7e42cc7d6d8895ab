"""Projections take paths out of an item."""

import pytest

from emulator.expressions.projections import project
from tests.expressions.requests import Item, Value, number, projected_by

ROWS: Value = {"L": [number(0), {"M": {"x": number(1), "y": number(2)}}, number(3)]}
ITEM: Item = {"a": number(5), "m": {"M": {"x": number(1), "l": ROWS}}, "l": ROWS}


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("a", {"a": number(5)}),
        ("a, q", {"a": number(5)}),
        ("q", {}),
        ("m.x", {"m": {"M": {"x": number(1)}}}),
        ("m.q", {}),
        ("a.x", {}),
        ("l[2], l[0]", {"l": {"L": [number(0), number(3)]}}),
        ("l[9]", {}),
        ("l[1].y, l[1].x", {"l": {"L": [{"M": {"x": number(1), "y": number(2)}}]}}),
        ("m.l[1].x, m.x, a", {"a": number(5), "m": {"M": {"x": number(1), "l": {"L": [{"M": {"x": number(1)}}]}}}}),
    ],
)
def test_a_projection_keeps_the_named_paths(expression: str, found: Item) -> None:
    projection = projected_by(expression).projection
    assert projection is not None
    assert project(projection, ITEM) == found
