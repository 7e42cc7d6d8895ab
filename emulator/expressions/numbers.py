"""DynamoDB's numbers: 38 significant digits, magnitudes from 1E-130 to 9.9E+125, one text for each value."""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache

from emulator.expressions.errors import Invalid, has_older_words

DIGITS = 38
_HIGHEST, _LOWEST = 125, -130
_TEXT = re.compile(r"[+-]?(?P<digits>\d+\.?\d*|\.\d+)(?:[eE](?P<exponent>[+-]?\d+))?", re.ASCII)
_PLAIN = re.compile(r"-?[1-9]\d{0,37}", re.ASCII)
_EXPONENTS = 2**63

NOT_NUMERIC = "The parameter cannot be converted to a numeric value"
OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
TOO_PRECISE = "Attempting to store more than 38 significant digits in a Number"

# Wide enough to hold the text of any number before it is checked.
_EXACT = Context(prec=400, Emax=999_999, Emin=-999_999)
_SUM = Context(prec=DIGITS, Emax=999_999, Emin=-999_999, traps=[Inexact, InvalidOperation])


def canonical(text: object) -> str:
    """The text that DynamoDB stores and returns. Raises `Invalid`."""
    if isinstance(text, str) and _PLAIN.fullmatch(text):
        return text
    return _canonical(text) if isinstance(text, str) else text_of(parse(text))


@lru_cache(maxsize=4096)
def parse(text: object) -> Decimal:
    """Raises `Invalid` for what is no number or exceeds the range."""
    match = _TEXT.fullmatch(text) if isinstance(text, str) and len(text) < 1000 else None
    if match is None or not isinstance(text, str):
        raise Invalid(NOT_NUMERIC if text == "" and has_older_words() else f"{NOT_NUMERIC}: {text}")
    exponent = int(match["exponent"] or 0)
    if not -_EXPONENTS <= exponent < _EXPONENTS:
        raise Invalid(f"{NOT_NUMERIC}: {text}")
    whole, _, fraction = match["digits"].partition(".")
    digits = (whole + fraction).lstrip("0")
    _check_range(digits, exponent - len(fraction))
    return Decimal(text) if digits else Decimal(0)


def text_of(number: Decimal) -> str:
    if not number:
        return "0"
    return format(shortest(number), "f")


def shortest(number: Decimal) -> Decimal:
    """The number without zeros at its end."""
    return _EXACT.normalize(number)


def add(left: Decimal, right: Decimal) -> Decimal:
    """Raises `Invalid` where the sum needs more than 38 digits. AWS calls that an overflow too."""
    try:
        total = _SUM.add(left, right)
    except Inexact as failure:
        raise Invalid(OVERFLOW) from failure
    if total and total.adjusted() > _HIGHEST:
        raise Invalid(OVERFLOW)
    if total and total.adjusted() < _LOWEST:
        raise Invalid(UNDERFLOW)
    return total


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    return text_of(parse(text))


def _check_range(digits: str, scale: int) -> None:
    """`digits` has no leading zeros. AWS judges a zero by the exponent that it is written with."""
    adjusted = max(len(digits), 1) + scale - 1
    if adjusted > _HIGHEST:
        raise Invalid(OVERFLOW)
    if adjusted < _LOWEST:
        raise Invalid(UNDERFLOW)
    if len(digits.rstrip("0")) > DIGITS:
        raise Invalid(TOO_PRECISE)
