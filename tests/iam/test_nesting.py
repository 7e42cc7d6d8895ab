"""How deep JSON is nested: counted from the text alone, the same on every Python."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam.nesting import TooDeep, check_nesting

JSON = st.recursive(
    st.none() | st.integers() | st.text('[]{}"\\,a'),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text('[]{}"\\,a'), parts, max_size=3),
    max_leaves=12,
)


def depth_of(value: object) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if parts is None else 1 + max(map(depth_of, parts), default=0)


@given(JSON)
def test_exactly_the_levels_of_a_value_are_counted(value: object) -> None:
    text, depth = json.dumps(value), depth_of(value)
    check_nesting(text, deepest=depth)
    if depth:
        with pytest.raises(TooDeep):
            check_nesting(text, deepest=depth - 1)


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a":' * 200_000, '[{"a":' * 50 + "]" * 10, '"\\' + "[" * 900 + '"[[[']
)
def test_what_is_not_json_is_counted_too(text: str) -> None:
    with pytest.raises(TooDeep, match="nested more than 2 levels deep"):
        check_nesting(text, deepest=2)


@pytest.mark.parametrize("text", ['"' + "[" * 900, '"\\"' + "[" * 900 + '"', "[]" * 900, "]" * 900, '"\\' * 200_000])
def test_brackets_in_a_text_or_side_by_side_are_not_nested(text: str) -> None:
    check_nesting(text, deepest=2)
