"""Runs the demo and ends it: the emulator with the stack, a database, the worker and the portal."""

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
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

from emulator.client import process as emulator_process
from emulator.client.deploy import DeployFailed
from emulator.client.process import Emulator, EmulatorFailed
from emulator.client.sign_in import Credentials
from emulator.state.directory import KEPT_PASSWORD, write_privately
from portal.demo import processes
from portal.demo.cast import ACME, ACME_OWNER, CAST, GLOBEX, OPERATOR
from portal.demo.processes import (
    LOOPBACK,
    MANAGE,
    PORTAL_LOG,
    WORKER_LOG,
    CannotRun,
    environment_for_children,
    short_path,
)
from portal.demo.world import (
    MAIL_FROM,
    SIGN_UPS,
    World,
    build,
    closing_credentials,
    deployer_credentials,
    is_built,
    kept_sign_up,
    portal_credentials,
    resume,
)
from portal.environment import VAR

ENV_FILE = VAR / "demo.env"
CLOSING_ENV_FILE = VAR / "closing.env"
DEPLOYER_ENV_FILE = VAR / "deployer.env"
DATABASE_FILE = VAR / "demo.sqlite3"
# The id of the user pool whose people are in the database.
_POOL_FILE = VAR / "demo.pool"

Tell = Callable[[str], None]


def run(*, tell: Tell) -> None:
    """Blocks until Ctrl-C or SIGTERM. Raises CannotRun."""
    port, emulator_port, sign_up = _port("PORT", 8000), _port("EMULATOR_PORT", 4566), _sign_up()
    with signals_as_ctrl_c(), ExitStack() as running:
        try:
            running.enter_context(_only_demo_in_var())
            tell("Starting the emulator")
            world = _world(running, emulator_port, f"http://localhost:{port}", sign_up, tell)
            environment = _write_environment(world)
            tell("Preparing the database")
            _prepare_database(world, environment)
            tell("Starting the worker and the portal")
            guard = running.enter_context(processes.guard())
            worker = running.enter_context(processes.worker(environment, guard))
            portal = running.enter_context(processes.portal(port, environment, guard))
            tell(_welcome(world, portal.popen.pid))
            processes.watch(portal, worker, world.emulator, tell=tell)
        except KeyboardInterrupt:
            _say_farewell(tell)


def run_emulator(*, tell: Tell, state: Path | None = None, reset: bool = False) -> None:
    """Blocks until Ctrl-C or SIGTERM. Keeps the emulator's data in the directory `state`, if any. Raises CannotRun."""
    port, emulator_port = _port("PORT", 8000, must_be_free=False), _port("EMULATOR_PORT", 4566)
    sign_up = _sign_up()
    with signals_as_ctrl_c(), ExitStack() as running:
        try:
            running.enter_context(_only_demo_in_var())
            portal_url = f"http://localhost:{port}"
            world = _world(running, emulator_port, portal_url, sign_up, tell, state=state, reset=reset)
            _prepare_database(world, _write_environment(world))
            tell(f"{world.emulator.endpoint_url}  password: {world.password}  settings: {short_path(ENV_FILE)}")
            while world.emulator.running:
                time.sleep(0.5)
            raise CannotRun("The emulator ended by itself.")
        except KeyboardInterrupt:
            _say_farewell(tell)


def _world(
    running: ExitStack,
    emulator_port: int,
    portal_url: str,
    sign_up: str,
    tell: Tell,
    *,
    state: Path | None = None,
    reset: bool = False,
) -> World:
    try:
        emulator = running.enter_context(emulator_process.start(port=emulator_port, state=state, reset=reset))
        return open_world(emulator, portal_url, tell, state=state, sign_up=sign_up)
    except (EmulatorFailed, DeployFailed) as error:
        raise CannotRun(str(error)) from error


def open_world(
    emulator: Emulator, portal_url: str, tell: Tell, *, state: Path | None, sign_up: str = SIGN_UPS[0]
) -> World:
    """Resumes the world kept in `state`, or builds a new one. Raises CannotRun, DeployFailed."""
    if state is None:
        return build(emulator=emulator, portal_url=portal_url, sign_up=sign_up, tell=tell)
    password = state / KEPT_PASSWORD
    if password.exists():
        if (kept := kept_sign_up(emulator)) != sign_up:
            raise CannotRun(f"The data in {state} needs SIGN_UP={kept}. Start afresh with --reset.")
        tell(f"Continuing with the data in {state}")
        return resume(emulator=emulator, portal_url=portal_url, password=password.read_text("utf-8"), tell=tell)
    if is_built(emulator):
        raise CannotRun(f"The demo in {state} is incomplete. Start afresh with --reset.")
    world = build(emulator=emulator, portal_url=portal_url, sign_up=sign_up, tell=tell)
    # Written last: this file marks people and rows as complete.
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
                raise CannotRun(f"Port {text} is in use. Choose another one with {variable}.") from error
    return int(text)


def _sign_up() -> str:
    given = os.environ.get("SIGN_UP") or SIGN_UPS[0]
    if given not in SIGN_UPS:
        raise CannotRun(f"SIGN_UP={given} is neither {' nor '.join(SIGN_UPS)}.")
    return given


def _write_environment(world: World) -> dict[str, str]:
    """Writes the demo's settings to a file that only its owner can read, for commands in other terminals."""
    # Sessions and credentials of an earlier world are useless in this one.
    shutil.rmtree(VAR / "cache", ignore_errors=True)
    settings = {
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(60),
        "PORTAL_URL": world.portal_url,
        "DATABASE_URL": f"sqlite:///{DATABASE_FILE}",
        "CACHE_URL": f"filecache://{VAR / 'cache'}",
        "EMAIL_URL": f"smtp://localhost:{world.emulator.smtp_port}",
        "MAIL_FROM": MAIL_FROM,
        # So that somebody who makes a user by hand does not wait for an hour to see it found.
        "RECONCILE_EVERY": "1m",
        "SUPPORT_CONTACT": "support@platform.example",
        "ACCESS_EXAMPLE_ORGS": f"{ACME.org_id},{GLOBEX.org_id}",
        # Has keys that organisations change on their own Settings page.
        "TENANT_METADATA_SCHEMA": "portal/demo/metadata_schema.json",
        "TOKEN_ENCRYPTION_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
        **world.settings,
        **_as_variables(portal_credentials(world)),
    }
    # The AWS CLI reads the region by this name.
    _write_variables(ENV_FILE, {**settings, "AWS_DEFAULT_REGION": settings["AWS_REGION"]})
    # Kept apart: no process of the demo may hold the closing job's credentials.
    _write_variables(CLOSING_ENV_FILE, _as_variables(closing_credentials(world)))
    # As with the closing job's: only the deployer may read the stack and the client's secret.
    _write_variables(DEPLOYER_ENV_FILE, _as_variables(deployer_credentials(world)))
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


def _prepare_database(world: World, environment: Mapping[str, str]) -> None:
    """Migrates and fills the database. Raises CannotRun.

    Deletes a database of another user pool first, because its suspensions would apply to the new tenants.
    """
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
        raise CannotRun(
            f"The database {short_path(DATABASE_FILE)} could not be prepared. Delete it to start afresh:\n"
            f"{done.stderr.strip()[-2000:]}"
        )


@contextmanager
def _only_demo_in_var() -> Iterator[None]:
    """Holds a lock: a checkout has one `var/` with settings, database and cache, so it can run one demo at a time."""
    VAR.mkdir(mode=0o700, exist_ok=True)
    with (VAR / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotRun("A demo is already running from this checkout. End it first.") from error
        yield


def _say_farewell(tell: Tell) -> None:
    # The terminal may be closed.
    with suppress(OSError):
        tell("\nStopping.")


@contextmanager
def signals_as_ctrl_c() -> Iterator[None]:
    """SIGTERM and a closed terminal end the other processes too, as Ctrl-C does.

    Only the first signal counts. Another one would interrupt the ending, and processes would be left.
    """
    is_ending = False

    def interrupt(*_: object) -> None:
        nonlocal is_ending
        if not is_ending:
            is_ending = True
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_HOW_TO_SIGN_UP = {
    "portal": """A visitor can sign up at {portal}/signup/
  The invitation is in the mailbox.""",
    "hosted-ui": """A visitor can sign up on the sign-in pages: {portal}/oidc/authenticate/, then "New here? Sign up"
  The code is in the mailbox.""",
}


def _welcome(world: World, portal_pid: int) -> str:
    people = "\n".join(
        f"  {member.email:<28} {member.role:<9} {member.organisation.name if member.organisation else 'the platform'}"
        for member in CAST
    )
    foreign = urlencode({"pk": GLOBEX.space.collection("orders")})
    return f"""
Portal:     {world.portal_url}
Local AWS:  {world.emulator.endpoint_url}
Mailbox:    {world.emulator.endpoint_url}/mailbox
password: {world.password}

{people}

{_HOW_TO_SIGN_UP[world.settings["SIGN_UP"]].format(portal=world.portal_url)}

Sign in as {ACME_OWNER.email}, ask for a key of Globex and see AWS refuse it:
  {world.portal_url}/access/?{foreign}
  ({ACME.name} is {ACME.org_id}, {GLOBEX.name} is {GLOBEX.org_id})

Sign in as {OPERATOR.email} and suspend Acme: the portal refuses its owner, then Cognito and AWS do:
  {world.portal_url}/operators/
  (in a second terminal, manage.py demo_read {ACME_OWNER.email} shows when)

Open this page as {ACME_OWNER.email}, stop the portal, and read on: your browser asks AWS, and AWS still refuses.
  {world.portal_url}/direct/
  (kill -STOP -{portal_pid} stops the portal, kill -CONT -{portal_pid} lets it go on)

Settings for a second terminal:  set -a; . {short_path(ENV_FILE)}; set +a
To close a tenant there:         set -a; . {short_path(ENV_FILE)}; . {short_path(CLOSING_ENV_FILE)}; set +a
To act as the deployer there:    set -a; . {short_path(ENV_FILE)}; . {short_path(DEPLOYER_ENV_FILE)}; set +a
Logs:                            {short_path(PORTAL_LOG)}, {short_path(WORKER_LOG)}
Ctrl-C ends everything."""
