"""Points in time as people read them: on pages, in messages and at the terminal. All are in UTC."""

from __future__ import annotations

from datetime import datetime


def formatted(at: datetime, *, seconds: bool = False) -> str:
    """`at` in UTC, to the minute or to the second: "3 November 2026, 14:05 UTC"."""
    return f"{at:%-d %B %Y, %H:%M:%S} UTC" if seconds else f"{at:%-d %B %Y, %H:%M} UTC"


def formatted_day(at: datetime) -> str:
    """`at` in UTC, the day alone: "3 November 2026"."""
    return f"{at:%-d %B %Y}"
