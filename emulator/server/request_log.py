"""One line for each request: what was called, by which key, the status, and how long it took.

Says nothing of bodies, query strings or secrets.
"""

import logging
import re
import time
from collections.abc import Awaitable, Callable

from emulator.wire import Dropped, Incoming, Reply

_ACTION = re.compile(rb"(?:^|&)Action=([A-Za-z]{1,64})(?:&|$)")
_KEY_AND_SERVICE = re.compile(r"Credential=([^/,\s]{1,128})/\d{8}/[a-z0-9-]+/([a-z0-9-]+)/")

log = logging.getLogger(__name__)

App = Callable[[Incoming], Awaitable[Reply | Dropped]]


def log_requests(app: App) -> App:
    """Returns the same app unless the level of this module's log is INFO."""
    if not log.isEnabledFor(logging.INFO):
        return app

    async def answer(incoming: Incoming) -> Reply | Dropped:
        began = time.perf_counter()
        reply = await app(incoming)
        status = "dropped" if isinstance(reply, Dropped) else str(reply.status)
        log.info("%s %s %.1f ms %s", _name(incoming), status, 1000 * (time.perf_counter() - began), _key(incoming))
        return reply

    return answer


def _name(incoming: Incoming) -> str:
    """`DynamoDB_20120810.Query`, `iam.GetUser`, or a method and a path."""
    if target := incoming.headers.get("x-amz-target"):
        return ascii(target)[1:-1]
    action = _ACTION.search(incoming.body[:4096]) if incoming.path == "/" else None
    signed = _KEY_AND_SERVICE.search(incoming.headers.get("authorization", ""))
    if action and signed:
        return f"{signed[2]}.{action[1].decode()}"
    return f"{incoming.method} {ascii(incoming.path)[1:-1]}"


def _key(incoming: Incoming) -> str:
    signed = _KEY_AND_SERVICE.search(incoming.headers.get("authorization", ""))
    return ascii(signed[1])[1:-1] if signed else "-"
