"""A program `aws` for tests that follow the documentation: it makes the calls of a command line at the local AWS.

The program itself only hands its arguments to a thread of the test, because importing boto3 for each call would take
longer than the call.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import jmespath
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator.client.deploy import deploy
from emulator.client.process import Emulator
from tests.world.aws_cli import AwsCall, parse
from tests.world.aws_queries import WrongCommand

# Of the others, the local AWS has nothing. Their commands are checked, and print nothing.
_SERVED = ("cloudformation", "cognito-identity", "cognito-idp", "dynamodb", "iam", "sts")
_ONE_AT_A_TIME = threading.Lock()
_REFUSED_BY_AWS, _REFUSED_BY_THE_CLI = 254, 252
_CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({address!r})
    line.sendall(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode() + b"\\n")
    code, out, err = json.loads(line.makefile().readline())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""


@contextmanager
def aws_program(folder: Path, emulator: Emulator) -> Iterator[None]:
    """`folder/aws` works until the end of the block."""
    address = folder / "aws.socket"

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            words, environment, here = json.loads(self.rfile.readline())
            self.wfile.write(json.dumps(run(words, environment, Path(here), emulator)).encode() + b"\n")

    program = folder / "aws"
    program.write_text(_CLIENT.format(python=sys.executable, address=str(address)))
    program.chmod(0o755)
    with socketserver.ThreadingUnixStreamServer(str(address), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def run(words: Sequence[str], environment: Mapping[str, str], folder: Path, emulator: Emulator) -> tuple[int, str, str]:
    """The exit code and what is printed, as the CLI does."""
    try:
        call = parse(words, folder=folder)
        answer = _answer(call, environment, folder, emulator)
    except WrongCommand as wrong:
        return _REFUSED_BY_THE_CLI, "", f"aws: {wrong}\n"
    except ClientError as refused:
        return _REFUSED_BY_AWS, "", f"\n{refused}\n"
    return 0, _printed(call, answer), ""


def _answer(call: AwsCall, environment: Mapping[str, str], folder: Path, emulator: Emulator) -> Any:
    if call.service not in _SERVED or call.parameters is None:
        return _answer_of_the_cli(call, folder, emulator)
    with _ONE_AT_A_TIME:
        client = _client(
            call.service,
            emulator.endpoint_url,
            environment.get("AWS_REGION", "eu-west-1"),
            environment.get("AWS_ACCESS_KEY_ID", ""),
            environment.get("AWS_SECRET_ACCESS_KEY", ""),
            environment.get("AWS_SESSION_TOKEN", ""),
            is_signed="--no-sign-request" not in call.options.given,
        )
    assert call.operation is not None
    answer = client._make_api_call(call.operation.name, dict(call.parameters))
    del answer["ResponseMetadata"]
    return answer


@cache
def _client(service: str, endpoint: str, region: str, key: str, secret: str, token: str, *, is_signed: bool) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=key or None,
        aws_secret_access_key=secret or None,
        aws_session_token=token or None,
        config=Config(signature_version=None if is_signed else UNSIGNED, retries={"total_max_attempts": 1}),
    )


def _answer_of_the_cli(call: AwsCall, folder: Path, emulator: Emulator) -> None:
    template = folder / (call.options.one("--template-file") or "")
    if (call.service, call.command) == ("cloudformation", "package"):
        # The local AWS takes the functions from the project's folder, so nothing has to be uploaded.
        (folder / str(call.options.one("--output-template-file"))).write_text(template.read_text())
    elif (call.service, call.command) == ("cloudformation", "deploy"):
        given = call.options.given.get("--parameter-overrides", [])
        deploy(
            emulator.endpoint_url,
            emulator.root,
            template=template,
            stack_name=str(call.options.one("--stack-name")),
            parameters=dict(pair.split("=", 1) for pair in given),
        )


def _printed(call: AwsCall, answer: Any) -> str:
    if answer is None or answer == {}:
        return ""
    found = jmespath.search(query, answer) if (query := call.options.one("--query")) else answer
    if call.options.one("--output") == "text":
        return "\n".join(_lines(found)) + "\n"
    return json.dumps(found, indent=4, default=str) + "\n"


def _lines(found: Any) -> Iterator[str]:
    """Text as the CLI prints it: a line for each list, its values between tabs. Only for scalars and lists of them."""
    if not isinstance(found, list):
        yield str(found)
    elif any(isinstance(item, list) for item in found):
        for item in found:
            yield from _lines(item)
    elif found:
        yield "\t".join(map(str, found))
