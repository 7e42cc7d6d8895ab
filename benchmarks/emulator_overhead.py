"""How much time does the emulator add to the engine, by enforcing policies?

Prints the median milliseconds of a GetItem, a Query of 25 rows, a PutItem with a condition and a BatchWriteItem of 25
rows: in the emulator (request read, signature checked, IAM decided, engine run) and in the engine alone (body parsed,
engine run). Also prints the medians of the
paired differences and ratios. Both run in this process, in turns, without HTTP.

    .venv/bin/python benchmarks/emulator_overhead.py [--rounds N] [--json] [--check]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter

import _project  # noqa: F401 - before any module of the project
from _emulator_stack import Caller, Stack, batch_write_body, get_body, owner_of, put_body, query_body, sign_headers

from emulator import engine
from emulator.access.principals import Root, Secret
from emulator.client.process import RootKey
from emulator.server import patches
from emulator.server.app import App
from emulator.server.http import listen, serve
from emulator.wire import Incoming, Reply

AT_MOST_MILLISECONDS = 1.0
RECORDS, WARM_UP = 1_000, 50
HANDLERS = {"GetItem": "_get_item", "Query": "_query", "PutItem": "_put_item", "BatchWriteItem": "_batch_write_item"}


def main() -> int:
    options = arguments()
    with app_in_this_process() as (app, stack):
        Caller(stack).load("orders", RECORDS)
        bodies = {
            "GetItem": get_body(stack.table, "orders", 500),
            "Query": query_body(stack.table, "orders"),
            "PutItem": put_body(stack.table, "orders", 500),
            "BatchWriteItem": batch_write_body(stack.table, "orders"),
        }
        measured = {
            operation: measure(app, stack, operation, body, options.rounds) for operation, body in bodies.items()
        }
    if options.json:
        print(json.dumps(measured, indent=2))
    else:
        for name, found in measured.items():
            print(
                f"{name:<15} {found['ours']:7.3f} ms   engine alone {found['engine']:7.3f} ms   "
                f"added {found['added']:6.3f} ms (at most {AT_MOST_MILLISECONDS:g})   ratio {found['ratio']:5.2f}"
            )
    missed = [name for name, found in measured.items() if found["added"] > AT_MOST_MILLISECONDS]
    return 1 if options.check and missed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help="exit 1 when a limit is missed")
    return parser.parse_args()


@contextmanager
def app_in_this_process() -> Iterator[tuple[App, Stack]]:
    """Serves HTTP in a thread, to be filled with records. The measured calls go to the app directly."""
    patches.apply_all()
    root = RootKey("AKIABENCHMARK", "a-secret-of-some-length")
    app = App(Root(Secret(root.access_key_id, root.secret_access_key)))
    sockets, stop = listen(0), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(app, sockets, stop),))
    thread.start()
    try:
        yield app, owner_of(f"http://localhost:{sockets[0].getsockname()[1]}", root)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def measure(app: App, stack: Stack, operation: str, body: bytes, rounds: int) -> dict[str, float]:
    """Milliseconds, except for `ratio`."""
    headers = {name.lower(): value for name, value in sign_headers(stack, operation, body).items()}
    headers["host"] = stack.endpoint_url.removeprefix("http://")
    incoming = Incoming("POST", "/", headers, body)
    handler: Callable[..., tuple[int, object, bytes]] = getattr(engine.dynamodb, HANDLERS[operation])
    loop = asyncio.new_event_loop()

    def ours() -> bytes:
        answer = loop.run_until_complete(app(incoming))
        if not isinstance(answer, Reply) or answer.status != 200:
            raise RuntimeError(f"{operation} answered {answer}")
        return answer.body

    def engine_alone() -> bytes:
        with engine.scope():
            return handler(json.loads(body))[2]

    if ours() != engine_alone():
        raise RuntimeError("The emulator and the engine answer differently.")
    pairs = [(_seconds(ours), _seconds(engine_alone)) for _ in range(WARM_UP + rounds)][WARM_UP:]
    loop.close()
    return {
        "ours": median(mine for mine, _ in pairs) * 1000,
        "engine": median(alone for _, alone in pairs) * 1000,
        "added": median(mine - alone for mine, alone in pairs) * 1000,
        "ratio": median(mine / alone for mine, alone in pairs),
    }


def _seconds(call: Callable[[], object]) -> float:
    gc.disable()
    began = perf_counter()
    call()
    took = perf_counter() - began
    gc.enable()
    return took


if __name__ == "__main__":
    sys.exit(main())
