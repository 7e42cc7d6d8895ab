"""A line that shows the progress of a command. Written to terminals only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from django.core.management.base import OutputWrapper

_EVERY_SECONDS = 0.1
_WIDTH = 30


class Progress(Protocol):
    def __call__(self, done: int, /) -> None: ...


@contextmanager
def progress_line(stream: OutputWrapper, what: str, *, total: int = 0) -> Iterator[Progress]:
    """`what` is counted, in the plural; without `total` there is no bar. The line is cleared at the end."""
    if not stream.isatty():
        yield lambda _: None
        return
    next_at, began_at = 0.0, time.monotonic()

    def show(done: int, /) -> None:
        nonlocal next_at
        if (now := time.monotonic()) < next_at:
            return
        next_at = now + _EVERY_SECONDS
        show_line(stream, _progress_text(what, done, total, seconds=now - began_at), done=done, total=total)

    try:
        yield show
    finally:
        clear_line(stream)


def _progress_text(what: str, done: int, total: int, *, seconds: float) -> str:
    """With the rate, and the time that is left if the total is known."""
    if not done or seconds < 1:
        return f"{done:,} {what}"
    rate = done / seconds
    left = f", {_duration((total - done) / rate)} left" if total > done else ""
    return f"{done:,} {what}, {rate:,.0f} a second{left}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def show_line(stream: OutputWrapper, text: str, *, done: int = 0, total: int = 0) -> None:
    """Replaces the line before, after a bar where a `total` is known. Written to terminals only."""
    if stream.isatty():
        filled = min(_WIDTH, _WIDTH * done // total) if total else 0
        bar = "█" * filled + "·" * (_WIDTH - filled) + " " if total else ""
        stream.write(f"\r\033[K{bar}{text}", str, ending="")
        stream.flush()


def clear_line(stream: OutputWrapper) -> None:
    show_line(stream, "")
