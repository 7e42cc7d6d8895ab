"""What everybody on this computer may see at `/_emulator/`: health, the served operations, and how to use them."""

import html
from collections.abc import Callable
from importlib.metadata import version

from emulator import clock, engine
from emulator.functions import lambdas
from emulator.hosted_ui import pages
from emulator.server.catalogue import served_operations
from emulator.wire import Incoming, Reply, json_reply

_PAGE, _HEALTH = "/_emulator/", "/_emulator/health"


def find_page(incoming: Incoming) -> Callable[[], Reply] | None:
    return {_PAGE: show, _PAGE.rstrip("/"): lambda: pages.redirect(_PAGE), _HEALTH: health}.get(incoming.path)


def health() -> Reply:
    answer = {"status": "healthy", "engine": f"MiniStack {version('ministack')}", "now": int(clock.now())}
    return json_reply(answer, content_type="application/json").with_headers(("Cache-Control", "no-store"))


def show() -> Reply:
    values = {
        "endpoint": lambdas.runtime_context.endpoint_url,
        "region": engine.DEFAULT_REGION,
        "account": engine.ACCOUNT,
        "engine": f"MiniStack {version('ministack')}",
    }
    services = "\n".join(_service(name, operations) for name, operations in served_operations().items())
    content = pages.render("overview.html", values, raw={"services": services})
    raw = {"content": content, "brand": pages.brand()}
    return pages.page_reply(
        pages.render("mailbox.html", {"title": "Local AWS", "stylesheet": pages.MAILBOX_STYLESHEET}, raw=raw)
    )


def _service(name: str, operations: list[str]) -> str:
    listed = html.escape(", ".join(operations))
    return f"<li><details><summary>{html.escape(name)} ({len(operations)})</summary><p>{listed}</p></details></li>"
