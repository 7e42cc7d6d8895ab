"""A Query as code that runs as it stands, for three programs. Credentials come from the environment, never from here.

Characters that nobody can see are written as escapes, so that what is copied is what is read.
"""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`url` is "" on AWS."""

    region: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Snippet:
    name: str
    hint: str
    code: str


def snippets(parameters: Mapping[str, Any], endpoint: Endpoint) -> tuple[Snippet, ...]:
    """`parameters` are those of a Query, the table's name included, in boto3's form."""
    return (
        Snippet("AWS CLI", "version 2, in a POSIX shell", _aws_cli(parameters, endpoint)),
        Snippet("Python", "boto3", _python(parameters, endpoint)),
        Snippet("JavaScript", "AWS SDK version 3, as an .mjs file", _javascript(parameters, endpoint)),
    )


def _aws_cli(parameters: Mapping[str, Any], endpoint: Endpoint) -> str:
    asked = _written(parameters, _in_json)
    # Without --no-paginate the CLI reads on to the end, whatever the limit. Bytes are base64 in version 2 only.
    lines = [
        "aws dynamodb query --no-paginate",
        f"--region {shlex.quote(endpoint.region)}",
        *([f"--endpoint-url {shlex.quote(endpoint.url)}"] if endpoint.url else []),
        *(["--cli-binary-format base64"] if asked != _written(parameters, _without_bytes) else []),
        f"--cli-input-json {shlex.quote(asked)}",
    ]
    return " \\\n  ".join(lines) + "\n"


def _python(parameters: Mapping[str, Any], endpoint: Endpoint) -> str:
    where = f"region_name={endpoint.region!r}" + (f", endpoint_url={endpoint.url!r}" if endpoint.url else "")
    given = "".join(f"    {name}={_written(value, repr, 2)},\n" for name, value in parameters.items())
    return (
        f'import boto3\n\nclient = boto3.client("dynamodb", {where})\nanswer = client.query(\n{given})\n'
        'for item in answer["Items"]:\n    print(item)\n'
    )


def _javascript(parameters: Mapping[str, Any], endpoint: Endpoint) -> str:
    where = {"region": endpoint.region} | ({"endpoint": endpoint.url} if endpoint.url else {})
    return (
        'import { DynamoDBClient, QueryCommand } from "@aws-sdk/client-dynamodb";\n\n'
        f"const client = new DynamoDBClient({_written(where, _in_javascript)});\n"
        f"const answer = await client.send(new QueryCommand({_written(parameters, _in_javascript)}));\n"
        "console.log(answer.Items);\n"
    )


def _written(value: Any, scalar: Callable[[Any], str], level: int = 0) -> str:
    """Maps and lists are written alike in all three; a map of one scalar, as most values are, stands on one line."""
    if isinstance(value, Mapping):
        inner = [f"{_name(name, scalar)}: {_written(one, scalar, level + 1)}" for name, one in value.items()]
        if len(inner) < 2 and "\n" not in "".join(inner):
            return f"{{{''.join(inner)}}}"
        space = "  " * (level + 1)
        return "{\n" + ",\n".join(f"{space}{one}" for one in inner) + f"\n{'  ' * level}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_written(one, scalar, level) for one in value)}]"
    return scalar(value)


def _name(name: str, scalar: Callable[[Any], str]) -> str:
    """JavaScript would take this one for the object's prototype."""
    return f"[{scalar(name)}]" if name == "__proto__" and scalar is _in_javascript else scalar(name)


def _in_json(value: Any) -> str:
    text = json.dumps(_base64(value) if isinstance(value, bytes) else value, ensure_ascii=False)
    return "".join(one if one.isprintable() else json.dumps(one).strip('"') for one in text)


def _without_bytes(value: Any) -> str:
    return "" if isinstance(value, bytes) else _in_json(value)


def _in_javascript(value: Any) -> str:
    return f'Buffer.from("{_base64(value)}", "base64")' if isinstance(value, bytes) else _in_json(value)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
