"""DynamoDB attribute values without loss: typed, numbers as written, sets as sets, bytes as bytes.

A value is the JSON shape of the API, `{"S": "text"}`, with bytes where the API has base64. See
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

AttributeValue = Mapping[str, Any]
Item = Mapping[str, AttributeValue]

TYPE_NAMES = {
    "S": "text",
    "N": "number",
    "B": "binary",
    "BOOL": "true or false",
    "NULL": "null",
    "M": "map",
    "L": "list",
    "SS": "set of texts",
    "NS": "set of numbers",
    "BS": "set of binaries",
}
LONG_TEXT, STARTS_WITH, MANY_PARTS = 1_000, 200, 20


@dataclass(frozen=True, slots=True)
class ValueView:
    """A value for a page: `text` for a scalar, `parts` (label, value) for a map, list or set."""

    kind: str
    type_name: str
    text: str = ""
    parts: Sequence[tuple[str, ValueView]] = field(default=())
    note: str = ""

    @property
    def is_long(self) -> bool:
        """Whether a page folds it."""
        return len(self.text) > LONG_TEXT or len(self.parts) > MANY_PARTS

    @property
    def start(self) -> str:
        return f"{self.text[:STARTS_WITH]}…"


def show(value: AttributeValue) -> ValueView:
    """The whole value, not shortened. Raises ValueError unless it has exactly one known type."""
    kind, content = type_and_content(value)
    if kind == "M":
        return _composite(kind, [(name, show(part)) for name, part in content.items()])
    if kind == "L":
        return _composite(kind, [(str(place), show(part)) for place, part in enumerate(content)])
    if kind in {"SS", "NS", "BS"}:
        return _composite(kind, [("", show({kind[0]: part})) for part in content])
    return ValueView(kind, TYPE_NAMES[kind], text=_text(kind, content), note=_note(kind, content))


def summary(value: AttributeValue, limit: int = 80) -> str:
    """One line for a table cell: the text itself, or the number of parts. Raises ValueError as `show` does."""
    kind, content = type_and_content(value)
    if kind in {"M", "L", "SS", "NS", "BS"}:
        return f"{TYPE_NAMES[kind]}, {len(content)}"
    if kind == "B":
        return _note(kind, content)
    text = _text(kind, content)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def as_json(value: AttributeValue) -> Any:
    """DynamoDB's own JSON, with bytes as base64, as `aws dynamodb get-item` prints it."""
    kind, content = type_and_content(value)
    if kind == "M":
        return {kind: {name: as_json(part) for name, part in content.items()}}
    if kind == "L":
        return {kind: [as_json(part) for part in content]}
    if kind == "B":
        return {kind: base64.b64encode(content).decode()}
    if kind == "BS":
        return {kind: [base64.b64encode(part).decode() for part in content]}
    return {kind: content}


def type_and_content(value: AttributeValue) -> tuple[str, Any]:
    """Raises ValueError unless it has exactly one known type."""
    if len(value) != 1:
        raise ValueError("an attribute value has exactly one type")
    ((kind, content),) = value.items()
    if kind not in TYPE_NAMES:
        raise ValueError(f"unknown attribute type {kind}")
    return kind, content


def _composite(kind: str, parts: Sequence[tuple[str, ValueView]]) -> ValueView:
    return ValueView(
        kind, TYPE_NAMES[kind], parts=parts, note=f"{len(parts)} {'entry' if len(parts) == 1 else 'entries'}"
    )


def _text(kind: str, content: Any) -> str:
    if kind == "B":
        return base64.b64encode(content).decode()
    if kind == "BOOL":
        return "true" if content else "false"
    return "null" if kind == "NULL" else str(content)


def _note(kind: str, content: Any) -> str:
    if kind == "B":
        return f"{len(content)} {'byte' if len(content) == 1 else 'bytes'}"
    return "empty" if kind == "S" and not content else ""
