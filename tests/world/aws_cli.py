"""A command line of the AWS CLI as a call of AWS: which operation it is, and whether its options and values are right.

botocore's service models say so, since the CLI makes its commands from the same models. What the CLI adds of its own is
listed below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.validate import ParamValidator

from tests.world.aws_queries import WrongCommand, check_query

# Stands for an answer of AWS while commands are only checked. Long enough for every text that AWS takes.
ANYTHING = "ANYTHING-THAT-AWS-HAS-ANSWERED-BEFORE"
# Of every command: those with a value, and those without.
_GLOBAL = {"--region", "--profile", "--output", "--query", "--endpoint-url", "--cli-binary-format", "--color"}
_GLOBAL_SWITCHES = {"--no-cli-pager", "--no-paginate", "--no-sign-request", "--debug"}
_OUTPUTS = {"json", "text", "table", "yaml", "yaml-stream", "off"}
_PAGING = {"--max-items", "--starting-token", "--page-size"}
_NAMES = {"s3api": "s3", "configservice": "config", "deploy": "codedeploy"}
# Operations whose answer is a file, which is named without an option.
_TO_FILE = {("s3api", "get-object"), ("lambda", "invoke")}
# Options that the CLI calls otherwise than the operation does.
_RENAMED = {("Subscribe", "--notification-endpoint"): "--endpoint"}
# Commands of the CLI that are no operation: how many words stand without an option, and their options.
_OWN: dict[tuple[str, str], tuple[int, set[str]]] = {
    ("cloudformation", "package"): (0, {
        "--template-file", "--s3-bucket", "--s3-prefix", "--kms-key-id", "--output-template-file", "--use-json",
        "--force-upload", "--metadata",
    }),
    ("cloudformation", "deploy"): (0, {
        "--template-file", "--stack-name", "--s3-bucket", "--force-upload", "--s3-prefix", "--kms-key-id",
        "--parameter-overrides", "--capabilities", "--no-execute-changeset", "--disable-rollback",
        "--no-disable-rollback", "--role-arn", "--notification-arns", "--fail-on-empty-changeset",
        "--no-fail-on-empty-changeset", "--tags",
    }),
    ("ecr", "get-login-password"): (0, set()),
    ("logs", "tail"): (1, {"--since", "--follow", "--format", "--filter-pattern", "--log-stream-names"}),
    ("s3", "ls"): (1, {"--recursive", "--human-readable", "--summarize"}),
    ("s3", "cp"): (2, {"--recursive", "--only-show-errors", "--sse"}),
    ("s3", "sync"): (2, {"--delete", "--only-show-errors", "--sse"}),
}  # fmt: skip
_REQUIRED = {
    ("cloudformation", "package"): {"--template-file", "--s3-bucket"},
    ("cloudformation", "deploy"): {"--template-file", "--stack-name"},
}


@dataclass(slots=True)
class Options:
    """Options by name, with their values, and the words before, between and after them."""

    words: list[str] = field(default_factory=list)
    given: dict[str, list[str]] = field(default_factory=dict)

    def one(self, name: str) -> str | None:
        values = self.given.get(name)
        return values[0] if values else None


@dataclass(frozen=True, slots=True)
class AwsCall:
    """`parameters` are None for a command of the CLI's own, and for one that waits."""

    service: str
    command: str
    options: Options
    operation: OperationModel | None
    parameters: Mapping[str, Any] | None


def parse(words: Sequence[str], *, folder: Path, is_whole: bool = True) -> AwsCall:
    """`words` after `aws`. Files of `file://` are in `folder`. Raises WrongCommand.

    A command that is only mentioned, not written out, is not whole: required options may be missing.
    """
    options = _split(words)
    if len(options.words) < 2:
        raise WrongCommand("a service and an operation are missing")
    service, command = options.words[:2]
    rest = options.words[2:]
    _check_global(options)
    given = {name: values for name, values in options.given.items() if name not in _GLOBAL | _GLOBAL_SWITCHES}
    if (service, command) in _OWN:
        _check_own(service, command, rest, given, is_whole=is_whole)
        return AwsCall(service, command, options, None, None)
    waits = command == "wait"
    if waits and not rest:
        raise WrongCommand("it does not say what to wait for")
    operation = _waited_for(service, rest.pop(0)) if waits else _operation(service, command)
    if (service, command) in _TO_FILE:
        _take_file(rest, given)
    if rest:
        raise WrongCommand(f"unexpected: {' '.join(rest)}")
    parameters = _parameters(operation, given, folder=folder, is_whole=is_whole)
    if query := options.one("--query"):
        check_query(query, operation)
    return AwsCall(service, command, options, operation, None if waits else parameters)


def _take_file(rest: list[str], given: Mapping[str, list[str]]) -> None:
    """The name of the file, which may stand after the last option's value."""
    last = list(given.values())[-1] if given else []
    if not rest and len(last) < 2:
        raise WrongCommand("there is no file for the answer")
    (rest or last).pop()


def _split(words: Sequence[str]) -> Options:
    options, name = Options(), ""
    for word in words:
        if word.startswith("--"):
            name, _, value = word.partition("=")
            if name in options.given:
                raise WrongCommand(f"{name} stands there twice")
            options.given[name] = [value] if value else []
        elif name and not _is_full(name, options):
            options.given[name].append(word)
        else:
            options.words.append(word)
    return options


def _is_full(name: str, options: Options) -> bool:
    """Whether the next word is not another value of this option."""
    return name in _GLOBAL_SWITCHES or (name in _GLOBAL and bool(options.given[name]))


def _check_global(options: Options) -> None:
    for name in _GLOBAL & set(options.given):
        if len(options.given[name]) != 1:
            raise WrongCommand(f"{name} needs one value")
    if (form := options.one("--output")) and form not in _OUTPUTS:
        raise WrongCommand(f"there is no output {form}")


def _check_own(
    service: str, command: str, rest: Sequence[str], given: Mapping[str, list[str]], *, is_whole: bool
) -> None:
    count, known = _OWN[service, command]
    if unknown := set(given) - known:
        raise WrongCommand(f"aws {service} {command} has no {', '.join(sorted(unknown))}")
    missing = _REQUIRED.get((service, command), set()) - set(given)
    if is_whole and (missing or len(rest) != count):
        raise WrongCommand(f"missing or too many: {', '.join(sorted(missing)) or rest}")


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


@cache
def _model(service: str) -> Any:
    name = _NAMES.get(service, service)
    if service in _NAMES.values() or name not in _session().get_available_services():
        raise WrongCommand(f"there is no service {service}")
    return _session().get_service_model(name)


def _operation(service: str, command: str) -> OperationModel:
    model = _model(service)
    for name in model.operation_names:
        if xform_name(name, "-") == command:
            operation: OperationModel = model.operation_model(name)
            return operation
    raise WrongCommand(f"{service} has no operation {command}")


def _waited_for(service: str, state: str) -> OperationModel:
    model = _model(service)
    waiters = _session().get_waiter_model(_NAMES.get(service, service))
    for name in waiters.waiter_names:
        if xform_name(name, "-") == state:
            operation: OperationModel = model.operation_model(waiters.get_waiter(name).operation)
            return operation
    raise WrongCommand(f"{service} cannot wait for {state}")


def _parameters(
    operation: OperationModel, given: Mapping[str, list[str]], *, folder: Path, is_whole: bool
) -> Mapping[str, Any]:
    shape = operation.input_shape
    members: Mapping[str, Shape] = shape.members if shape else {}
    found: dict[str, Any] = {}
    if (text := given.get("--cli-input-json")) is not None:
        found = json.loads(_text(" ".join(text), folder))
        given = {name: values for name, values in given.items() if name != "--cli-input-json"}
    for name, values in given.items():
        if name in _PAGING and _session_can_page(operation):
            continue
        key, member, is_yes = _member(members, name, operation)
        found[key] = is_yes if _is_switch(member) and not values else _value(member, values, name, folder)
    if shape is not None:
        _validate(found, shape, is_whole=is_whole)
    return found


def _session_can_page(operation: OperationModel) -> bool:
    model = operation.service_model
    pages = _session().get_paginator_model(model.service_name)
    return operation.name in pages._paginator_config


def _member(members: Mapping[str, Shape], name: str, operation: OperationModel) -> tuple[str, Shape, bool]:
    name = _RENAMED.get((operation.name, name), name)
    for key, member in members.items():
        option = f"--{xform_name(key, '-')}"
        if name == option:
            return key, member, True
        if _is_switch(member) and name == option.replace("--", "--no-", 1):
            return key, member, False
    raise WrongCommand(f"{operation.name} has no {name}")


def _is_switch(shape: Shape) -> bool:
    return shape.type_name == "boolean"


def _validate(parameters: Mapping[str, Any], shape: StructureShape, *, is_whole: bool) -> None:
    report = ParamValidator().validate(parameters, shape)
    errors = report.generate_report().splitlines() if report.has_errors() else []
    serious = [error for error in errors if is_whole or "Missing required" not in error]
    if serious:
        raise WrongCommand("; ".join(serious))


def _text(value: str, folder: Path) -> str:
    if not value.startswith(("file://", "fileb://")):
        return value
    file = folder / value.partition("://")[2]
    if not file.is_file():
        raise WrongCommand(f"there is no file {value}")
    return file.read_text()


def _value(shape: Shape, values: Sequence[str], name: str, folder: Path) -> Any:
    if not values:
        raise WrongCommand(f"{name} needs a value")
    texts = [_text(value, folder) for value in values]
    if isinstance(shape, ListShape):
        return _list(shape, texts)
    if isinstance(shape, MapShape) and len(texts) > 1:
        return {key: item for text in texts for key, item in _convert(shape, _structured(text)).items()}
    if len(texts) > 1:
        raise WrongCommand(f"{name} takes one value, not {len(texts)}")
    whole = isinstance(shape, StructureShape | MapShape)
    return _convert(shape, _structured(texts[0]) if whole else texts[0])


def _list(shape: ListShape, texts: Sequence[str]) -> Any:
    if len(texts) == 1 and texts[0].lstrip().startswith("["):
        return _convert(shape, _json(texts[0]))
    if isinstance(shape.member, StructureShape | MapShape):
        return [_convert(shape.member, _structured(text)) for text in texts]
    if isinstance(shape.member, ListShape):
        return [_convert(shape.member, _json(text)) for text in texts]
    return [_convert(shape.member, text) for text in texts]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise WrongCommand(f"not JSON: {text}") from error


def _structured(text: str) -> Any:
    """JSON, or the CLI's short form: `Key=value,Other=[a,b],Third={Inner=value}`."""
    if text.lstrip().startswith(("{", "[")):
        return _json(text)
    value, rest = _short(text)
    if rest:
        raise WrongCommand(f"not understood: {rest}")
    return value


def _short(text: str) -> tuple[dict[str, Any], str]:
    found: dict[str, Any] = {}
    while match := re.match(r"([\w:.\-/]+)=", text):
        value, text = _short_value(text[match.end() :])
        found[match[1]] = value
        if not text.startswith(","):
            break
        text = text[1:]
    if not found:
        raise WrongCommand(f"neither JSON nor key=value: {text}")
    return found, text


def _short_value(text: str) -> tuple[Any, str]:
    if text.startswith("{"):
        inner, rest = _short(text[1:])
        return inner, rest.removeprefix("}")
    if text.startswith("["):
        inside, _, rest = text[1:].partition("]")
        return inside.split(","), rest
    # Words up to the next key: `Key=a,b,Other=c` is a list and a text.
    match = re.match(r"[^,}\]]*(?:,(?![\w:.\-/]+=)[^,}\]]*)*", text)
    words = match[0].split(",") if match else [""]
    return (words if len(words) > 1 else words[0]), text[len(",".join(words)) :]


def _convert(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        if unknown := set(value) - set(shape.members):
            raise WrongCommand(f"{shape.name} has no {', '.join(sorted(unknown))}")
        return {key: _convert(shape.members[key], item) for key, item in value.items()}
    if isinstance(shape, MapShape):
        return {key: _convert(shape.value, item) for key, item in value.items()}
    if isinstance(shape, ListShape):
        return [_convert(shape.member, item) for item in (value if isinstance(value, list) else [value])]
    return _scalar(shape, value)


def _scalar(shape: Shape, value: Any) -> Any:
    if isinstance(value, str) and shape.type_name in ("integer", "long", "float", "double"):
        if value == ANYTHING:
            return 1
        if not re.fullmatch(r"-?\d+(\.\d+)?", value):
            raise WrongCommand(f"{value} is no number")
        return float(value) if shape.type_name in ("float", "double") else int(value)
    if isinstance(value, str) and shape.type_name == "boolean":
        if value not in ("true", "false"):
            raise WrongCommand(f"{value} is neither true nor false")
        return value == "true"
    choices = getattr(shape, "enum", None)
    if choices and value not in (*choices, ANYTHING):
        raise WrongCommand(f"{value} is not one of {', '.join(choices)}")
    return value
