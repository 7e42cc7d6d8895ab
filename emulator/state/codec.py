"""Converts values of this process to text and back: JSON, with tags for types that JSON lacks.

It does not use pickle, so a file cannot run code when it is read. The only objects that it reads are dataclasses of
this package, policies and signing keys.
"""

import base64
import dataclasses
import importlib
import json
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from iam import Policy, parse_policy, parse_trust_policy

_TAG = "~"
_PACKAGE = "emulator"
_JSON_TYPES = (str, int, float, bool, type(None))


class UnreadableState(Exception):
    """The text was not written by this version of the package."""


def encode(value: object) -> str:
    """Raises TypeError for a value that cannot be saved."""
    return json.dumps(_to_json(value), separators=(",", ":"))


def decode(text: str) -> Any:
    """Raises `UnreadableState`."""
    try:
        return json.loads(text, object_hook=_from_json)
    except (ValueError, KeyError, TypeError, AttributeError, ImportError) as failure:
        raise UnreadableState(str(failure)) from failure


def _to_json(value: object) -> object:
    if type(value) in _JSON_TYPES:
        return value
    if isinstance(value, str):
        return str(value)  # what an expression's text carries is made anew by each request
    if isinstance(value, Counter):
        return _tag("counter", _pairs(value))
    if isinstance(value, dict):
        if _TAG not in value and all(type(key) is str for key in value):
            return {key: _to_json(entry) for key, entry in value.items()}
        return _tag("dict", _pairs(value))
    if isinstance(value, list):
        return [_to_json(entry) for entry in value]
    return _tag(*_tagged_value(value))


def _tagged_value(value: object) -> tuple[str, object]:
    match value:
        case tuple() | set() | frozenset():
            return type(value).__name__, [_to_json(entry) for entry in value]
        case deque():
            return "deque", [value.maxlen, [_to_json(entry) for entry in value]]
        case bytes() | bytearray():
            return "bytes", base64.b64encode(value).decode()
        case Decimal():
            return "decimal", str(value)
        case datetime():
            return "datetime", value.isoformat()
        case Policy():
            return "policy", [value.kind, value.name, value.document]
        case RSAPrivateKey():
            return "rsa", value.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    kind = type(value)
    if not dataclasses.is_dataclass(value) or not kind.__module__.startswith(f"{_PACKAGE}."):
        raise TypeError(f"a {kind.__name__} cannot be saved")
    fields = {part.name: _to_json(getattr(value, part.name)) for part in dataclasses.fields(value)}
    return f"{kind.__module__}:{kind.__qualname__}", fields


def _tag(tag: str, content: object) -> dict[str, object]:
    return {_TAG: tag, "is": content}


def _pairs(value: Mapping[Any, Any]) -> list[object]:
    return [[_to_json(key), _to_json(entry)] for key, entry in value.items()]


_READERS: dict[str, Callable[[Any], Any]] = {
    "dict": lambda pairs: {key: entry for key, entry in pairs},  # noqa: C416 - pairs are lists
    "counter": lambda pairs: Counter({key: entry for key, entry in pairs}),  # noqa: C416
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": lambda content: deque(content[1], content[0]),
    "bytes": base64.b64decode,
    "decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "policy": lambda content: _policy(*content),
    "rsa": lambda pem: load_pem_private_key(pem.encode(), password=None),
}


def _from_json(content: dict[str, Any]) -> Any:
    tag = content.get(_TAG)
    if tag is None:
        return content
    reader = _READERS.get(tag)
    return reader(content["is"]) if reader else _dataclass(tag, content["is"])


def _policy(kind: str, name: str, document: Any) -> Policy:
    return (parse_trust_policy if kind == "trust" else parse_policy)(document, name=name)


def _dataclass(tag: str, values: Mapping[str, Any]) -> object:
    """Restores the fields without calling the constructor. A field added since then gets its default."""
    module, _, name = tag.partition(":")
    if not module.startswith(f"{_PACKAGE}."):
        raise UnreadableState(f"{tag} is not part of this package")
    kind = getattr(importlib.import_module(module), name)
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise UnreadableState(f"{tag} is not a dataclass")
    made = object.__new__(kind)
    for part in dataclasses.fields(kind):
        object.__setattr__(made, part.name, _field(part, values, tag))
    return made


def _field(part: "dataclasses.Field[Any]", values: Mapping[str, Any], tag: str) -> Any:
    if part.name in values:
        return values[part.name]
    if part.default is not dataclasses.MISSING:
        return part.default
    if part.default_factory is not dataclasses.MISSING:
        return part.default_factory()
    raise UnreadableState(f"{tag} has no {part.name}")
