"""Runs one invocation of a Python handler in a thread of this process, as Lambda's runtime would.

Each handler gets its own environment variables and default boto3 session. Both are looked up by context, so handlers
that run at the same time do not share them, and the emulator does not see them.
"""

import asyncio
import builtins
import contextlib
import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any


class Failure(Exception):
    """The handler could not be loaded, raised this error, or returned a value that is not JSON."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """`event` is JSON text. `seconds` is the function's own time limit."""

    function_name: str
    function_arn: str
    handler: str
    memory: int
    folder: str
    text: str
    environment: Mapping[str, str]
    seconds: float
    event: str


class Context:
    """The handler's second argument. Follows "Using the Lambda context object" in the Lambda Developer Guide."""

    function_version = "$LATEST"
    identity = None
    client_context = None

    def __init__(self, invocation: Invocation) -> None:
        self.function_name = invocation.function_name
        self.invoked_function_arn = invocation.function_arn
        self.memory_limit_in_mb = invocation.memory
        self.aws_request_id = str(uuid.uuid4())
        self.log_group_name = f"/aws/lambda/{invocation.function_name}"
        self.log_stream_name = "local"
        self._deadline = time.monotonic() + invocation.seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))


@dataclass
class _Run:
    environment: dict[str, str]
    session: Any = field(default=None)


_run: ContextVar[_Run | None] = ContextVar("lambda_run", default=None)
_once = threading.Lock()


async def prepare() -> None:
    """Loads what every handler needs, once, so that it does not count towards a handler's time limit."""
    await asyncio.to_thread(_patch_once)


async def run_in_thread(invocation: Invocation) -> str:
    """Returns the handler's result as JSON. Raises `Failure`."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def work() -> None:
        try:
            result = _invoke(invocation)
        except Failure as failure:
            _settle(loop, answer, partial(answer.set_exception, failure))
        else:
            _settle(loop, answer, partial(answer.set_result, result))

    # The loop's thread pool would wait for a handler that never ends when the process exits.
    threading.Thread(target=work, name=f"lambda-{invocation.function_name}", daemon=True).start()
    return await answer


def _settle(loop: asyncio.AbstractEventLoop, answer: "asyncio.Future[str]", settle: Callable[[], None]) -> None:
    def settle_if_pending() -> None:
        if not answer.done():
            settle()

    with contextlib.suppress(RuntimeError):  # the emulator has stopped meanwhile
        loop.call_soon_threadsafe(settle_if_pending)


def _invoke(invocation: Invocation) -> str:
    fixed = {
        "AWS_LAMBDA_FUNCTION_NAME": invocation.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": Context.function_version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(invocation.memory),
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "_HANDLER": invocation.handler,
    }
    _run.set(_Run({**invocation.environment, **fixed}))
    handler = _load(invocation)
    try:
        return json.dumps(handler(json.loads(invocation.event), Context(invocation)))
    except Exception as failure:
        raise Failure(str(failure) or type(failure).__name__) from failure


def _load(invocation: Invocation) -> Callable[[Any, Context], Any]:
    module_name, _, function_name = invocation.handler.rpartition(".")
    path = Path(invocation.folder) / f"{module_name}.py"
    module = ModuleType(module_name)
    module.__dict__.update(__file__=str(path), print=partial(builtins.print, file=sys.stderr))
    try:
        source = invocation.text or path.read_text("utf-8")
        exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102 - this module exists to run such code
        handler: Callable[[Any, Context], Any] = getattr(module, function_name)
    except Exception as failure:
        raise Failure(f"Unable to import module '{module_name}': {failure}") from failure
    return handler


class _Environment(MutableMapping[str, str]):
    """The process's environment. Within a run, the run's own variables come first."""

    def __init__(self, process: MutableMapping[str, str]) -> None:
        self._process = process

    def _variables(self) -> dict[str, str]:
        run = _run.get()
        return {**self._process, **(run.environment if run else {})}

    def __getitem__(self, name: str) -> str:
        run = _run.get()
        if run is not None and name in run.environment:
            return run.environment[name]
        return self._process[name]

    def __setitem__(self, name: str, value: str) -> None:
        run = _run.get()
        (self._process if run is None else run.environment)[name] = value

    def __delitem__(self, name: str) -> None:
        run = _run.get()
        del (self._process if run is None else run.environment)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables())

    def __len__(self) -> int:
        return len(self._variables())

    def copy(self) -> dict[str, str]:
        return self._variables()


def _patch_once() -> None:
    with _once:
        _patch_boto3_and_environment()


@cache
def _patch_boto3_and_environment() -> None:
    import boto3

    shared = boto3._get_default_session

    def default_session() -> Any:
        run = _run.get()
        if run is None:
            return shared()
        if run.session is None:
            run.session = boto3.Session()
        return run.session

    boto3._get_default_session = default_session
    os.environ = _Environment(os.environ)  # type: ignore[assignment]  # noqa: B003
