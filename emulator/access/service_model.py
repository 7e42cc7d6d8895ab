"""Reads a JSON request by the service model of its API.

AWS ignores a member that the operation does not define, treats null as absent, and refuses a value of another type
before it does anything else. The engine reads every member. So the checks and the engine both get a copy that follows
botocore's service model, and neither can see a member that the other does not.
"""

import gzip
import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from emulator.wire import AwsError

# Keyed by the service's signing name.
_MODELS = {
    "dynamodb": Path("data/dynamodb/2012-08-10/service-2.json.gz"),
    "cognito-idp": Path("data/cognito-idp/2016-04-18/service-2.json.gz"),
    "cognito-identity": Path("data/cognito-identity/2014-06-30/service-2.json.gz"),
    "iam": Path("data/iam/2010-05-08/service-2.json.gz"),
}
# DynamoDB allows 32 levels of attributes, which is 64 levels of JSON. The engine enforces that limit itself.
_MAX_LEVELS = 200

Reader = Callable[[Any, int], Any]


def parse_request(service: str, operation: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy of `data`. Raises `AwsError` SerializationException.

    The engine cannot run an operation without a model, so its data is copied unchanged.
    """
    read = _reader_for(service, operation)
    found: dict[str, Any] = read(data, 0) if read else dict(data)
    return found


@cache
def operations_of(service: str) -> frozenset[str]:
    return frozenset(model_of(service)["operations"])


@cache
def model_of(service: str) -> dict[str, Any]:
    package = find_spec("botocore")
    if package is None or package.origin is None:
        raise RuntimeError("botocore is not installed.")
    model: dict[str, Any] = json.loads(gzip.decompress((Path(package.origin).parent / _MODELS[service]).read_bytes()))
    return model


@cache
def _reader_for(service: str, operation: str) -> Reader | None:
    described = model_of(service)["operations"].get(operation)
    return _reader(service, described["input"]["shape"]) if described else None


@cache
def _reader(service: str, name: str) -> Reader:
    shape = model_of(service)["shapes"][name]
    match shape["type"]:
        case "structure":
            return _structure(service, {member: entry["shape"] for member, entry in shape["members"].items()})
        case "map":
            return _map(service, shape["value"]["shape"])
        case "list":
            return _list(service, shape["member"]["shape"])
        case "string" | "blob":
            return _text
        case "boolean":
            return _exact_type(bool)
        case "integer" | "long":
            return _exact_type(int)
        case _:  # a timestamp or a float
            return _number


def _structure(service: str, shapes: Mapping[str, str]) -> Reader:
    readers: dict[str, Reader] = {}  # filled when first needed, because shapes contain each other

    def read(value: Any, level: int) -> dict[str, Any]:
        if type(value) is not dict or level > _MAX_LEVELS:
            raise _wrong_type("An object")
        found = {}
        for member, content in value.items():
            if content is None or member not in shapes:
                continue
            if member not in readers:
                readers[member] = _reader(service, shapes[member])
            found[member] = readers[member](content, level + 1)
        return found

    return read


def _map(service: str, shape: str) -> Reader:
    def read(value: Any, level: int) -> dict[str, Any]:
        if type(value) is not dict or level > _MAX_LEVELS:
            raise _wrong_type("A map")
        # Clients of Cognito send null for an entry that they do not have, such as DEVICE_KEY. In DynamoDB's maps null
        # is an attribute value of the wrong type.
        item, keeps_null = _reader(service, shape), service == "dynamodb"
        return {
            _text(key, level): item(content, level + 1)
            for key, content in value.items()
            if content is not None or keeps_null
        }

    return read


def _list(service: str, shape: str) -> Reader:
    def read(value: Any, level: int) -> list[Any]:
        if type(value) is not list or level > _MAX_LEVELS:
            raise _wrong_type("A list")
        item = _reader(service, shape)
        return [item(content, level + 1) for content in value]

    return read


def _text(value: Any, level: int) -> str:  # noqa: ARG001 - all readers have this signature
    """Refuses half a surrogate pair, which could be stored but never sent again."""
    if type(value) is not str or not (value.isascii() or _is_encodable(value)):
        raise _wrong_type("Text")
    return str(value)


def _is_encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _exact_type(kind: type) -> Reader:
    def read(value: Any, level: int) -> Any:  # noqa: ARG001 - all readers have this signature
        if type(value) is not kind:
            raise _wrong_type("A number" if kind is int else "true or false")
        return value

    return read


def _number(value: Any, level: int) -> float:  # noqa: ARG001 - all readers have this signature
    if type(value) not in (int, float):
        raise _wrong_type("A number")
    return float(value)


def _wrong_type(wanted: str) -> AwsError:
    return AwsError("SerializationException", f"{wanted} was expected, but the value has another type.", coral=True)
