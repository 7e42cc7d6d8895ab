"""DynamoDB's limits of values and items, checked before a request is sent, in the words of a form.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html (sizes)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Context, Decimal, localcontext
from typing import Any

from tenants.domain.errors import InvalidInput
from tenants.domain.values import TYPE_NAMES, AttributeValue, Item, type_and_content

MAX_ITEM_BYTES = 400 * 1024
MAX_LEVELS = 32
MAX_NAME_BYTES = 64 * 1024 - 1
MAX_DIGITS = 38
_LARGEST, _SMALLEST = 125, -130
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,9})?", re.ASCII)
# Enough for every text of a number that a request can hold; the limits are checked afterwards.
_EXACT = Context(prec=MAX_ITEM_BYTES, Emin=-(10**17), Emax=10**17)
_CONTAINER_BYTES, _ELEMENT_BYTES = 3, 1


def checked_number(text: str) -> str:
    """The number as DynamoDB stores it: no exponent, no zeros that mean nothing. Raises InvalidInput."""
    stripped = text.strip()
    if not _NUMBER.fullmatch(stripped):
        raise InvalidInput(f"“{_short(stripped)}” is not a number." if stripped else "Enter a number.")
    with localcontext(_EXACT):
        number = Decimal(stripped)
        if not number:
            return "0"
        _check_magnitude(number)
        return _plain(number)


def _check_magnitude(number: Decimal) -> None:
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    if len(digits) > MAX_DIGITS:
        raise InvalidInput(f"A number has at most {MAX_DIGITS} digits; this one has {len(digits)}.")
    if not _SMALLEST <= number.adjusted() <= _LARGEST:
        raise InvalidInput(f"A number is between 1E{_SMALLEST} and 9.9…E+{_LARGEST}, or the same below zero, or 0.")


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def check_item(item: Item) -> None:
    """Raises InvalidInput for the first value or name that DynamoDB would refuse, and names its attribute.

    Keys are checked by `tenants.domain.keys`.
    """
    for name, value in item.items():
        try:
            check_name(name)
            check_value(value)
        except InvalidInput as error:
            raise InvalidInput(f"{_short(name) or 'An attribute'}: {error}", attribute=name) from error
    size = item_size(item)
    if size > MAX_ITEM_BYTES:
        raise InvalidInput(
            f"A record has at most {MAX_ITEM_BYTES:,} bytes, names included; this one has {size:,}.", field="record"
        )


def check_name(name: str) -> None:
    """Of an attribute, not of an entry of a map, which may have any name. Raises InvalidInput."""
    if not name:
        raise InvalidInput("An attribute needs a name.")
    size = _text_size(name)
    if size > MAX_NAME_BYTES:
        raise InvalidInput(f"A name has at most {MAX_NAME_BYTES:,} bytes; this one has {size:,}.")


def check_value(value: AttributeValue) -> None:
    """Raises InvalidInput."""
    for level, part in _walk(value, 1):
        if level > MAX_LEVELS:
            raise InvalidInput(f"Values are nested at most {MAX_LEVELS} levels deep.")
        kind, content = type_and_content(part)
        if kind == "N":
            checked_number(content)
        elif kind in {"SS", "NS", "BS"}:
            _check_set(kind, content)


def _check_set(kind: str, members: Sequence[Any]) -> None:
    if not members:
        raise InvalidInput(f"A {TYPE_NAMES[kind]} has at least one entry.")
    same = [checked_number(member) for member in members] if kind == "NS" else list(members)
    if len(set(same)) < len(same):
        raise InvalidInput(f"A {TYPE_NAMES[kind]} holds each entry once.")


def _walk(value: AttributeValue, level: int) -> Iterator[tuple[int, AttributeValue]]:
    """Each value with its level; a value that is not nested has level 1. Goes one level too deep at most."""
    kind, content = type_and_content(value)
    yield level, value
    if kind in {"L", "M"} and level <= MAX_LEVELS:
        for part in content.values() if kind == "M" else content:
            yield from _walk(part, level + 1)


# ── Sizes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def item_size(item: Item) -> int:
    """Bytes, as DynamoDB counts them towards 400 KB and towards capacity."""
    return sum(_text_size(name) + value_size(value) for name, value in item.items())


def value_size(value: AttributeValue) -> int:
    kind, content = type_and_content(value)
    match kind:
        case "S":
            return _text_size(content)
        case "N":
            return _number_size(content)
        case "B":
            return len(content)
        case "SS":
            return sum(map(_text_size, content))
        case "NS":
            return sum(map(_number_size, content))
        case "BS":
            return sum(map(len, content))
        case "L":
            return _CONTAINER_BYTES + sum(_ELEMENT_BYTES + value_size(part) for part in content)
        case "M":
            parts = content.items()
            return _CONTAINER_BYTES + sum(_ELEMENT_BYTES + _text_size(name) + value_size(part) for name, part in parts)
        case _:
            return 1


def _text_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _number_size(text: str) -> int:
    """Two digits a byte, aligned at the decimal point, and one byte more; another one for a minus sign."""
    with localcontext(_EXACT):
        sign, digits, exponent = Decimal(text).normalize().as_tuple()
    if not any(digits):
        return 1
    count = len(digits) + int(exponent) % 2
    return 1 + (count + 1) // 2 + sign


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
