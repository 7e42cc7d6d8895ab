"""`python -m emulator`: serves until it is interrupted, terminated, or (with --with-parent) its standard input ends.

Prints one line of JSON when it answers. Root's keys come from EMULATOR_ROOT_ACCESS_KEY_ID and
EMULATOR_ROOT_SECRET_ACCESS_KEY; there are no others.
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
from threading import Thread

from emulator.server import listen, serve


def main() -> int:
    arguments = _arguments()
    try:
        sockets = listen(arguments.port)
    except OSError as failure:
        taken = failure.errno == errno.EADDRINUSE
        reason = "is taken" if taken else f"cannot be used ({failure.strerror})"
        return _fail(f"Port {arguments.port} {reason}. Set EMULATOR_PORT to another.")
    key_id, secret = (os.environ.pop(f"EMULATOR_ROOT_{name}", "") for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
    if not key_id or len(secret) < 16:
        return _fail(
            "EMULATOR_ROOT_ACCESS_KEY_ID and EMULATOR_ROOT_SECRET_ACCESS_KEY (16 characters or more) must be set."
        )
    logging.basicConfig(level=logging.WARNING, format="emulator: %(levelname)s %(name)s: %(message)s")
    try:
        return _run(sockets, key_id, secret, with_parent=arguments.with_parent)
    except KeyboardInterrupt:
        return 0


def _run(sockets: list[socket.socket], key_id: str, secret: str, *, with_parent: bool) -> int:
    from emulator import patches
    from emulator.access.principals import Root, Secret
    from emulator.app import App

    try:
        patches.apply_all()
    except patches.WrongEngine as failure:
        return _fail(str(failure))
    gc.freeze()
    asyncio.run(_serve(App(Root(Secret(key_id, secret))), sockets, with_parent=with_parent))
    return 0


async def _serve(app: object, sockets: list[socket.socket], *, with_parent: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signalled in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signalled, stop.set)
    if with_parent:
        Thread(target=_when_input_ends, args=(loop, stop), name="parent-watch", daemon=True).start()
    port = sockets[0].getsockname()[1]
    serving = asyncio.create_task(serve(app, sockets, stop))  # type: ignore[arg-type]
    print(json.dumps({"endpoint": f"http://localhost:{port}"}), flush=True)
    await serving


def _when_input_ends(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(stop.set)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m emulator", description="AWS on this laptop, on one port of loopback."
    )
    parser.add_argument("--port", type=int, default=os.environ.get("EMULATOR_PORT", "4566"), help="0 picks a free one")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    return parser.parse_args()


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
