"""Checks values as the API spells them, and brings their numbers to canonical form."""

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from emulator.expressions import numbers
from emulator.expressions.errors import Invalid, has_older_words, invalid_parameter
from emulator.expressions.values import Item, Value

_EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
SEVERAL = "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
NESTING = (
    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
)
_DEEPEST = 32


class Unreadable(Exception):
    """The JSON holds another type than the API's model; AWS answers with SerializationException."""


def normal_item(item: Item) -> dict[str, Value]:
    return {name: normal_value(value) for name, value in item.items()}


def normal_value(value: object, level: int = 1) -> Value:
    """Returns the value with canonical numbers. Raises `Invalid`, or `Unreadable` for a wrong JSON type."""
    if not isinstance(value, dict):
        raise Unreadable("Unexpected value type in payload")
    if len(value) == 1 and level <= _DEEPEST and _is_plain(value):
        return value
    given = {kind: content for kind, content in value.items() if content is not None}
    if not given.keys() & _NORMAL.keys():
        raise Invalid(_EMPTY)
    if level > _DEEPEST:
        raise Invalid(NESTING)
    normal = {kind: _NORMAL[kind](content, level) for kind, content in given.items() if kind in _NORMAL}
    if len(normal) > 1:
        raise Invalid(SEVERAL)
    return normal


def _is_plain(value: dict[str, Any]) -> bool:
    """Most values are texts or constants, and normal as they are."""
    ((kind, content),) = value.items()
    return isinstance(content, str) if kind == "S" else content is True and kind in ("NULL", "BOOL")


def _text(content: object, _level: int) -> str:
    if not isinstance(content, str):
        raise Unreadable(f"{_JSON_TYPES.get(type(content), 'COLLECTION')} cannot be converted to String")
    return content


def _number(content: object, _level: int) -> str:
    return numbers.canonical(_text(content, 0))


def _binary(content: object, _level: int) -> str:
    text = _text(content, 0)
    if len(text) % 4:
        raise Unreadable(f"Base64 encoded length is expected a multiple of 4 bytes but found: {len(text)}")
    try:
        content = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as failure:
        raise Unreadable("Invalid last non-pad Base64 character dectected") from failure
    if b64encode(content).decode() != text:
        raise Unreadable("Invalid last non-pad Base64 character dectected")
    return text


def _boolean(content: object, _level: int) -> bool:
    if not isinstance(content, bool):
        raise Unreadable("Unexpected token received from parser")
    return content


def _null(content: object, _level: int) -> bool:
    if not _boolean(content, 0):
        raise invalid_parameter("Null attribute value types must have the value of true")
    return True


def _list(content: object, level: int) -> list[Value]:
    return [normal_value(member, level + 1) for member in _members(content)]


def _map(content: object, level: int) -> dict[str, Value]:
    if not isinstance(content, dict):
        raise Unreadable("Unexpected field type")
    return {name: normal_value(member, level + 1) for name, member in content.items()}


def _text_set(content: object, _level: int) -> list[str]:
    members = _set(content, _text, "An string set  may not be empty")
    _refuse_duplicates(members, members, "", ", ")
    return members


def _number_set(content: object, _level: int) -> list[str]:
    members = _set(content, _number, "An number set  may not be empty")
    if len(set(members)) < len(members):
        if has_older_words():
            raise Invalid("Input collection contains duplicates")
        raise invalid_parameter("Input collection contains duplicates.")
    return members


def _binary_set(content: object, _level: int) -> list[str]:
    members = _set(content, _binary, "Binary sets should not be empty")
    _refuse_duplicates(members, [b64decode(member) for member in members], "of type BS", ",")
    return members


def _set(content: object, member: Callable[[object, int], str], empty: str) -> list[str]:
    members = [member(each, 0) for each in _members(content)]
    if not members:
        raise invalid_parameter(empty)
    return members


def _refuse_duplicates(members: Sequence[str], keys: Sequence[Any], note: str, separator: str) -> None:
    """Lists what was read in order, then the repeated member and those after it, as AWS does."""
    if len(set(keys)) == len(keys):
        return
    if has_older_words():
        raise invalid_parameter(f"Input collection [{', '.join(members)}]{note} contains duplicates.")
    seen: dict[Any, str] = {}
    for place, (key, member) in enumerate(zip(keys, members, strict=True)):
        if key in seen:
            shown = [seen[each] for each in sorted(seen)] + list(members[place:])
            texts = separator.join(json.dumps(each, ensure_ascii=False) for each in shown)
            raise invalid_parameter(f"Input collection [{texts}]{note} contains duplicates.")
        seen[key] = member


def _members(content: object) -> Iterable[object]:
    if not isinstance(content, list):
        raise Unreadable("Unexpected field type")
    return content


_JSON_TYPES: Final[dict[type, str]] = {int: "NUMBER_VALUE", float: "NUMBER_VALUE", bool: "TRUE_VALUE"}
_NORMAL: Final[dict[str, Callable[[object, int], Any]]] = {
    "S": _text,
    "N": _number,
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _null,
    "SS": _text_set,
    "NS": _number_set,
    "BS": _binary_set,
    "L": _list,
    "M": _map,
}
