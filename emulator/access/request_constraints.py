"""Checks what is required, lengths, patterns, ranges and possible values of a request, by AWS's own service models.

AWS names every violation in one message. Of Cognito's, the words for a list of texts are known from its answers; those
for the place of a value in a list of objects are inferred.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from emulator.access.service_model import model_of
from emulator.wire import AwsError

Shape = Mapping[str, Any]

_CODES = {"cognito-idp": "InvalidParameterException", "cognito-identity": "ValidationException"}

# Some patterns take time that grows with the square of the length, and not every shape has a longest length.
_LONGEST_COMPARED = 20_000
# Python's patterns have no Unicode categories. So a text is compared with one character for each of them.
_VISIBLE, _SEPARATOR, _OTHER = "\ue000", "\ue001", "\ue002"
_CATEGORIES = {
    r"\p{L}\p{Z}\p{N}": rf"A-Za-z0-9 {_VISIBLE}{_SEPARATOR}",
    r"\p{L}\p{M}\p{S}\p{N}\p{P}": rf"\x21-\x7e{_VISIBLE}",
    r"\p{Z}": rf" {_SEPARATOR}",
}


def check_constraints(service: str, operation: str, data: Mapping[str, Any]) -> None:
    """Checks a request to Cognito. Raises `AwsError`.

    The types have been checked already. An operation without a model is not checked.
    """
    model = model_of(service)
    described = model["operations"].get(operation)
    found = list(Checker(model["shapes"]).violations(described["input"]["shape"], data)) if described else []
    if found:
        raise AwsError(_CODES[service], report(found))


def report(violations: Sequence[str]) -> str:
    return f"{len(violations)} validation error{'s' * (len(violations) > 1)} detected: {'; '.join(violations)}"


def violation(value: str | None, place: str, constraint: str, *, secret: bool = False) -> str:
    shown = "" if secret else " null" if value is None else f" '{value}'"
    return f"Value{shown} at '{place}' failed to satisfy constraint: {constraint}"


def small_first_letter(name: str) -> str:
    return name[:1].lower() + name[1:]


def _show(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


@dataclass(frozen=True, slots=True)
class Checker:
    """Compares values with the shapes of a service model. The defaults are Cognito's way."""

    shapes: Mapping[str, Shape]
    step: Callable[[str], str] = small_first_letter  # a member's name as a part of a place
    show: Callable[[Any], str] = _show
    measure: Callable[[Any], int] = len
    in_model_order: bool = False  # otherwise what is missing comes first, then the request's own order
    both_limits: bool = False  # of the texts in a list, otherwise the one that the first wrong text violates
    empty_fits: bool = False  # every pattern
    is_part: bool = False  # what is missing may be there

    def violations(self, name: str, value: Any, place: str = "") -> Iterator[str]:
        """`name` is that of the value's shape."""
        shape = self.shapes[name]
        if shape["type"] == "structure":
            yield from self._in_structure(shape, value, place)
            return
        texts = list(self._constraints(shape, value))
        match shape["type"]:
            case "list" if self._is_scalar(shape["member"]):
                texts += self._of_parts("Member", shape["member"], value)
            case "map":
                texts += self._of_parts("Map keys", shape["key"], value.keys())
                texts += self._of_parts("Map value", shape["value"], value.values())
        for text in texts:
            yield violation(self.show(value), place, text, secret=self._is_secret(shape))
        if shape["type"] == "list" and not self._is_scalar(shape["member"]):
            for number, part in enumerate(value, 1):
                yield from self.violations(shape["member"]["shape"], part, f"{place}.{number}.member")

    def _in_structure(self, shape: Shape, value: Mapping[str, Any], place: str) -> Iterator[str]:
        required = shape.get("required", ())
        missing = (member for member in required if member not in value)
        for member in shape["members"] if self.in_model_order else (*missing, *value):
            below = f"{place}.{self.step(member)}" if place else self.step(member)
            if value.get(member) is not None:
                yield from self.violations(shape["members"][member]["shape"], value[member], below)
            elif member in required and not self.is_part:
                yield violation(None, below, "Member must not be null")

    def _of_parts(self, what: str, entry: Shape, parts: Iterable[Any]) -> Iterator[str]:
        inner = self.shapes[entry["shape"]]
        texts = (text for part in parts for text in self._constraints(inner, part))
        if self._is_scalar(entry) and (text := next(texts, "")):
            if self.both_limits:
                text = f"{_at_most('length', inner['max'])}, {_at_least('length', inner['min'])}"
            yield f"{what} must satisfy constraint: [{text}]"

    def _constraints(self, shape: Shape, value: Any) -> Iterator[str]:
        least, most = shape.get("min"), shape.get("max")
        sized = not isinstance(value, (int, float))
        measured, what = (self.measure(value), "length") if sized else (value, "value")
        if least is not None and measured < least:
            yield _at_least(what, least)
        if most is not None and measured > most:
            yield _at_most(what, most)
        if "enum" in shape and value not in shape["enum"]:
            yield f"Member must satisfy enum value set: [{', '.join(shape['enum'])}]"
        is_compared = most is None or measured <= max(most, _LONGEST_COMPARED)
        if "pattern" in shape and is_compared and not self._fits(shape["pattern"], value):
            yield f"Member must satisfy regular expression pattern: {shape['pattern']}"

    def _fits(self, pattern: str, value: str) -> bool:
        if len(value) > _LONGEST_COMPARED:
            return False
        compared = _by_category(value) if r"\p" in pattern else value
        return (self.empty_fits and not value) or bool(_pattern(pattern).fullmatch(compared))

    def _is_secret(self, shape: Shape) -> bool:
        """A list or a map is one too if its parts are."""
        parts = (shape[entry]["shape"] for entry in ("member", "key", "value") if entry in shape)
        return bool(shape.get("sensitive") or any(self.shapes[part].get("sensitive") for part in parts))

    def _is_scalar(self, entry: Shape) -> bool:
        return self.shapes[entry["shape"]]["type"] not in ("structure", "list", "map")


def _at_least(what: str, limit: int) -> str:
    return f"Member must have {what} greater than or equal to {limit}"


def _at_most(what: str, limit: int) -> str:
    return f"Member must have {what} less than or equal to {limit}"


@cache
def _pattern(text: str) -> re.Pattern[str]:
    for category, characters in _CATEGORIES.items():
        text = text.replace(category, characters)
    return re.compile(text, re.ASCII)


def _by_category(value: str) -> str:
    return value if value.isascii() else "".join(_category(character) for character in value)


def _category(character: str) -> str:
    if character.isascii():
        return character
    kind = unicodedata.category(character)[0]
    return _SEPARATOR if kind == "Z" else _OTHER if kind == "C" else _VISIBLE
