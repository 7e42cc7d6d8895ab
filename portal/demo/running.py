"""Runs the demo and ends it: the emulator with the stack in it, a database to go with it, the worker, the portal."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode

from emulator.client import process as emulator_process
from emulator.client.deploy import DeployFailed
from emulator.client.process import Emulator, EmulatorFailed
from emulator.client.sign_in import Credentials
from emulator.state.directory import KEPT_PASSWORD, write_privately
from portal.demo import processes
from portal.demo.cast import ACME, ACME_OWNER, CAST, GLOBEX, OPERATOR
from portal.demo.processes import LOOPBACK, MANAGE, PORTAL_LOG, WORKER_LOG, CannotRun, environment_for_children, shown
from portal.demo.world import World, build, closing_credentials, is_built, portal_credentials, resume
from portal.environment import VAR

ENV_FILE = VAR / "demo.env"
CLOSING_ENV_FILE = VAR / "closing.env"
DATABASE_FILE = VAR / "demo.sqlite3"
# The user pool that the database is about.
_POOL_FILE = VAR / "demo.pool"

Tell = Callable[[str], None]


def run(*, tell: Tell) -> None:
    """Blocks until Ctrl-C or SIGTERM. Raises CannotRun."""
    port, emulator_port = _port("PORT", 8000), _port("EMULATOR_PORT", 4566)
    with ExitStack() as running, _ended_like_interrupted():
        try:
            running.enter_context(_alone_in_var())
            tell("Starting the emulator")
            world = _world(running, emulator_port, f"http://localhost:{port}", tell)
            environment = _write_environment(world)
            tell("Preparing the database")
            _put_members_in_place(world, environment)
            tell("Starting the worker and the portal")
            worker = running.enter_context(processes.worker(environment))
            portal = running.enter_context(processes.portal(port, environment))
            tell(_welcome(world, portal.popen.pid))
            processes.watch(portal, worker, world.emulator, tell=tell)
        except KeyboardInterrupt:
            tell("\nStopping.")


def run_emulator(*, tell: Tell, state: Path | None = None, reset: bool = False) -> None:
    """Blocks until Ctrl-C or SIGTERM. Raises CannotRun. What is in it is kept in the directory `state`, if any."""
    port, emulator_port = _port("PORT", 8000, must_be_free=False), _port("EMULATOR_PORT", 4566)
    with ExitStack() as running, _ended_like_interrupted():
        try:
            running.enter_context(_alone_in_var())
            world = _world(running, emulator_port, f"http://localhost:{port}", tell, state=state, reset=reset)
            _put_members_in_place(world, _write_environment(world))
            tell(f"{world.emulator.endpoint_url}  password: {world.password}  settings: {shown(ENV_FILE)}")
            while world.emulator.running:
                time.sleep(0.5)
            raise CannotRun("The emulator ended by itself.")
        except KeyboardInterrupt:
            tell("\nStopping.")


def _world(
    running: ExitStack,
    emulator_port: int,
    portal_url: str,
    tell: Tell,
    *,
    state: Path | None = None,
    reset: bool = False,
) -> World:
    try:
        emulator = running.enter_context(emulator_process.start(port=emulator_port, state=state, reset=reset))
        return open_world(emulator, portal_url, tell, state=state)
    except (EmulatorFailed, DeployFailed) as error:
        raise CannotRun(str(error)) from error


def open_world(emulator: Emulator, portal_url: str, tell: Tell, *, state: Path | None) -> World:
    """Builds the demo's world or, where `state` holds one, goes on with it. Raises CannotRun, DeployFailed."""
    if state is None:
        return build(emulator=emulator, portal_url=portal_url, tell=tell)
    password = state / KEPT_PASSWORD
    if password.exists():
        tell(f"Going on with what is kept in {state}")
        return resume(emulator=emulator, portal_url=portal_url, password=password.read_text("utf-8"), tell=tell)
    if is_built(emulator):
        raise CannotRun(f"The demo kept in {state} was never finished; --reset begins anew.")
    world = build(emulator=emulator, portal_url=portal_url, tell=tell)
    # Last: it says that people and rows are complete.
    write_privately(password, world.password)
    return world


def _port(variable: str, default: int, *, must_be_free: bool = True) -> int:
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise CannotRun(f"{variable}={text} is not a port between 1 and 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, int(text)))
        except OSError as error:
            if must_be_free:
                raise CannotRun(f"Port {text} is taken; choose another one with {variable}.") from error
    return int(text)


def _write_environment(world: World) -> dict[str, str]:
    """All settings of the demo, readable by its owner alone, for this and other terminals."""
    # Of an earlier world: sessions and credentials that mean nothing in this one.
    shutil.rmtree(VAR / "cache", ignore_errors=True)
    settings = {
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(60),
        "PORTAL_URL": world.portal_url,
        "DATABASE_URL": f"sqlite:///{DATABASE_FILE}",
        "CACHE_URL": f"filecache://{VAR / 'cache'}",
        "EMAIL_URL": "consolemail://",
        "TOKEN_ENCRYPTION_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
        **world.settings,
        **_as_variables(portal_credentials(world)),
    }
    _write_variables(ENV_FILE, settings)
    # In a file of their own, which no process of the demo is started with.
    _write_variables(CLOSING_ENV_FILE, _as_variables(closing_credentials(world)))
    return settings


def _as_variables(credentials: Credentials) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
    }


def _write_variables(path: Path, variables: Mapping[str, str]) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())


def _put_members_in_place(world: World, environment: Mapping[str, str]) -> None:
    """Raises CannotRun. A database that is about another world goes: it would suspend and close what is new here."""
    if not _POOL_FILE.exists() or _POOL_FILE.read_text() != world.settings["COGNITO_USER_POOL_ID"]:
        for ending in ("", "-wal", "-shm"):
            DATABASE_FILE.with_name(f"{DATABASE_FILE.name}{ending}").unlink(missing_ok=True)
        _POOL_FILE.write_text(world.settings["COGNITO_USER_POOL_ID"])
    done = subprocess.run(  # noqa: S603 - this very program
        [*MANAGE, "demo_prepare"],
        input=json.dumps(dict(world.subs)),
        env=environment_for_children(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CannotRun(f"The database could not be prepared:\n{done.stderr.strip()[-2000:]}")


@contextmanager
def _alone_in_var() -> Iterator[None]:
    """Settings, database and cache of a demo are in `var/`, so a checkout runs one at a time."""
    VAR.mkdir(mode=0o700, exist_ok=True)
    with (VAR / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotRun("A demo is running from this checkout already; end it first.") from error
        yield


@contextmanager
def _ended_like_interrupted() -> Iterator[None]:
    """However this process is asked to end, closing its terminal included, it ends the others."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _welcome(world: World, portal_pid: int) -> str:
    people = "\n".join(
        f"  {member.email:<28} {member.role:<9} {member.organisation.name if member.organisation else 'the platform'}"
        for member in CAST
    )
    foreign = urlencode({"pk": GLOBEX.space.collection("orders")})
    return f"""
The portal:   {world.portal_url}
Its AWS:      {world.emulator.endpoint_url}   (mail: {world.emulator.endpoint_url}/mailbox)
password: {world.password}

{people}

Sign in as owner@acme.example, then ask for a key of Globex and read AWS's refusal:
  {world.portal_url}/access/?{foreign}
  ({ACME.name} is {ACME.org_id}, {GLOBEX.name} is {GLOBEX.org_id})

Sign in as {OPERATOR.email} and suspend Acme: its owner is refused by the portal, then by Cognito and AWS:
  {world.portal_url}/operators/
  (in a second terminal, manage.py demo_read {ACME_OWNER.email} shows the moment)

Open this page as {ACME_OWNER.email}, stop the portal, and read on: your browser asks AWS, and AWS still refuses.
  {world.portal_url}/direct/
  (kill -STOP -{portal_pid} stops the portal, kill -CONT -{portal_pid} lets it go on)

Settings for a second terminal:  set -a; . {shown(ENV_FILE)}; set +a
To close a tenant there:         set -a; . {shown(ENV_FILE)}; . {shown(CLOSING_ENV_FILE)}; set +a
Logs of portal and worker:       {shown(PORTAL_LOG)}, {shown(WORKER_LOG)}
Ctrl-C ends all of it."""
