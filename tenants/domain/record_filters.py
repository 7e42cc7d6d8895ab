"""Filters by attribute: from an address or a form, to a part of a FilterExpression.

Only what DynamoDB accepts gets through, so that a person reads about a problem in the words of the form. See
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tenants.domain.entered_values import entered_value
from tenants.domain.errors import InvalidInput
from tenants.domain.keys import KeyNames
from tenants.domain.value_limits import check_name
from tenants.domain.values import TYPE_NAMES, AttributeValue

# An expression has at most 4 KB. This many filters with this many values each stay below.
MOST_FILTERS = 10
MOST_IN_A_LIST = 50

_SIZES = {f"size {sign}": f"size {words}" for sign, words in (
    ("=", "is"), ("<>", "is not"), ("<", "is less than"), ("<=", "is at most"), (">", "is more than"),
    (">=", "is at least"),
)}  # fmt: skip
# As they are written in an address, and as they are read.
FILTER_OPERATORS: Mapping[str, str] = {
    "=": "is",
    "<>": "is not",
    "<": "is less than",
    "<=": "is at most",
    ">": "is more than",
    ">=": "is at least",
    "between": "is between",
    "in": "is one of",
    "begins with": "begins with",
    "contains": "contains",
    "not contains": "does not contain",
    "exists": "exists",
    "not exists": "does not exist",
    "type is": "is of the type",
    **_SIZES,
}
_ORDERED = ("S", "N", "B")
_TYPES_OF: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("=", "<>", "type is"), tuple(TYPE_NAMES)),
    **dict.fromkeys(("<", "<=", ">", ">=", "between", "in", "contains", "not contains"), _ORDERED),
    "begins with": ("S", "B"),
}
# What an attribute that holds several is searched for.
_ENTRIES = {"SS": "S", "NS": "N", "BS": "B", "L": "S", "M": "S"}
_WITHOUT_VALUE = {"exists", "not exists", "type is"}


@dataclass(slots=True)
class Placeholders:
    """Names and values of an expression. Any name can stand there, reserved words and dots included."""

    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, AttributeValue] = field(default_factory=dict)
    _known: dict[str, str] = field(default_factory=dict)

    def name(self, attribute: str) -> str:
        if attribute not in self._known:
            self._known[attribute] = f"#n{len(self._known)}"
            self.names[self._known[attribute]] = attribute
        return self._known[attribute]

    def value(self, value: AttributeValue) -> str:
        placeholder = f":v{len(self.values)}"
        self.values[placeholder] = value
        return placeholder


@dataclass(frozen=True, slots=True)
class Filter:
    """`kind` is a type of DynamoDB where the operator needs one. The texts are as `entered_value` reads them."""

    attribute: str
    operator: str
    kind: str = ""
    text: str = ""
    text_to: str = ""

    @property
    def words(self) -> str:
        """What follows the attribute's name, for a person."""
        said = FILTER_OPERATORS[self.operator]
        if self.operator == "type is":
            return f"{said} {TYPE_NAMES[self.kind]}"
        if self.operator in _WITHOUT_VALUE:
            return said
        if self.operator == "between":
            return f"{said} {_quoted(self.kind, self.text)} and {_quoted(self.kind, self.text_to)}"
        return f"{said} {_quoted(self.kind, self.text)}"

    def as_text(self) -> str:
        """The filter in an address."""
        parts = [self.attribute, self.operator, self.kind, self.text]
        return json.dumps([*parts, self.text_to] if self.text_to else parts, ensure_ascii=False, separators=(",", ":"))

    def expression(self, into: Placeholders) -> str:
        name, values = into.name(self.attribute), [into.value(value) for value in self.values()]
        match self.operator:
            case "between":
                return f"{name} BETWEEN {values[0]} AND {values[1]}"
            case "in":
                return f"{name} IN ({', '.join(values)})"
            case "exists":
                return f"attribute_exists({name})"
            case "not exists":
                return f"attribute_not_exists({name})"
            case "type is":
                return f"attribute_type({name}, {values[0]})"
            case "begins with":
                return f"begins_with({name}, {values[0]})"
            case "contains":
                return f"contains({name}, {values[0]})"
            case "not contains":
                return f"NOT contains({name}, {values[0]})"
            case _:
                sized = self.operator.removeprefix("size ")
                return f"size({name}) {sized} {values[0]}" if self.operator in _SIZES else f"{name} {sized} {values[0]}"

    def values(self) -> Sequence[AttributeValue]:
        """Raises InvalidInput, with the form's field."""
        match self.operator:
            case "exists" | "not exists":
                return ()
            case "type is":
                return ({"S": self.kind},)
            case "between":
                return self._range()
            case "in":
                return [self._value(text, "fv") for text in _listed(self.text)]
            case _ if self.operator in _SIZES:
                return (self._size(),)
            case _:
                return (self._value(self.text, "fv"),)

    def _value(self, text: str, name: str, *, kind: str = "") -> AttributeValue:
        try:
            return entered_value(kind or self.kind, text)
        except InvalidInput as error:
            raise InvalidInput(f"{_short(self.attribute)}: {error}", field=name) from error

    def _range(self) -> Sequence[AttributeValue]:
        low, high = self._value(self.text, "fv"), self._value(self.text_to, "fw")
        if _in_order(low) > _in_order(high):
            raise InvalidInput(f"{_short(self.attribute)}: the first value is larger than the second.", field="fv")
        return low, high

    def _size(self) -> AttributeValue:
        if not (self.text.strip().isascii() and self.text.strip().isdigit()):
            raise InvalidInput(f"{_short(self.attribute)}: enter a size as a whole number.", field="fv")
        return self._value(self.text, "fv", kind="N")


def checked_filter(parts: Sequence[str], keys: KeyNames) -> Filter:
    """The filter without what its operator does not use. Raises InvalidInput, with the form's field."""
    attribute, operator, kind, text, text_to = parts
    for part, name in zip(parts, ("fa", "fo", "ft", "fv", "fw"), strict=True):
        _check_text(part, name)
    try:
        check_name(attribute)
    except InvalidInput as error:
        raise InvalidInput("Name the attribute to filter by." if not attribute else str(error), field="fa") from error
    if attribute in {*keys}:
        raise InvalidInput(
            f"“{attribute}” is a part of the key, and DynamoDB does not filter by keys. Search by the key above.",
            field="fa",
        )
    if operator not in FILTER_OPERATORS:
        raise InvalidInput("Choose how to compare.", field="fo")
    types = _TYPES_OF.get(operator, ())
    if types and kind not in types:
        raise InvalidInput(_wrong_type(operator, kind, types), field="ft")
    made = Filter(
        attribute,
        operator,
        kind if types else "",
        "" if operator in _WITHOUT_VALUE else text,
        text_to if operator == "between" else "",
    )
    made.values()
    return made


def kind_for(operator: str, kind: str) -> str:
    """The type of a value to compare with, for an attribute of this type."""
    return _ENTRIES.get(kind, kind) if operator in {"contains", "not contains"} else kind


def read_filter(text: str, keys: KeyNames) -> Filter:
    """A filter of an address. Raises InvalidInput."""
    wrong = InvalidInput("This address has a filter that cannot be read. Remove it and add it again.", field="f")
    try:
        parts: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise wrong from error
    if not isinstance(parts, list) or not 2 <= len(parts) <= 5 or not all(isinstance(part, str) for part in parts):
        raise wrong
    return checked_filter([*parts, *[""] * (5 - len(parts))], keys)


def _wrong_type(operator: str, kind: str, types: Sequence[str]) -> str:
    if kind not in TYPE_NAMES:
        return "Choose a type."
    names = ", ".join(TYPE_NAMES[one] for one in types)
    return f"“{FILTER_OPERATORS[operator]}” takes {names}, and not {TYPE_NAMES[kind]}."


def _listed(text: str) -> Sequence[str]:
    found = _from_json(text) if text.lstrip().startswith("[") else [part.strip() for part in text.split(",")]
    entries = list(dict.fromkeys(found)) if text.strip() else []
    if not 0 < len(entries) <= MOST_IN_A_LIST:
        raise InvalidInput(f"Enter 1 to {MOST_IN_A_LIST} values with commas between them.", field="fv")
    return entries


def _from_json(text: str) -> Sequence[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise InvalidInput('Enter values with commas between them, or a JSON array such as ["a, b", "c"].', field="fv")
    for one in found:
        _check_text(one, "fv")
    return found


def _in_order(value: AttributeValue) -> Any:
    ((kind, content),) = value.items()
    return _ORDER[kind](content)


def _check_text(text: str, name: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("This is not valid text.", field=name) from error


def _quoted(kind: str, text: str) -> str:
    return _short(text) if kind not in {"S", "B"} else f"“{_short(text)}”"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


_ORDER: Mapping[str, Callable[[Any], Any]] = {"S": str.encode, "N": Decimal, "B": bytes}
