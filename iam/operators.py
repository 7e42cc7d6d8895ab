"""The condition operators: each compares one value of a request with one value of a policy.

`iam.conditions` handles keys, multivalued keys and absent keys. Follows "IAM JSON policy elements: Condition operators"
in the IAM User Guide.
"""

import base64
import binascii
import ipaddress
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

from iam.failures import UnsupportedPolicy
from iam.patterns import Test, parse_template
from iam.request import Context

Read = Callable[[str], object]
Compare = Callable[[Any, Any], bool]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

ARN_SEGMENTS = 6

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_EPOCH = re.compile(r"\d{5,}(\.\d+)?|0", re.ASCII)
_YEAR_OR_MONTH = re.compile(r"\d{4}(-\d\d)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Operand:
    """One value of a policy. `test` returns the comparison for a request, or None if a variable in it has no value."""

    test: Callable[[Context], Test | None]
    show: Callable[[Context], str]


class Compile(Protocol):
    """Makes an operand from a policy's value. `variables` is False for policies of version 2008-10-17."""

    def __call__(self, written: str, *, variables: bool) -> Operand: ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """`relation` completes the sentence "<value> is (not) ...".

    A negated operator matches if the relation does not hold.
    """

    compile: Compile
    relation: str
    negated: bool = False


def _equal(written: str, *, variables: bool) -> Operand:
    template = parse_template(written, variables=variables, wildcards=False)
    return Operand(template.test, template.show)


def _equal_ignoring_case(written: str, *, variables: bool) -> Operand:
    template = parse_template(written, variables=variables, wildcards=False)

    def test(context: Context) -> Test | None:
        literal = template.literal(context)
        return None if literal is None else lambda value: value.lower() == literal.lower()

    return Operand(test, template.show)


def _like(written: str, *, variables: bool) -> Operand:
    template = parse_template(written, variables=variables)
    return Operand(template.test, template.show)


def _arn_like(written: str, *, variables: bool) -> Operand:
    template = parse_template(written, variables=variables)
    segments = template.split(ARN_SEGMENTS - 1)
    if len(segments) != ARN_SEGMENTS or not written.startswith("arn:"):
        raise UnsupportedPolicy(f'"{written}" is not an ARN of six segments')

    def test(context: Context) -> Test | None:
        tests = [test for segment in segments if (test := segment.test(context)) is not None]
        return _segment_test(tests) if len(tests) == ARN_SEGMENTS else None

    return Operand(test, template.show)


def _segment_test(tests: list[Test]) -> Test:
    def test(value: str) -> bool:
        segments = value.split(":", ARN_SEGMENTS - 1)
        return len(segments) == ARN_SEGMENTS and all(
            test(segment) for test, segment in zip(tests, segments, strict=True)
        )

    return test


def _typed_comparison(noun: str, read_policy: Read, read_request: Read, compare: Compare) -> Compile:
    """If a request's value does not have the type, the relation does not hold. Then a negated operator matches."""

    def compile_value(written: str, *, variables: bool) -> Operand:
        if variables and "${" in written:
            raise UnsupportedPolicy(f"a policy variable is not supported where {noun} is expected: {written}")
        wanted = read_policy(written)
        if wanted is None:
            raise UnsupportedPolicy(f'"{written}" is not {noun}')
        return _constant(written, lambda value: (found := read_request(value)) is not None and compare(found, wanted))

    return compile_value


def _constant(written: str, test: Test) -> Operand:
    return Operand(lambda _context: test, lambda _context: f'"{written}"')


def _same_type_comparison(noun: str, read: Read, compare: Compare) -> Compile:
    return _typed_comparison(noun, read, read, compare)


def _read_number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


@lru_cache(maxsize=1024)
def _read_date(text: str) -> float | None:
    """Seconds since 1970 of a W3C date or of epoch seconds. None for anything else, including a time without a zone."""
    if _EPOCH.fullmatch(text):
        return float(text)
    if _YEAR_OR_MONTH.fullmatch(text):
        text = f"{text}-01-01"[:10]
    if not _DATE.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _read_bool(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def _read_binary(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None


def _read_network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _read_address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _within(address: Address, network: Network) -> bool:
    return address in network


def _ordering(prefix: str, noun: str, read: Read, words: tuple[str, str, str, str]) -> dict[str, Comparison]:
    below, at_most, above, at_least = words
    return {
        f"{prefix}Equals": Comparison(_same_type_comparison(noun, read, operator.eq), "equal to"),
        f"{prefix}NotEquals": Comparison(_same_type_comparison(noun, read, operator.eq), "equal to", negated=True),
        f"{prefix}LessThan": Comparison(_same_type_comparison(noun, read, operator.lt), below),
        f"{prefix}LessThanEquals": Comparison(_same_type_comparison(noun, read, operator.le), at_most),
        f"{prefix}GreaterThan": Comparison(_same_type_comparison(noun, read, operator.gt), above),
        f"{prefix}GreaterThanEquals": Comparison(_same_type_comparison(noun, read, operator.ge), at_least),
    }


_DATE_WORDS = ("before", "at or before", "after", "at or after")
_NUMBER_WORDS = ("less than", "at most", "greater than", "at least")
_ADDRESS = _typed_comparison("an IP address or range", _read_network, _read_address, _within)

OPERATORS: Mapping[str, Comparison] = {
    "StringEquals": Comparison(_equal, "equal to"),
    "StringNotEquals": Comparison(_equal, "equal to", negated=True),
    "StringEqualsIgnoreCase": Comparison(_equal_ignoring_case, "equal, ignoring case, to"),
    "StringNotEqualsIgnoreCase": Comparison(_equal_ignoring_case, "equal, ignoring case, to", negated=True),
    "StringLike": Comparison(_like, "like"),
    "StringNotLike": Comparison(_like, "like", negated=True),
    "ArnEquals": Comparison(_arn_like, "like"),
    "ArnNotEquals": Comparison(_arn_like, "like", negated=True),
    "ArnLike": Comparison(_arn_like, "like"),
    "ArnNotLike": Comparison(_arn_like, "like", negated=True),
    "Bool": Comparison(_same_type_comparison("true or false", _read_bool, operator.eq), "equal to"),
    "BinaryEquals": Comparison(_same_type_comparison("base64 text", _read_binary, operator.eq), "equal to"),
    "IpAddress": Comparison(_ADDRESS, "in"),
    "NotIpAddress": Comparison(_ADDRESS, "in", negated=True),
    **_ordering("Numeric", "a number", _read_number, _NUMBER_WORDS),
    **_ordering("Date", "a date", _read_date, _DATE_WORDS),
}
