"""A tenant's metadata as a page shows it: JSON, level by level."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# Deeper levels are shown as the JSON they are: a page gets no narrower than this.
_LEVELS_SHOWN = 4
_LITERALS = {True: "true", False: "false", None: "null"}


@dataclass(frozen=True, slots=True)
class ValueRow:
    """`kind` is text, literal, code, object or list; `parts` are (label, value), the label a name or a place."""

    kind: str
    text: str = ""
    parts: Sequence[tuple[str, ValueRow]] = field(default=())


def metadata_rows(metadata: Mapping[str, Any]) -> list[tuple[str, ValueRow]]:
    return [(name, as_rows(value)) for name, value in metadata.items()]


def as_rows(value: Any, *, level: int = 1) -> ValueRow:
    if isinstance(value, str):
        return ValueRow("text", value)
    if value is None or isinstance(value, bool):
        return ValueRow("literal", _LITERALS[value])
    if isinstance(value, int | float):
        return ValueRow("literal", json.dumps(value))
    if value and level >= _LEVELS_SHOWN:
        return ValueRow("code", json.dumps(value, ensure_ascii=False))
    labelled = value.items() if isinstance(value, dict) else ((str(place), part) for place, part in enumerate(value, 1))
    parts = [(label, as_rows(part, level=level + 1)) for label, part in labelled]
    return ValueRow("object" if isinstance(value, dict) else "list", parts=parts)
