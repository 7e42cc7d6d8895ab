"""Lambda functions of a template, run in this process: what is declared, who may invoke it, and one invocation.

Python only. The code is what the template says before it is packaged: `Code: .` is the template's own folder
(EMULATOR_HANDLERS_DIR; `infra/` unless it is set), `ZipFile` is the text itself. Every invocation loads it anew, so an
edit counts at once. Who invokes (a user pool, the HTTP API) and what they make of a failure is not known here.
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
    """`raised`: the function's own error, its time limit included. `timed-out`: the invoker waited no longer.

    `broken`: there is no such function, or its role cannot be assumed.
    """

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message


@dataclass(frozen=True, slots=True)
class Function:
    """`folder` and `text`: exactly one of them is where the code is. `timeout` in seconds."""

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
    """A statement of a function's resource policy. An empty `source_arn` or `source_account` is any."""

    principal: str
    source_arn: str = ""
    source_account: str = ""


@dataclass
class RuntimeContext:
    """Where functions find this emulator, and who opens the sessions of their roles. Set once, at the start."""

    endpoint_url: str = ""
    sessions: Sessions = field(default_factory=Sessions)


functions: dict[str, Function] = {}
permissions: dict[str, dict[str, Permission]] = {}
runtime_context = RuntimeContext()


def find_function(name_or_arn: str) -> Function | None:
    """A bare name is looked for in the region of the call."""
    return functions.get(name_or_arn if name_or_arn.startswith("arn:") else _arn(name_or_arn))


def may_invoke(function_arn: str, *, principal: str, source_arn: str) -> bool:
    """Whether the function's resource policy lets this service invoke it on behalf of this resource."""
    return any(
        granted.principal == principal
        and (not granted.source_arn or fnmatchcase(source_arn, granted.source_arn.replace("[", "[[]")))
        and granted.source_account in ("", engine.ACCOUNT)
        for granted in permissions.get(function_arn, {}).values()
    )


async def run_handler(function: str, event: Mapping[str, Any], *, seconds: float | None = None) -> Any:
    """What the handler returns, as JSON values. `seconds` is how long the invoker waits. Raises `HandlerFailed`.

    The handler runs in a thread of its own and may call back over HTTP. One that is too late is not listened to any
    more; Python offers no way to stop it.
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


# ── In a template ───────────────────────────────────────────────────────────────────────────────────────────────────


def put_function(name: str, props: Mapping[str, Any]) -> Function:
    """An `AWS::Lambda::Function` made or changed. Raises ValueError for what cannot be run here."""
    if not str(props.get("Runtime", "")).startswith("python3."):
        raise ValueError("Only functions in Python are run here.")
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
    """An `AWS::Lambda::Permission` made. Raises ValueError where there is no such function."""
    function = find_function(str(props.get("FunctionName", "")))
    if function is None or props.get("Action") != "lambda:InvokeFunction":
        raise ValueError(f"Function not found, or not to be invoked: {props.get('FunctionName')}")
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
    """Folder and text, one of them empty."""
    if isinstance(code, Mapping) and isinstance(code.get("ZipFile"), str):
        return "", str(code["ZipFile"])
    base = Path(os.environ.get("EMULATOR_HANDLERS_DIR") or DEFAULT_FOLDER).resolve()
    folder = (base / code).resolve() if isinstance(code, str) else None
    if folder is None or not folder.is_dir() or not folder.is_relative_to(base):
        raise ValueError("Code has to be a folder beside the template, or ZipFile: deploy the template unpackaged.")
    return str(folder), ""


def _arn(name: str) -> str:
    return f"arn:aws:lambda:{engine.region()}:{engine.ACCOUNT}:function:{name}"
