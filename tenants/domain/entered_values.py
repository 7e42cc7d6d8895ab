"""Values as people enter them: a type and a text in a form, or DynamoDB's JSON. Both directions are without loss.

In a form, a number, a text and base64 are one text, a set has one entry on each line, and a map or a list is JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from iam.nesting import TooDeep, check_nesting
from tenants.domain.errors import InvalidInput
from tenants.domain.value_limits import MAX_LEVELS, check_value, checked_number
from tenants.domain.values import TYPE_NAMES, AttributeValue, Item, as_json, type_and_content

_LOST_IN_BROWSERS = re.compile(r"[\x00-\x08\x0b-\x1f\ud800-\udfff]")
# Each level of a value takes two levels of JSON.
_DEEPEST_JSON = 2 * (MAX_LEVELS + 2)


def entered_value(kind: str, text: str) -> AttributeValue:
    """Raises InvalidInput. A text is kept as it is; spaces around all others are dropped."""
    if kind not in TYPE_NAMES:
        raise InvalidInput(f"Choose a type: {', '.join(TYPE_NAMES.values())}.")
    value = _READERS[kind](text)
    check_value(value)
    return value


def entered_again(kind: str, text: str, before: AttributeValue) -> AttributeValue:
    """As `entered_value`, but exactly `before` if nobody changed it: browsers write line breaks in their own way."""
    if kind in before and _normal_breaks(text_of(before)) == _normal_breaks(text):
        return before
    return entered_value(kind, text)


def fits_a_form(value: AttributeValue) -> bool:
    """Whether a browser sends the value's text back as it got it. Control characters get lost."""
    return not _LOST_IN_BROWSERS.search(text_of(value))


def text_of(value: AttributeValue) -> str:
    """What `entered_value` reads as the same value, if it `fits_a_form`."""
    kind, content = type_and_content(value)
    match kind:
        case "S" | "N":
            return str(content)
        case "B":
            return _base64(content)
        case "BOOL":
            return "true" if content else "false"
        case "NULL":
            return ""
        case "NS":
            return "\n".join(content)
        case "BS":
            return _set_text([*map(_base64, content)])
        case "SS":
            return _set_text(content)
        case _:
            return json.dumps(as_json(value)[kind], ensure_ascii=False, indent=2)


def read_item(text: str) -> Item:
    """An item of DynamoDB's JSON, `{"name": {"S": "text"}}`, as aws-cli prints and takes it. Raises InvalidInput."""
    data = _json(text)
    if not isinstance(data, dict):
        raise InvalidInput('Enter an object of attributes, such as {"title": {"S": "Hello"}}.')
    return {name: _value(content, name) for name, content in data.items()}


def item_text(item: Item, *, indent: int | None = 2) -> str:
    return json.dumps({name: as_json(value) for name, value in item.items()}, ensure_ascii=False, indent=indent)


def item_lines(item: Item) -> str:
    """The same with a line for each attribute, to read."""
    lines = [f"  {_plain_json(name)}: {_plain_json(as_json(value))}" for name, value in item.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def _plain_json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False)


def _set_text(members: Sequence[str]) -> str:
    """One on each line, or all as JSON if a line cannot hold one of them: an empty one, or one with a line break."""
    lines = "\n".join(members)
    on_lines = _lines(lines) == list(members) and not lines.startswith("[")
    return lines if on_lines else json.dumps(members, ensure_ascii=False)


def _lines(text: str) -> list[str]:
    """Only a line feed ends a line: other texts may hold any other character. Browsers send CR LF."""
    return [line for line in _normal_breaks(text).split("\n") if line]


def _normal_breaks(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _text_set(text: str) -> AttributeValue:
    return {"SS": _array(text) if _is_array(text) else _lines(text)}


def _binary_set(text: str) -> AttributeValue:
    entries = _array(text) if _is_array(text) else [line for line in _lines(text) if line.strip()]
    return {"BS": [_bytes(entry) for entry in entries]}


def _is_array(text: str) -> bool:
    return text.lstrip().startswith("[")


def _array(text: str) -> list[str]:
    members = _json(text)
    if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
        raise InvalidInput("Enter one entry on each line, or a JSON array of texts.")
    return members


def _boolean(text: str) -> AttributeValue:
    named = {"true": True, "false": False}
    if text.strip().lower() not in named:
        raise InvalidInput("Enter true or false.")
    return {"BOOL": named[text.strip().lower()]}


def _null(text: str) -> AttributeValue:
    if text.strip() not in {"", "null"}:
        raise InvalidInput("A null has no content. Choose another type, or empty the field.")
    return {"NULL": True}


def _bytes(text: str) -> bytes:
    """base64, with or without spaces and line breaks."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("This is not base64.") from error


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _container(kind: str) -> Callable[[str], AttributeValue]:
    def read(text: str) -> AttributeValue:
        content = _json(text) if text.strip() else _EMPTY[kind]
        return _value({kind: content}, TYPE_NAMES[kind])

    return read


_EMPTY: Mapping[str, Any] = {"M": {}, "L": []}
_READERS: Mapping[str, Callable[[str], AttributeValue]] = {
    "S": lambda text: {"S": _normal_breaks(text)},
    "N": lambda text: {"N": checked_number(text)},
    "B": lambda text: {"B": _bytes(text)},
    "BOOL": _boolean,
    "NULL": _null,
    "SS": _text_set,
    "NS": lambda text: {"NS": [checked_number(line) for line in _lines(text) if line.strip()]},
    "BS": _binary_set,
    "M": _container("M"),
    "L": _container("L"),
}

# ── DynamoDB's JSON ─────────────────────────────────────────────────────────────────────────────────────────────────


def _json(text: str) -> Any:
    try:
        check_nesting(text, deepest=_DEEPEST_JSON)
        data = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_unquoted, parse_float=_unquoted, parse_int=_unquoted
        )
        _plain_json(data).encode()
    except TooDeep as error:
        raise InvalidInput(f"Values are nested at most {MAX_LEVELS} levels deep.") from error
    except json.JSONDecodeError as error:
        raise InvalidInput(f"This is not JSON: line {error.lineno}, column {error.colno}: {error.msg}.") from error
    except UnicodeEncodeError as error:
        raise InvalidInput("Half a letter is no text: “\\ud800” to “\\udfff” come in pairs.") from error
    return data


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        "".join(names).encode()
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"The name “{twice}” is there twice.")
    return found


def _unquoted(word: str) -> Any:
    raise InvalidInput(f'Write numbers in quotation marks, such as {{"N": "12.50"}}. “{word[:60]}” has none.')


def _value(content: Any, where: str) -> AttributeValue:
    if not isinstance(content, dict) or len(content) != 1:
        raise InvalidInput(f'{where}: write a value as its type and its content, such as {{"S": "text"}}.')
    ((kind, inner),) = content.items()
    if kind not in TYPE_NAMES:
        raise InvalidInput(f"{where}: there is no type “{kind}”. The types are {', '.join(TYPE_NAMES)}.")
    return {kind: _content(kind, inner, where)}


def _content(kind: str, inner: Any, where: str) -> Any:
    wrong = InvalidInput(f"{where}: {_SHAPES[kind]}.")
    if kind in {"BOOL", "NULL"}:
        if inner is not True and (kind == "NULL" or inner is not False):
            raise wrong
        return inner
    if kind == "M":
        if not isinstance(inner, dict):
            raise wrong
        return {name: _value(part, f"{where}.{name}") for name, part in inner.items()}
    if kind in {"L", "SS", "NS", "BS"}:
        if not isinstance(inner, list):
            raise wrong
        one = kind[0]
        if kind == "L":
            return [_value(part, f"{where}[{place}]") for place, part in enumerate(inner)]
        return [_content(one, part, where) for part in inner]
    if not isinstance(inner, str):
        raise wrong
    try:
        return inner if kind == "S" else checked_number(inner) if kind == "N" else _bytes(inner)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error}") from error


_SHAPES: Mapping[str, str] = {
    "S": "a text (S) is in quotation marks",
    "N": 'a number (N) is written in quotation marks, such as {"N": "12.50"}',
    "B": "binary (B) is base64 in quotation marks",
    "BOOL": "true or false (BOOL) is written without quotation marks",
    "NULL": 'null is written {"NULL": true}',
    "M": "a map (M) is an object of values with their types",
    "L": "a list (L) is an array of values with their types",
    "SS": "a set of texts (SS) is an array of texts",
    "NS": "a set of numbers (NS) is an array of numbers in quotation marks",
    "BS": "a set of binaries (BS) is an array of base64 texts",
}
