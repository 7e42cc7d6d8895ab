"""What the portal writes to its log during a test, as the lines that a deployment has."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from portal.observability import JsonLines


@contextmanager
def kept_lines(level: int = logging.INFO) -> Iterator[list[str]]:
    """Every line of this level or a higher one, of any logger; the list grows meanwhile."""
    formatter, written = JsonLines(), []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(formatter.format(record))

    handler, root = Keep(level), logging.getLogger()
    before = root.level
    root.setLevel(level)
    root.addHandler(handler)
    try:
        yield written
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
