"""The mark in TENANT_METADATA_SCHEMA that opens a key of the metadata to the organisation's own people.

`"x-organisation": "edit"` in a property lets them see and change the key, `"see"` only see it. A key without a mark is
the platform's alone. JSON Schema leaves such words of one's own to those who use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MARK, EDIT, SEE = "x-organisation", "edit", "see"


def open_properties(schema: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Those that the organisation sees, by their keys, in the schema's order."""
    return {key: about for key, about in _properties(schema).items() if about.get(MARK) in (EDIT, SEE)}


def has_unknown_mark(schema: Mapping[str, Any]) -> bool:
    return any(MARK in about and about[MARK] not in (EDIT, SEE) for about in _properties(schema).values())


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    properties = schema.get("properties", {})
    return {key: about for key, about in properties.items() if isinstance(about, dict)}
