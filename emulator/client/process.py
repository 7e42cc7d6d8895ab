"""Starts the emulator in a separate process and waits until it is ready. Standard library only."""

import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from emulator.root_key import UnreadableRootKey, read_root_key

_STOP_SECONDS = 5.0
_PIPE = subprocess.PIPE
_HERE = Path(__file__).resolve().parent.parent.parent


class EmulatorFailed(Exception):
    """The emulator did not start. The message is the last thing it printed."""


@dataclass(frozen=True, slots=True)
class RootKey:
    """The access key of the account's root, which may do everything. Give it only to code that starts or deploys."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(slots=True)
class Emulator:
    """A running emulator. It stops when its context manager ends, and when this process ends.

    It takes mail by SMTP at `smtp_port` of localhost.
    """

    endpoint_url: str
    smtp_port: int
    root: RootKey
    _process: "subprocess.Popen[bytes]" = field(repr=False)
    _log: threading.Thread = field(repr=False)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Stops the process and waits for it. A second call does nothing."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.join(_STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(*, port: int = 0, root: RootKey | None = None, state: Path | None = None, reset: bool = False) -> Emulator:
    """Returns when the emulator is ready. Raises `EmulatorFailed`.

    Port 0 picks a free port. Without `root` the key stored in `state` is used, or a random one. Without `state` nothing
    is saved.
    """
    key = root or (None if state else RootKey(f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30)))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EMULATOR_ROOT_")}
    if key is not None:
        environment["EMULATOR_ROOT_ACCESS_KEY_ID"] = key.access_key_id
        environment["EMULATOR_ROOT_SECRET_ACCESS_KEY"] = key.secret_access_key
    if folder := environment.get("EMULATOR_HANDLERS_DIR"):  # the emulator runs in another directory
        environment["EMULATOR_HANDLERS_DIR"] = str(Path(folder).absolute())
    command = [sys.executable, "-m", "emulator", "--port", str(port), "--with-parent"]
    if state is not None:
        command += ["--state", str(state.absolute())]
    if reset:
        command.append("--reset")
    process = subprocess.Popen(  # noqa: S603 - it runs this package
        command, stdin=_PIPE, stdout=_PIPE, stderr=_PIPE, env=environment, cwd=_HERE, start_new_session=True
    )
    out, err = cast(IO[bytes], process.stdout), cast(IO[bytes], process.stderr)
    line = out.readline()
    if not line:
        with out, err, cast(IO[bytes], process.stdin):
            process.wait(_STOP_SECONDS)
            raise EmulatorFailed(err.read().decode(errors="replace").strip() or "It ended without a message.")
    log = threading.Thread(target=_relay, args=(err,), name="emulator-log", daemon=True)
    log.start()
    ready = json.loads(line)
    return Emulator(ready["endpoint"], ready["smtp_port"], key or _stored_key(state), process, log)


def _stored_key(state: Path | None) -> RootKey:
    try:
        stored = read_root_key(state) if state else None
    except UnreadableRootKey as failure:
        raise EmulatorFailed(str(failure)) from failure
    if stored is None:
        raise EmulatorFailed(f"{state} holds no root key.")
    return RootKey(*stored)


def _relay(log: IO[bytes]) -> None:
    """Copies the emulator's warnings and errors to this program's standard error."""
    with log:
        for line in log:
            sys.stderr.write(line.decode(errors="replace"))
