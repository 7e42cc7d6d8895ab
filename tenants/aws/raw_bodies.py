"""The bodies of AWS's answers before botocore reads them, for the one page that shows them as they came."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from botocore.session import Session

_kept: ContextVar[list[bytes] | None] = ContextVar("kept_bodies", default=None)


@contextmanager
def capture_bodies() -> Iterator[list[bytes]]:
    """Collects the bodies that arrive in this context, a retried one before the one that counts."""
    bodies: list[bytes] = []
    token = _kept.set(bodies)
    try:
        yield bodies
    finally:
        _kept.reset(token)


def register_capture(session: Session) -> None:
    """Once, before the session makes its clients."""
    session.register("before-parse", _keep)


def _keep(**event: Any) -> None:
    bodies = _kept.get()
    if bodies is not None:
        bodies.append(event["response_dict"]["body"])
