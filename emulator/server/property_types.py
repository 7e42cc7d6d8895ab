"""Checks the types of a template's properties, as AWS does by its resource schemas.

CloudFormation reads "true" as true and "5" as a number. A list in place of a text is refused, and so is a name that
AWS does not have.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from emulator.server.property_shapes import SHAPES
from emulator.server.served_settings import Either, Unknown

_TOKEN = re.compile(r"[\[\]{}<>]|[^\s\[\]{}<>]+")
_NUMBERS = {"int": re.compile(r"[+-]?\d+", re.ASCII), "number": re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)}
_TYPES = {"int": "Integer", "number": "Number", "bool": "Boolean"}
_FOUND = {bool: "Boolean", int: "Integer", float: "Number", list: "JSONArray", dict: "JSONObject"}


@dataclass(frozen=True, slots=True)
class Shape:
    """`kind` is "object", "list", "map", a scalar's kind, or texts separated by "|"."""

    kind: str
    members: Mapping[str, "Shape"] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    item: "Shape | None" = None


_ANY = Shape("any")


def type_problems(kind: str, properties: Mapping[str, object]) -> list[str]:
    """What AWS says of each property of the wrong type. Parts that are known only later are not checked."""
    return list(_problems(shape_of(kind), properties, "#"))


def with_types(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties with AWS's types: a boolean or a number may be written as a text, and the other way round."""
    typed: dict[str, Any] = _typed(shape_of(kind), properties)
    return typed


def _typed(shape: Shape, value: Any) -> Any:
    if isinstance(value, Either) or shape.kind == "any":
        return value
    if isinstance(value, Mapping):
        parts = {name: shape.item or shape.members.get(name, _ANY) for name in value}
        return {name: _typed(parts[name], part) for name, part in value.items()}
    if isinstance(value, list):
        return [_typed(shape.item or _ANY, part) for part in value]
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if shape.kind == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if shape.kind in _NUMBERS and _NUMBERS[shape.kind].fullmatch(text):
        return float(text) if "." in text else int(text)
    is_text = shape.kind not in ("bool", *_NUMBERS)
    return text if is_text and isinstance(value, (bool, int, float)) else value


@cache
def shape_of(kind: str) -> Shape:
    return _read_object(iter(_TOKEN.findall(f"{SHAPES[kind]} }}")))


def _read(tokens: Iterator[str]) -> Shape:
    sign = next(tokens)
    if sign == "{":
        return _read_object(tokens)
    if sign not in "[<":
        return Shape(sign)
    item = _read(tokens)
    next(tokens)
    return Shape("list" if sign == "[" else "map", item=item)


def _read_object(tokens: Iterator[str]) -> Shape:
    members, required = {}, set()
    while (name := next(tokens)) != "}":
        if name.endswith("!"):
            required.add(name[:-1])
        members[name.removesuffix("!")] = _read(tokens)
    return Shape("object", members, frozenset(required))


def _problems(shape: Shape, value: object, place: str) -> Iterator[str]:
    if isinstance(value, Either):
        for branch in value:
            yield from _problems(shape, branch, place)
    elif isinstance(value, Unknown) or value is None or shape.kind == "any":
        return
    elif shape.kind == "object":
        yield from _object_problems(shape, value, place)
    elif shape.kind == "map":
        yield from _part_problems(shape, value, place, dict)
    elif shape.kind == "list":
        yield from _part_problems(shape, value, place, list)
    else:
        yield from _scalar_problems(shape.kind, value, place)


def _object_problems(shape: Shape, value: object, place: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield _mismatch(place, "JSONObject", value)
        return
    for name in sorted(shape.required - {name for name, part in value.items() if part is not None}):
        yield f"{place}: required key [{name}] not found"
    for name, part in value.items():
        if name in shape.members:
            yield from _problems(shape.members[name], part, f"{place}/{name}")
        elif part not in (None, "", [], {}):
            yield f"{place}: extraneous key [{name}] is not permitted"


def _part_problems(shape: Shape, value: object, place: str, wanted: type) -> Iterator[str]:
    if not isinstance(value, wanted) or shape.item is None:
        yield _mismatch(place, _FOUND[wanted], value)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _problems(shape.item, part, f"{place}/{number}")
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _problems(shape.item, part, f"{place}/{name}")


def _scalar_problems(kind: str, value: object, place: str) -> Iterator[str]:
    if isinstance(value, (list, Mapping)):
        yield _mismatch(place, _TYPES.get(kind, "String"), value)
    elif kind == "bool":
        if str(value).lower() not in ("true", "false"):
            yield _mismatch(place, "Boolean", value)
    elif kind in _NUMBERS:
        if isinstance(value, bool) or not _NUMBERS[kind].fullmatch(str(value)):
            yield _mismatch(place, _TYPES[kind], value)
    elif kind != "text" and str(value) not in kind.split("|"):
        yield f"{place}: {value} is not a valid enum value, only {', '.join(kind.split('|'))}"


def _mismatch(place: str, wanted: str, value: object) -> str:
    return f"{place}: expected type: {wanted}, found: {_FOUND.get(type(value), 'String')}"
