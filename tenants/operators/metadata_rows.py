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
class Told:
    """`kind` is text, literal, code, object or list; `parts` are (label, value), the label a name or a place."""

    kind: str
    text: str = ""
    parts: Sequence[tuple[str, Told]] = field(default=())


def metadata_rows(metadata: Mapping[str, Any]) -> list[tuple[str, Told]]:
    return [(name, as_rows(value)) for name, value in metadata.items()]


def as_rows(value: Any, *, level: int = 1) -> Told:
    if isinstance(value, str):
        return Told("text", value)
    if value is None or isinstance(value, bool):
        return Told("literal", _LITERALS[value])
    if isinstance(value, int | float):
        return Told("literal", json.dumps(value))
    if value and level >= _LEVELS_SHOWN:
        return Told("code", json.dumps(value, ensure_ascii=False))
    labelled = value.items() if isinstance(value, dict) else ((str(place), part) for place, part in enumerate(value, 1))
    parts = [(label, as_rows(part, level=level + 1)) for label, part in labelled]
    return Told("object" if isinstance(value, dict) else "list", parts=parts)
