"""One worker's numbers as Prometheus text, on a port of the loopback interface."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from django.core.management import CommandError

from tenants.domain.circuit import shared_cache
from tenants.provisioning.dispatcher import Tally


def metrics_text(tally: Tally) -> str:
    """https://prometheus.io/docs/instrumenting/exposition_formats/"""
    metrics = {
        "changes_total": ("counter", "Changes made in Cognito.", tally.applied),
        "settled_total": ("counter", "Members made to match.", tally.settled),
        "throttled_total": ("counter", "Calls that Cognito throttled.", tally.throttled),
        "failed_total": ("counter", "Failed attempts to make a member match.", tally.failed),
        "due": ("gauge", "Members due, of all workers, at the last sign of life.", tally.due),
        "in_hand": ("gauge", "Members being worked on.", tally.in_hand),
        "halted": ("gauge", "Whether nobody can be provisioned.", int(bool(tally.halted))),
        "invitations_halted": ("gauge", "Whether Cognito sends no mails.", int(bool(tally.invitations_halted))),
        "cache_failures_total": ("counter", "Failures of the shared cache.", shared_cache().failures),
        "beat_seconds": ("gauge", "Time of the last sign of life, in seconds since the epoch.", round(tally.beat_at)),
    }
    return "".join(
        f"# HELP provisioning_{name} {help_text}\n# TYPE provisioning_{name} {kind}\nprovisioning_{name} {value}\n"
        for name, (kind, help_text, value) in metrics.items()
    )


@contextmanager
def serve_metrics(tally: Tally, *, port: int | None) -> Iterator[int | None]:
    """Serves the metrics meanwhile. Yields the port: a free one for 0, None for None, which serves nothing.

    Raises CommandError if the port cannot be used.
    """
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
            """No line in the log for each scrape."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Metrics)
    except (OSError, OverflowError) as error:
        raise CommandError(
            f"Port {port} cannot be used for metrics. Choose another one with --metrics-port."
        ) from error
    threading.Thread(target=server.serve_forever, daemon=True, name="metrics").start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
