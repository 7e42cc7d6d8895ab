"""Lambda functions of a template, run in this process: what is deployed, who may invoke it, and how.

Python only. The code is what the template says before packaging: `Code: functions` is that folder beside the template
(EMULATOR_HANDLERS_DIR, by default `infra/`), and `ZipFile` is the code itself. Each invocation loads the code again, so
an edit counts at once. This module does not know its callers, the user pools and HTTP APIs.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from emulator import engine
from emulator.access.principals import Sessions, find_role, trust_policy
from emulator.functions.runtime import Failure, Invocation, prepare, run_in_thread
from iam import Principal, decide_trust

DEFAULT_FOLDER = Path(__file__).resolve().parent.parent.parent / "infra"
_SESSION_SECONDS = 3600
_DEFAULT_TIMEOUT = 3

Kind = Literal["raised", "timed-out", "broken"]


class HandlerFailed(Exception):
    """`raised`: the function's own error, which includes its time limit. `timed-out`: the caller stopped waiting.

    `broken`: the function does not exist, or its role cannot be assumed.
    """

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message


@dataclass(frozen=True, slots=True)
class Function:
    """Either `folder` or `text` holds the code; the other is empty. `timeout` is in seconds."""

    name: str
    arn: str
    handler: str
    role_arn: str
    timeout: float
    memory: int
    variables: Mapping[str, str]
    folder: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Permission:
    """A statement of a function's resource policy. An empty `source_arn` or `source_account` allows any."""

    principal: str
    source_arn: str = ""
    source_account: str = ""


@dataclass
class RuntimeContext:
    """The emulator's address, and the store for sessions of the functions' roles. Set once at the start."""

    endpoint_url: str = ""
    sessions: Sessions = field(default_factory=Sessions)


functions: dict[str, Function] = {}
permissions: dict[str, dict[str, Permission]] = {}
runtime_context = RuntimeContext()


def find_function(name_or_arn: str) -> Function | None:
    """A name without an ARN is looked up in the region of the call."""
    return functions.get(name_or_arn if name_or_arn.startswith("arn:") else _arn(name_or_arn))


def may_invoke(function_arn: str, *, principal: str, source_arn: str) -> bool:
    """Whether the function's resource policy lets this service invoke it for this resource."""
    return any(
        granted.principal == principal
        and (not granted.source_arn or fnmatchcase(source_arn, granted.source_arn.replace("[", "[[]")))
        and granted.source_account in ("", engine.ACCOUNT)
        for granted in permissions.get(function_arn, {}).values()
    )


async def run_handler(function: str, event: Mapping[str, Any], *, seconds: float | None = None) -> Any:
    """Returns the handler's result as JSON values. `seconds` is how long the caller waits. Raises `HandlerFailed`.

    The handler runs in a separate thread and may call the emulator over HTTP. The result of a late handler is ignored;
    Python cannot stop its thread.
    """
    found = find_function(function)
    if found is None:
        raise HandlerFailed("broken", f"Function not found: {function}")
    invocation = Invocation(
        function_name=found.name,
        function_arn=found.arn,
        handler=found.handler,
        memory=found.memory,
        folder=found.folder,
        text=found.text,
        environment={**found.variables, **_environment(found)},
        seconds=found.timeout,
        event=json.dumps(event),
    )
    limit = min(found.timeout, seconds or found.timeout)
    await prepare()
    try:
        async with asyncio.timeout(limit):
            return json.loads(await run_in_thread(invocation))
    except TimeoutError as late:
        if limit == found.timeout:
            raise HandlerFailed("raised", f"Task timed out after {limit:.2f} seconds") from late
        raise HandlerFailed("timed-out", f"{found.name} did not answer in {limit:g} seconds.") from late
    except Failure as failure:
        raise HandlerFailed("raised", str(failure)) from failure


def _environment(function: Function) -> dict[str, str]:
    role = _find_role(function.role_arn)
    session = runtime_context.sessions.open(role, name=function.name, seconds=_SESSION_SECONDS, tags={})
    region = function.arn.split(":")[3]
    return {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": session.key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.key.secret_access_key,
        "AWS_SESSION_TOKEN": session.token,
        "AWS_ENDPOINT_URL": runtime_context.endpoint_url,
    }


def _find_role(role_arn: str) -> dict[str, Any]:
    role = find_role(role_arn)
    lambda_service = Principal("Service", "lambda.amazonaws.com")
    if role is None or not decide_trust("sts:AssumeRole", trust_policy(role), {}, principal=lambda_service).allowed:
        raise HandlerFailed("broken", "The role defined for the function cannot be assumed by Lambda.")
    return role


# ── Resources of a template ─────────────────────────────────────────────────────────────────────────────────────────


def put_function(name: str, props: Mapping[str, Any]) -> Function:
    """Creates or updates an `AWS::Lambda::Function`. Raises ValueError for code that cannot run here."""
    if not str(props.get("Runtime", "")).startswith("python3."):
        raise ValueError("Only Python functions can run here.")
    folder, text = _code(props.get("Code"))
    try:
        _find_role(str(props.get("Role")))
    except HandlerFailed as failure:
        raise ValueError(failure.message) from failure
    variables = (props.get("Environment") or {}).get("Variables") or {}
    function = Function(
        name=name,
        arn=_arn(name),
        handler=str(props.get("Handler", "")),
        role_arn=str(props["Role"]),
        timeout=float(props.get("Timeout") or _DEFAULT_TIMEOUT),
        memory=int(props.get("MemorySize") or 128),
        variables={key: str(value) for key, value in variables.items()},
        folder=folder,
        text=text,
    )
    functions[function.arn] = function
    return function


def put_permission(statement_id: str, props: Mapping[str, Any]) -> None:
    """Creates an `AWS::Lambda::Permission`. Raises ValueError if the function does not exist."""
    function = find_function(str(props.get("FunctionName", "")))
    if function is None or props.get("Action") != "lambda:InvokeFunction":
        raise ValueError(
            f"The function {props.get('FunctionName')} does not exist, or the action is not lambda:InvokeFunction."
        )
    permissions.setdefault(function.arn, {})[statement_id] = Permission(
        str(props["Principal"]), str(props.get("SourceArn") or ""), str(props.get("SourceAccount") or "")
    )


def delete_function(name: str) -> None:
    functions.pop(_arn(name), None)
    permissions.pop(_arn(name), None)


def delete_permission(statement_id: str) -> None:
    for statements in permissions.values():
        statements.pop(statement_id, None)


def _code(code: object) -> tuple[str, str]:
    """Returns folder and text. One of them is empty."""
    if isinstance(code, Mapping) and isinstance(code.get("ZipFile"), str):
        return "", str(code["ZipFile"])
    base = Path(os.environ.get("EMULATOR_HANDLERS_DIR") or DEFAULT_FOLDER).resolve()
    folder = (base / code).resolve() if isinstance(code, str) else None
    if folder is None or not folder.is_dir() or not folder.is_relative_to(base):
        raise ValueError("Code must be a folder beside the template, or ZipFile. Deploy the template unpackaged.")
    return str(folder), ""


def _arn(name: str) -> str:
    return f"arn:aws:lambda:{engine.region()}:{engine.ACCOUNT}:function:{name}"
