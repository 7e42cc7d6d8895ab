"""`local-aws`, or `python -m emulator`, serves until a signal stops it or, with --with-parent, its standard input ends.

Prints one line of JSON when it is ready: its address, and the port that takes mail. The root key comes from the file
that --root-key-file names, or from EMULATOR_ROOT_ACCESS_KEY_ID and EMULATOR_ROOT_SECRET_ACCESS_KEY. With --state it may
also come from the state directory. There is no default key.
"""

import argparse
import asyncio
import contextlib
import errno
import gc
import json
import logging
import os
import signal
import socket
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from emulator.root_key import SHORTEST_SECRET, UnreadableRootKey, read_or_make_key_file
from emulator.server.http import listen, serve
from emulator.server.request_log import log_requests
from emulator.state.directory import StateDirectory, StateRefused

if TYPE_CHECKING:
    from emulator.server.app import App
    from emulator.state.autosave import Autosave


_NO_KEY = (
    "The account needs a root key. Give --root-key-file FILE (it is made if it is missing), or set "
    "EMULATOR_ROOT_ACCESS_KEY_ID and EMULATOR_ROOT_SECRET_ACCESS_KEY (16 characters or more)."
)
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Sockets:
    http: list[socket.socket]
    mail: list[socket.socket]


def main() -> int:
    arguments = _arguments()
    try:
        sockets = listen(arguments.port)
    except OSError as failure:
        taken = failure.errno == errno.EADDRINUSE
        reason = "is taken" if taken else f"cannot be used ({failure.strerror})"
        return _fail(f"Port {arguments.port} {reason}. Give --port or EMULATOR_PORT another.")
    mail_sockets = listen(0)
    logging.basicConfig(level=logging.WARNING, format="emulator: %(levelname)s %(name)s: %(message)s")
    if arguments.verbose:
        logging.getLogger(log_requests.__module__).setLevel(logging.INFO)
    try:
        directory = _directory(arguments)
        key = _root_key(directory, arguments.root_key_file)
        if key is None:
            return _fail(_NO_KEY)
        return _run(Sockets(sockets, mail_sockets), key, directory, with_parent=arguments.with_parent)
    except (StateRefused, UnreadableRootKey) as failure:
        return _fail(str(failure))
    except KeyboardInterrupt:
        return 0


def _directory(arguments: argparse.Namespace) -> StateDirectory | None:
    if arguments.state is None:
        return None
    return StateDirectory(arguments.state, engine=version("ministack"), reset=arguments.reset)


def _root_key(directory: StateDirectory | None, file: Path | None) -> tuple[str, str] | None:
    """Returns None if there is no usable key and no file or directory to store a new one in."""
    key_id, secret = (os.environ.pop(f"EMULATOR_ROOT_{name}", "") for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
    if file is not None:
        key_id, secret = read_or_make_key_file(file)
    if directory is not None and not key_id and not secret:
        return directory.root_key(None)
    if not key_id or len(secret) < SHORTEST_SECRET:
        return None
    return directory.root_key((key_id, secret)) if directory else (key_id, secret)


def _run(sockets: Sockets, key: tuple[str, str], directory: StateDirectory | None, *, with_parent: bool) -> int:
    from emulator.access.principals import Root, Secret
    from emulator.server import patches
    from emulator.server.app import App
    from emulator.state.autosave import Autosave

    try:
        patches.apply_all()
    except patches.WrongEngine as failure:
        return _fail(str(failure))
    app = App(Root(Secret(*key)))
    autosave = Autosave(directory, app) if directory else None
    if autosave is not None:
        autosave.restore()
    gc.freeze()
    asyncio.run(_serve(app, autosave, sockets, with_parent=with_parent))
    return 0


async def _serve(app: "App", autosave: "Autosave | None", sockets: Sockets, *, with_parent: bool) -> None:
    from emulator.functions import http_api, lambdas
    from emulator.server.smtp import listen_for_mail

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signalled in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signalled, stop.set)
    if with_parent:
        Thread(target=_stop_at_end_of_input, args=(loop, stop), name="parent-watch", daemon=True).start()
    endpoint = f"http://localhost:{_port(sockets.http)}"
    lambdas.runtime_context.endpoint_url = endpoint
    serving = asyncio.create_task(serve(log_requests(app), sockets.http, stop))
    mail_servers = await listen_for_mail(app.inbox, sockets.mail)
    http_api.update_endpoints()
    saving = asyncio.create_task(autosave.run(stop)) if autosave else None
    print(json.dumps({"endpoint": endpoint, "smtp_port": _port(sockets.mail)}), flush=True)
    await serving
    for server in mail_servers:
        server.close()
    if autosave is not None and saving is not None:
        await saving
        await autosave.close()


def _port(sockets: list[socket.socket]) -> int:
    port: int = sockets[0].getsockname()[1]
    return port


def _stop_at_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    with contextlib.suppress(RuntimeError):  # the loop has already ended
        loop.call_soon_threadsafe(stop.set)


def _port_number(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {_LAST_PORT}")
    return int(text)


def make_parser() -> argparse.ArgumentParser:
    called = Path(sys.argv[0]).name
    parser = argparse.ArgumentParser(
        prog="python -m emulator" if called == "__main__.py" else called,
        description="Emulates AWS on one loopback port. The page /_emulator/ of its address says what it serves.",
    )
    parser.add_argument(
        "--port", type=_port_number, default=os.environ.get("EMULATOR_PORT") or "4566", help="0 picks a free one"
    )
    parser.add_argument(
        "--root-key-file",
        type=Path,
        metavar="FILE",
        help="root's key, in the form of AWS's credentials file; made if it is missing",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log each request to standard error")
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input ends")
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="save all state in this directory; default: save nothing"
    )
    parser.add_argument("--reset", action="store_true", help="delete the state in the directory")
    return parser


def _arguments() -> argparse.Namespace:
    parser = make_parser()
    arguments = parser.parse_args()
    if arguments.reset and arguments.state is None:
        parser.error("--reset needs --state")
    return arguments


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


def run() -> None:
    """The console script `local-aws`."""
    sys.exit(main())


if __name__ == "__main__":
    run()
