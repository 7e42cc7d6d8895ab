"""Numbers have 38 digits, a range, and one text for each value."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from emulator.expressions import numbers
from emulator.expressions.errors import Invalid
from emulator.expressions.sizes import number_size
from tests.expressions.requests import refusal_of

NINES = "9" * 38


@pytest.mark.parametrize(
    ("given_text", "canonical"),
    [
        ("1000", "1000"),
        ("1e3", "1000"),
        ("1E+3", "1000"),
        ("1000.000", "1000"),
        ("+3", "3"),
        (".5", "0.5"),
        ("5.", "5"),
        ("0001.2300", "1.23"),
        ("-0", "0"),
        ("0e10", "0"),
        ("0.0e126", "0"),
        ("-1.50e-2", "-0.015"),
        ("1e-130", "0." + "0" * 129 + "1"),
        ("9.9e125", "99" + "0" * 124),
        (NINES, NINES),
        (f"{NINES}e10", NINES + "0" * 10),
        (f"0.{NINES}00", f"0.{NINES}"),
    ],
)
def test_a_number_has_one_text(given_text: str, canonical: str) -> None:
    assert numbers.canonical(given_text) == canonical
    assert numbers.canonical(canonical) == canonical


@pytest.mark.parametrize(
    ("given_text", "refusal"),
    [
        ("", f"{numbers.NOT_NUMERIC}: "),
        *(
            (wrong, f"{numbers.NOT_NUMERIC}: {wrong}")
            for wrong in ("dog", "1 ", " 1", "1_0", "NaN", "Infinity", "1e", "0x1")
        ),
        ("٣", f"{numbers.NOT_NUMERIC}: ٣"),
        ("1e126", numbers.OVERFLOW),
        ("-11e125", numbers.OVERFLOW),
        ("0e126", numbers.OVERFLOW),
        ("1e100000000", numbers.OVERFLOW),
        ("1e-131", numbers.UNDERFLOW),
        ("0.9e-130", numbers.UNDERFLOW),
        ("1" + NINES, numbers.TOO_PRECISE),
        (f"1.{NINES}", numbers.TOO_PRECISE),
        ("1e99999999999999999999", f"{numbers.NOT_NUMERIC}: 1e99999999999999999999"),
    ],
)
def test_what_is_no_number_is_refused(given_text: str, refusal: str) -> None:
    assert refusal_of(numbers.canonical, given_text) == refusal


@pytest.mark.parametrize(
    ("left", "right", "total"),
    [
        ("1", "1" + "0" * 37, "1" + "0" * 36 + "1"),
        ("0.1", "0.2", "0.3"),
        ("9e125", "9e124", "99" + "0" * 124),
        ("1e-130", "-1e-130", "0"),
        (NINES, "1", "1" + "0" * 38),
    ],
)
def test_sums_are_exact(left: str, right: str, total: str) -> None:
    assert numbers.text_of(numbers.add(numbers.parse(left), numbers.parse(right))) == total


@pytest.mark.parametrize(("left", "right"), [("9e125", "9e125"), ("1e50", "1"), (NINES, "0.1")])
def test_sums_that_need_more_digits_overflow(left: str, right: str) -> None:
    assert refusal_of(numbers.add, numbers.parse(left), numbers.parse(right)) == numbers.OVERFLOW


@given(some.decimals(allow_nan=False, allow_infinity=False))
def test_canonical_texts_keep_the_value(number: Decimal) -> None:
    try:
        canonical = numbers.canonical(str(number))
    except Invalid:
        return
    assert Decimal(canonical) == number
    assert "E" not in canonical
    assert numbers.canonical(str(number.normalize())) == canonical or len(number.as_tuple().digits) > 28


@pytest.mark.parametrize(
    ("given_text", "size"), [("0", 1), ("1", 2), ("12", 2), ("123", 3), ("-1", 3), ("1e10", 2), ("0.1", 2), (NINES, 20)]
)
def test_the_size_of_a_number_counts_two_digits_a_byte(given_text: str, size: int) -> None:
    assert number_size(given_text) == size
