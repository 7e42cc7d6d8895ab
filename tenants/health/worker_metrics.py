"""What a worker has done so far, as Prometheus text on a port of the loopback interface."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from django.core.management import CommandError

from tenants.provisioning.dispatcher import Tally


def metrics_text(tally: Tally) -> str:
    """https://prometheus.io/docs/instrumenting/exposition_formats/"""
    counted = {
        "changes_total": ("counter", "Changes made in Cognito.", tally.applied),
        "settled_total": ("counter", "Members made to match.", tally.settled),
        "throttled_total": ("counter", "Calls that Cognito throttled.", tally.throttled),
        "failed_total": ("counter", "Times that a member could not be done.", tally.failed),
        "due": ("gauge", "Members to be done, of all workers, when it last gave a sign of life.", tally.due),
        "in_hand": ("gauge", "Members being worked on.", tally.in_hand),
        "halted": ("gauge", "Whether nobody can be provisioned.", int(bool(tally.halted))),
        "beat_seconds": ("gauge", "When the worker last gave a sign of life, since the epoch.", round(tally.beat_at)),
    }
    return "".join(
        f"# HELP provisioning_{name} {says}\n# TYPE provisioning_{name} {kind}\nprovisioning_{name} {value}\n"
        for name, (kind, says, value) in counted.items()
    )


@contextmanager
def metrics_served(tally: Tally, *, port: int | None) -> Iterator[int | None]:
    """Yields the port, which is a free one where 0 is asked for. None serves nothing. Raises CommandError."""
    if port is None:
        yield None
        return

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = metrics_text(tally).encode()
            self.send_response(200 if self.path == "/metrics" else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text if self.path == "/metrics" else b"Metrics are at /metrics.\n")

        def log_message(self, *_: object) -> None:
            """Nobody wants a line for every scrape."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Metrics)
    except (OSError, OverflowError) as error:
        raise CommandError(
            f"Port {port} cannot be used for metrics; choose another one with --metrics-port."
        ) from error
    threading.Thread(target=server.serve_forever, daemon=True, name="metrics").start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
