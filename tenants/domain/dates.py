"""Points in time as people read them: on pages, in messages and at the terminal.

Mails, messages that are kept and the terminal are in UTC, as the database gives them; a page converts a point in time
to its reader's zone before.
"""

from __future__ import annotations

from datetime import datetime


def formatted(at: datetime, *, seconds: bool = False) -> str:
    """`at` in its own zone, to the minute or to the second: "3 November 2026, 14:05 UTC"."""
    return f"{at:%-d %B %Y, %H:%M:%S %Z}" if seconds else f"{at:%-d %B %Y, %H:%M %Z}"


def formatted_day(at: datetime) -> str:
    """`at` in its own zone, the day alone: "3 November 2026"."""
    return f"{at:%-d %B %Y}"
