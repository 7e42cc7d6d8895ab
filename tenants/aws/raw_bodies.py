"""Captures the bodies of AWS's answers before botocore parses them, for the page that shows them unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from botocore.session import Session

_bodies: ContextVar[list[bytes] | None] = ContextVar("captured_bodies", default=None)


@contextmanager
def capture_bodies() -> Iterator[list[bytes]]:
    """Collects the bodies received in this context. The last one counts; the others were retried."""
    bodies: list[bytes] = []
    token = _bodies.set(bodies)
    try:
        yield bodies
    finally:
        _bodies.reset(token)


def register_capture(session: Session) -> None:
    """Call it once, before the session makes clients."""
    session.register("before-parse", _capture)


def capture(body: bytes) -> None:
    bodies = _bodies.get()
    if bodies is not None:
        bodies.append(body)


def _capture(**event: Any) -> None:
    capture(event["response_dict"]["body"])
