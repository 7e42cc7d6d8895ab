"""Points in time as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

from tenants.domain.dates import formatted, formatted_day

AT = datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC)


def test_a_point_in_time_is_given_to_the_minute_or_the_second() -> None:
    assert formatted(AT) == "3 November 2026, 04:05 UTC"
    assert formatted(AT, seconds=True) == "3 November 2026, 04:05:06 UTC"


def test_a_day_is_given_without_its_time() -> None:
    assert formatted_day(AT) == "3 November 2026"
