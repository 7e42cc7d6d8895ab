"""The members of a JSON service's request as its API defines them, and nothing besides.

AWS reads a request by its service model: it does not see a member that the operation has not, takes null for absent and
refuses a value of another type before anything else happens. The engine reads whatever is there. So what is judged and
run is a copy made by that model, which botocore carries: no member can be seen by one of the two and not by the other.
"""

import gzip
import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from emulator.wire import AwsError

# By the service's name in signatures.
_MODELS = {
    "dynamodb": Path("data/dynamodb/2012-08-10/service-2.json.gz"),
    "cognito-idp": Path("data/cognito-idp/2016-04-18/service-2.json.gz"),
    "cognito-identity": Path("data/cognito-identity/2014-06-30/service-2.json.gz"),
}
# Thirty-two levels of attributes are DynamoDB's limit, each two levels of JSON; the engine refuses those itself.
_MAX_LEVELS = 200

Reader = Callable[[Any, int], Any]


def parse_request(service: str, operation: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `data`. Raises `AwsError` SerializationException.

    An operation without a model is none that could be run: its data is copied as it is.
    """
    read = _reader_for(service, operation)
    found: dict[str, Any] = read(data, 0) if read else dict(data)
    return found


@cache
def _model(service: str) -> dict[str, Any]:
    package = find_spec("botocore")
    if package is None or package.origin is None:
        raise RuntimeError("botocore is not installed.")
    model: dict[str, Any] = json.loads(gzip.decompress((Path(package.origin).parent / _MODELS[service]).read_bytes()))
    return model


@cache
def _reader_for(service: str, operation: str) -> Reader | None:
    described = _model(service)["operations"].get(operation)
    return _reader(service, described["input"]["shape"]) if described else None


@cache
def _reader(service: str, name: str) -> Reader:
    shape = _model(service)["shapes"][name]
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
        case _:  # a point in time or a fraction
            return _number


def _structure(service: str, shapes: Mapping[str, str]) -> Reader:
    def read(value: Any, level: int) -> dict[str, Any]:
        if type(value) is not dict or level > _MAX_LEVELS:
            raise _wrong_type("An object")
        return {
            member: _reader(service, shapes[member])(content, level + 1)
            for member, content in value.items()
            if content is not None and member in shapes
        }

    return read


def _map(service: str, shape: str) -> Reader:
    def read(value: Any, level: int) -> dict[str, Any]:
        if type(value) is not dict or level > _MAX_LEVELS:
            raise _wrong_type("A map")
        item = _reader(service, shape)
        return {_text(key, level): item(content, level + 1) for key, content in value.items()}

    return read


def _list(service: str, shape: str) -> Reader:
    def read(value: Any, level: int) -> list[Any]:
        if type(value) is not list or level > _MAX_LEVELS:
            raise _wrong_type("A list")
        item = _reader(service, shape)
        return [item(content, level + 1) for content in value]

    return read


def _text(value: Any, level: int) -> str:  # noqa: ARG001 - a reader like the others
    """Half of a surrogate pair is no text: it could be stored and never be sent again."""
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
    def read(value: Any, level: int) -> Any:  # noqa: ARG001 - a reader like the others
        if type(value) is not kind:
            raise _wrong_type("A number" if kind is int else "true or false")
        return value

    return read


def _number(value: Any, level: int) -> float:  # noqa: ARG001 - a reader like the others
    if type(value) not in (int, float):
        raise _wrong_type("A number")
    return float(value)


def _wrong_type(wanted: str) -> AwsError:
    return AwsError("SerializationException", f"{wanted} was expected, and something else was found.", coral=True)
