"""Reads JSON that somebody else made, and refuses what two programs could read differently, or a database not take."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from iam.nesting import TooDeep, check_nesting

# Tokens, keys and answers of endpoints are nested three levels deep.
_DEEPEST = 50


class NotStrict(ValueError):
    """It is no JSON, or none of the kind that we read. The text says which and has nothing of the content."""


def read_json(text: bytes) -> Any:
    """Raises NotStrict, and nothing else.

    Refuses names that come twice in an object, NaN and Infinity, NUL, half a surrogate pair, numbers of thousands of
    digits, and deep nesting.
    """
    try:
        check_nesting(decoded := text.decode(), deepest=_DEEPEST)
        value = json.loads(decoded, object_pairs_hook=_object, parse_constant=_constant)
        # Fails for half of a surrogate pair, which no encoding has.
        written = json.dumps(value, ensure_ascii=False).encode()
    except NotStrict:
        raise
    except TooDeep as error:
        raise NotStrict("it is nested too deeply") from error
    except ValueError as error:
        raise NotStrict("it is not JSON that can be read") from error
    if b"\\u0000" in written:
        raise NotStrict("it has a NUL")
    return value


def read_json_object(text: bytes) -> dict[str, Any]:
    """Raises NotStrict."""
    value = read_json(text)
    if not isinstance(value, dict):
        raise NotStrict("it is not a JSON object")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise NotStrict("a name comes twice")
    return made


def _constant(_: str) -> NoReturn:
    raise NotStrict("it has a number that is none")
