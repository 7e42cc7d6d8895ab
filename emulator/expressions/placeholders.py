"""ExpressionAttributeNames and ExpressionAttributeValues: well formed, each defined and each used."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, TypeVar

from emulator.expressions.errors import Invalid, has_older_words
from emulator.expressions.sizes import surely_exceeds, text_size
from emulator.expressions.value_checks import normal_value
from emulator.expressions.values import Value

NAMES: Final = "ExpressionAttributeNames"
VALUES: Final = "ExpressionAttributeValues"
T = TypeVar("T")
_LONGEST_KEY, _LONGEST_NAME = 255, 65535
_LARGEST_TOTAL = 2 * 1024 * 1024
_SURELY_SHORT = _LONGEST_NAME // 4
_KEYS: Final = {NAMES: re.compile(r"#\w+", re.ASCII), VALUES: re.compile(r":\w+", re.ASCII)}


class Placeholders:
    """The names and values that a request defines. It remembers which of them the expressions use."""

    def __init__(self, names: Mapping[str, str] | None, values: Mapping[str, Value] | None) -> None:
        """Raises `Invalid` for malformed ones. Numbers in the values become canonical."""
        _check_total(names or {}, values or {})
        self._names = _checked(NAMES, names or {}, _checked_name) if names is not None else {}
        self._values = _checked(VALUES, values or {}, normal_value) if values is not None else {}
        self._used: set[str] = set()
        for slot, given in ((NAMES, names), (VALUES, values)):
            if given is not None and not given:
                raise Invalid(f"{slot} must not be empty")

    @property
    def values(self) -> Mapping[str, Value]:
        return self._values

    def name(self, part: str, slot: str) -> str:
        """The attribute's name behind `part`, which may be an alias such as #n."""
        if part[0] != "#":
            return part
        if part not in self._names:
            raise Invalid(
                f"Invalid {slot}: An expression attribute name used in the document path is not defined; "
                f"attribute name: {part}"
            )
        self._used.add(part)
        return self._names[part]

    def value(self, name: str, slot: str) -> Value:
        if name not in self._values:
            raise Invalid(
                f"Invalid {slot}: An expression attribute value used in expression is not defined; "
                f"attribute value: {name}"
            )
        self._used.add(name)
        return self._values[name]

    def check_unused(self) -> None:
        for slot, defined in ((NAMES, self._names), (VALUES, self._values)):
            unused = [key for key in defined if key not in self._used]
            if unused:
                keys = ", ".join(_java_order(unused, len(defined)))
                raise Invalid(f"Value provided in {slot} unused in expressions: keys: {{{keys}}}")


def _check_total(names: Mapping[str, object], values: Mapping[str, object]) -> None:
    """Before they are looked at one by one. AWS's text is not published."""
    texts = (*names, *values, *(name for name in names.values() if isinstance(name, str)))
    if surely_exceeds(values.values(), _LARGEST_TOTAL - sum(map(text_size, texts))):
        raise Invalid(f"{NAMES} and {VALUES} must not exceed 2 MB in total")


def _checked(slot: str, given: Mapping[str, object], check: Callable[[Any], T]) -> dict[str, T]:
    for key in given:
        size = len(key.encode("utf-8", "surrogatepass"))
        if size > _LONGEST_KEY:
            raise Invalid(
                f"{slot} contains invalid key: The expression attribute map contains a key that is too long; "
                f"size of key: {size}"
            )
        if not _KEYS[slot].fullmatch(key):
            raise Invalid(f'{slot} contains invalid key: Syntax error; key: "{key}"')
    checked = {}
    for key, value in given.items():
        try:
            checked[key] = check(value)
        except Invalid as failure:
            if slot == VALUES and not has_older_words():
                raise
            raise Invalid(f"{slot} contains invalid value: {failure} for key {key}") from failure
    return checked


def _checked_name(name: str) -> str:
    if error := attribute_name_error(name):
        raise Invalid(error)
    return name


def attribute_name_error(name: str) -> str | None:
    if not name:
        return "Empty attribute name"
    if len(name.encode("utf-8", "surrogatepass")) > _LONGEST_NAME:
        return f"Attribute name is too large, must be less than {_LONGEST_NAME + 1} bytes"
    return None


def check_attribute_names(names: Iterable[str]) -> None:
    for name in names:
        if not 0 < len(name) <= _SURELY_SHORT and (error := attribute_name_error(name)):
            raise Invalid(error)


def _java_order(keys: Collection[str], total: int) -> list[str]:
    """AWS lists keys in the order of Java's HashSet, whose size depends on all keys that were in it."""
    slots = 16
    while slots * 3 // 4 < total:
        slots *= 2
    return sorted(keys, key=lambda key: _java_slot(key, slots))


def _java_slot(key: str, slots: int) -> int:
    code = 0
    for character in key:
        code = (31 * code + ord(character)) & 0xFFFFFFFF
    return (code ^ (code >> 16)) & (slots - 1)
