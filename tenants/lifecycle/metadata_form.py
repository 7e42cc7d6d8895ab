"""A form made from TENANT_METADATA_SCHEMA: a field for each key that the schema lets the organisation edit.

It turns texts into values and back. Whether the values fit the schema is decided by `metadata` alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings

from tenants.domain.errors import InvalidInput
from tenants.domain.metadata_marks import EDIT, MARK, open_properties
from tenants.domain.steps import Choices, Field
from tenants.domain.texts import trimmed

_SCALARS = ("string", "integer", "number", "boolean")
_LONG = 120
_BOOLEANS: Choices = (("true", "Yes"), ("false", "No"))
_NOT_SAID = ("", "Not set")
_HINTS = {"date": "As year-month-day, such as 2026-11-29.", "list": "One a line.", "integer": "A whole number."}
_NUMBER = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,30}", re.ASCII)


@dataclass(frozen=True, slots=True)
class MetadataField:
    """`kind` is string, date, integer, number, boolean, choice or list. It is "" where `why` says why not.

    `name` is for the form: the key itself may hold anything.
    """

    key: str
    name: str
    label: str
    hint: str
    kind: str
    why: str = ""
    values: Sequence[Any] = ()
    is_long: bool = False
    is_required: bool = False


def metadata_fields() -> list[MetadataField]:
    """In the schema's order."""
    schema = settings.TENANT_METADATA_SCHEMA
    required = schema.get("required", ())
    return [replace(_field(key, about), is_required=key in required) for key, about in open_properties(schema).items()]


def form_field(field: MetadataField) -> Field:
    widget = "choice" if field.kind in ("boolean", "choice") else "lines" if _has_lines(field) else "text"
    return Field(
        field.name,
        field.label,
        field.hint,
        widget=widget,
        choices=lambda: _choices(field),
        optional=not field.is_required,
    )


def as_text(field: MetadataField, metadata: Mapping[str, Any]) -> str:
    """As the form shows it; "" for a key that is not there, or null."""
    value = metadata.get(field.key)
    if value is None:
        return ""
    if field.kind == "choice":
        return json.dumps(value, ensure_ascii=False)
    if field.kind == "list" and isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "\n".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read_value(field: MetadataField, text: str) -> Any:
    """None for an empty text: then the key goes. Raises InvalidInput with the form's name of the field."""
    typed = trimmed(text)
    if not typed:
        return None
    try:
        return _READERS[field.kind](field, typed)
    except ValueError as error:
        raise InvalidInput(str(error), field=field.name) from error


def _field(key: str, about: Mapping[str, Any]) -> MetadataField:
    kind, why = _kind(about)
    if not why and about[MARK] != EDIT:
        why = "Only operators change this."
    hint = " ".join(filter(None, [_text(about.get("description")), _HINTS.get(kind, "")]))
    longest = about.get("maxLength")
    return MetadataField(
        key=key,
        name=f"metadata_{key if re.fullmatch(r'[A-Za-z0-9_]+', key) else hashlib.sha256(key.encode()).hexdigest()}",
        label=_text(about.get("title")) or key,
        hint=hint,
        kind="" if why else kind,
        why=why,
        values=about.get("enum", ()) if kind == "choice" else (),
        is_long=isinstance(longest, int) and longest > _LONG,
    )


def _kind(about: Mapping[str, Any]) -> tuple[str, str]:
    """The kind of field, or why there is none."""
    values, kind = about.get("enum"), _type(about)
    if isinstance(values, list) and all(value is None or isinstance(value, str | int | float) for value in values):
        return "choice", ""
    if kind == "string" and about.get("format") == "date":
        return "date", ""
    if kind in _SCALARS:
        return kind, ""
    items = about.get("items")
    if kind == "array" and isinstance(items, dict) and _type(items) == "string" and "enum" not in items:
        return "list", ""
    if kind in ("array", "object"):
        return "", "It holds several values, so it cannot be changed in a form. Ask the operators to change it."
    return "", "The schema does not say which kind of value it is. Ask the operators to change it."


def _type(about: Mapping[str, Any]) -> str:
    """A type, perhaps beside null."""
    kind = about.get("type")
    kinds = [kind] if isinstance(kind, str) else [one for one in kind or () if one != "null"]
    return kinds[0] if len(kinds) == 1 else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _has_lines(field: MetadataField) -> bool:
    return field.kind == "list" or (field.kind == "string" and field.is_long)


def _choices(field: MetadataField) -> Choices:
    if field.kind == "boolean":
        return (_NOT_SAID, *_BOOLEANS)
    values = [value for value in field.values if value is not None]
    labels = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return (_NOT_SAID, *zip([json.dumps(value, ensure_ascii=False) for value in values], labels, strict=True))


def _read_number(_: MetadataField, text: str) -> float | int:
    if _WHOLE.fullmatch(text):
        return int(text)
    if not _NUMBER.fullmatch(text):
        raise ValueError("Enter a number, such as 12 or 12.5.")
    return float(text)


def _read_whole(_: MetadataField, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError("Enter a whole number, such as 12.")
    return int(text)


def _read_choice(field: MetadataField, text: str) -> Any:
    # By the text and not by the value: in Python 1 equals True.
    by_text = {json.dumps(value, ensure_ascii=False): value for value in field.values}
    if text not in by_text:
        raise ValueError("Choose one of the values in the list.")
    return by_text[text]


def _read_boolean(_: MetadataField, text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("Choose Yes or No.")
    return text == "true"


def _read_list(_: MetadataField, text: str) -> list[str]:
    return list(filter(None, map(trimmed, text.split("\n"))))


_READERS: Mapping[str, Callable[[MetadataField, str], Any]] = {
    "string": lambda _, text: text,
    "date": lambda _, text: text,
    "integer": _read_whole,
    "number": _read_number,
    "boolean": _read_boolean,
    "choice": _read_choice,
    "list": _read_list,
}
