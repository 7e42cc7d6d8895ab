"""Facts in every log line of a request: its id, its address and, once known, the person's sub and org.

The audit trail takes the id and the address from here. Never put a token in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_NOTHING: Mapping[str, str] = {}
_context: ContextVar[Mapping[str, str]] = ContextVar("log_context", default=_NOTHING)


@contextmanager
def logging_as(request_id: str, *, address: str = "") -> Iterator[None]:
    token = _context.set({"request_id": request_id, "address": address})
    try:
        yield
    finally:
        _context.reset(token)


def note(**facts: str) -> None:
    """Adds facts to every later line of this request."""
    _context.set({**_context.get(), **facts})


def facts() -> Mapping[str, str]:
    return _context.get()


def request_id() -> str:
    return _context.get().get("request_id", "")
