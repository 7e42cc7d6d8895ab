"""Every DynamoDB type is shown without loss."""

import pytest

from portal.demo.cast import ACME_OWNER, rows_written_by
from tenants.domain.values import TYPE_NAMES, as_json, show, summary

EVERY_TYPE = next(row for row in rows_written_by(ACME_OWNER) if row["sk"] == {"S": "every-type"})


def test_the_demo_has_a_value_of_every_type() -> None:
    assert {kind for value in EVERY_TYPE.values() for kind in value} == set(TYPE_NAMES)


@pytest.mark.parametrize("name", [name for name in EVERY_TYPE if name not in {"pk", "sk"}])
def test_every_type_has_a_full_and_a_brief_form(name: str) -> None:
    value = EVERY_TYPE[name]
    assert show(value).kind in value
    assert isinstance(summary(value), str)


def test_numbers_are_shown_as_written_not_as_floats() -> None:
    assert show({"N": "12345678901234567890123.456"}).text == "12345678901234567890123.456"


def test_nested_values_keep_their_names_and_order() -> None:
    shown = show({"M": {"z": {"L": [{"S": "a"}, {"N": "1"}]}, "a": {"NULL": True}}})
    assert [name for name, _ in shown.parts] == ["z", "a"]
    assert [(place, part.text) for place, part in shown.parts[0][1].parts] == [("0", "a"), ("1", "1")]


def test_an_empty_text_is_marked_as_empty() -> None:
    assert show({"S": ""}).note == "empty"


def test_a_long_text_is_cut_in_a_table_and_whole_on_its_page() -> None:
    value = {"S": "x" * 500}
    assert len(summary(value)) == 80
    assert show(value).text == "x" * 500


def test_binary_becomes_base64_again_in_raw_json() -> None:
    assert as_json({"L": [{"B": b"\x00"}, {"BS": [b"\xff"]}]}) == {"L": [{"B": "AA=="}, {"BS": ["/w=="]}]}


@pytest.mark.parametrize("value", [{}, {"S": "a", "N": "1"}, {"X": "?"}])
def test_a_value_without_exactly_one_known_type_is_refused(value: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"exactly one type|unknown attribute type"):
        show(value)
