"""A tenant's metadata: the platform's own notes in JSON. They must fit TENANT_METADATA_SCHEMA and the database.

Messages name the place of a mistake, and quote no more than fits on a line of a page.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import jsonschema
from django.conf import settings
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from iam.nesting import TooDeep, check_nesting
from tenants.domain.errors import InvalidInput, Misconfigured
from tenants.domain.texts import hidden_character, trimmed

MOST_CHARACTERS = 20_000
# Arrays and objects inside each other, the metadata themselves included.
DEEPEST = 20
_MOST_SHOWN, _MOST_SHOWN_OF_A_NAME = 160, 40
_TOO_LONG = f"Metadata is at most {MOST_CHARACTERS:,} characters of JSON."
_TOO_DEEP = f"Metadata is at most {DEEPEST} levels deep."
Place = tuple[str | int, ...]
# Formats are notes in JSON Schema. Of these only a date is checked, as year-month-day.
_DATES = jsonschema.FormatChecker(formats=("date",))
_IN_WORDS: Mapping[object, str] = {
    "maxLength": "Enter at most {} characters.",
    "minLength": "Enter at least {} characters.",
    "maximum": "Enter a number of at most {}.",
    "minimum": "Enter a number of at least {}.",
    "format": "Enter a {} that exists, as year-month-day, such as 2026-11-29.",
    "maxItems": "Enter at most {} lines.",
    "minItems": "Enter at least {} lines.",
    "pattern": "Enter a text that fits the pattern {}.",
    "uniqueItems": "Enter each line once.",
}


def read_metadata(text: str) -> dict[str, Any]:
    """The object in `text`, JSON as typed; {} for an empty text. Raises InvalidInput that names the line and column."""
    if len(text) > 2 * MOST_CHARACTERS:
        raise _wrong(_TOO_LONG)
    try:
        check_nesting(text, deepest=DEEPEST)
        read = json.loads(trimmed(text) or "{}", parse_constant=_refuse_constant, object_pairs_hook=_each_name_once)
    except json.JSONDecodeError as error:
        raise _wrong(f"This is not JSON. Look at line {error.lineno}, column {error.colno}: {error.msg}.") from error
    except TooDeep as error:
        raise _wrong(_TOO_DEEP) from error
    except ValueError as error:
        raise _wrong("There is a number with too many digits. Write it as text, in quotation marks.") from error
    if not isinstance(read, dict):
        raise _wrong('Metadata is a JSON object, such as {"contract": "2026-14"}.')
    return read


def check_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata as they are stored. Raises InvalidInput; Misconfigured if the schema itself cannot be used."""
    checked = dict(metadata)
    _check_storable(checked, ())
    if len(json.dumps(checked, ensure_ascii=False)) > MOST_CHARACTERS:
        raise _wrong(_TOO_LONG)
    problem = best_match(_problems(checked))
    if problem is not None:
        where = _at(tuple(problem.absolute_path))
        raise _wrong(f"The metadata does not fit its schema{where}: {_in_short(problem)}.")
    return checked


def problems_by_key(metadata: Mapping[str, Any]) -> dict[str, str]:
    """What does not fit the schema, a sentence for each key; "" stands for what is about no single key.

    Not checked: what `check_metadata` checks beside the schema.
    """
    found: dict[str, str] = {}
    for problem in _problems(metadata):
        for key in _keys_of(problem):
            found.setdefault(key, _of_one_key(problem))
    return found


def _problems(metadata: Mapping[str, Any]) -> list[jsonschema.ValidationError]:
    """Raises Misconfigured if the schema itself cannot be used."""
    schema = settings.TENANT_METADATA_SCHEMA
    kind = jsonschema.validators.validator_for(schema)
    # Without a registry of its own it would fetch the addresses that the schema refers to.
    validator = kind(schema, registry=Registry(), format_checker=_DATES)
    try:
        return list(validator.iter_errors(metadata))
    except (Unresolvable, re.error, RecursionError) as error:
        raise Misconfigured(f"TENANT_METADATA_SCHEMA cannot be used: {error}") from error


def _keys_of(problem: jsonschema.ValidationError) -> list[str]:
    if problem.absolute_path:
        return [str(problem.absolute_path[0])]
    if problem.validator == "required":
        asked: Any = problem.validator_value
        present: Any = problem.instance
        return [key for key in asked if key not in present]
    return [""]


def _of_one_key(problem: jsonschema.ValidationError) -> str:
    rule, value = problem.validator, problem.validator_value
    if rule == "required" and not problem.absolute_path:
        return "Enter a value."
    if rule in _IN_WORDS and len(problem.absolute_path) == 1:
        return _IN_WORDS[rule].format(value)
    message = _in_short(problem)
    return f"{message[:1].upper()}{message[1:]}."


def fingerprint(metadata: Mapping[str, Any]) -> str:
    """Equal for equal metadata. A form carries it, so that a change made meanwhile is not overwritten."""
    return hashlib.sha256(json.dumps(metadata, sort_keys=True).encode()).hexdigest()


def _check_storable(value: object, place: Place) -> None:
    if len(place) == DEEPEST and isinstance(value, dict | list):
        raise _wrong(_TOO_DEEP)
    if isinstance(value, dict):
        for name, part in value.items():
            _check_plain(name, (*place, name))
            _check_storable(part, (*place, name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            _check_storable(part, (*place, number))
    else:
        _check_plain(value, place)


def _check_plain(value: object, place: Place) -> None:
    # PostgreSQL cannot store NUL or half of a surrogate pair. Others hide, or reverse the text around them on a page.
    if isinstance(value, str) and (hidden := hidden_character(value)):
        raise _wrong(
            f"There is a character that cannot be stored{_at(place)}: {hidden}, which is invisible. Remove it."
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise _no_number(value, place)
    if value is not None and not isinstance(value, bool | int | float | str):
        raise _wrong(f"There is a value that JSON does not know{_at(place)}.")


def _each_name_once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Without this check the last one would silently replace the others."""
    read: dict[str, Any] = {}
    for name, value in pairs:
        if name in read:
            raise _wrong(f"The name “{_quotable(name)}” is there twice. Remove one of them.")
        read[name] = value
    return read


def _refuse_constant(name: str) -> float:
    raise _no_number(name, ())


def _no_number(number: object, place: Place) -> InvalidInput:
    return _wrong(f"“{number}”{_at(place)} is not a number in JSON. Remove it.")


def _in_short(problem: jsonschema.ValidationError) -> str:
    """jsonschema quotes the whole value. If that is long, the rule alone says enough."""
    message = problem.message
    if len(message) > _MOST_SHOWN:
        rule = json.dumps(problem.validator_value, ensure_ascii=True)
        message = f"it breaks the rule “{problem.validator}”, which is {rule}"
    return message if len(message) <= _MOST_SHOWN else f"{message[: _MOST_SHOWN - 1]}…"


def _at(place: Place) -> str:
    return f" at “{'/'.join(map(_quotable, place))[:_MOST_SHOWN]}”" if place else ""


def _quotable(name: object) -> str:
    text = str(name)
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= _MOST_SHOWN_OF_A_NAME else f"{text[: _MOST_SHOWN_OF_A_NAME - 1]}…"


def _wrong(message: str) -> InvalidInput:
    return InvalidInput(message, field="metadata")
