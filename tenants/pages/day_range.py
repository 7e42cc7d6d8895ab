"""From one day to another, above a list of what happened: read from the address, in the reader's time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils import timezone

from tenants.domain.errors import InvalidInput
from tenants.pages.lists import query_param, without_page

NAMES = ("from", "to")
# The second one where clocks go back at midnight.
_LAST_MOMENT = time.max.replace(fold=1)
_SHORTCUTS = (("Today", 1), ("7 days", 7), ("30 days", 30))


@dataclass(frozen=True, slots=True)
class DayRange:
    """`since` and `until` are both inclusive; None means no limit."""

    since: datetime | None = None
    until: datetime | None = None

    def limits(self) -> dict[str, datetime]:
        """The conditions on a column `at`."""
        limits = {"at__gte": self.since, "at__lte": self.until}
        return {name: moment for name, moment in limits.items() if moment is not None}


@dataclass(frozen=True, slots=True)
class Shortcut:
    label: str
    address: str
    here: bool


def read_days(request: HttpRequest) -> tuple[DayRange, list[InvalidInput]]:
    """The range of days, without what is wrong; and all that is wrong, each at its field."""
    problems: list[InvalidInput] = []
    first, last = (_day(request, name, problems) for name in NAMES)
    if first and last and last < first:
        problems.append(InvalidInput("The last day is before the first. Change one of them.", field="to"))
    return DayRange(_moment(first, time.min), _moment(last, _LAST_MOMENT)), problems


def shortcuts(request: HttpRequest) -> list[Shortcut]:
    """Ranges that end today. The other filters stay."""
    today = timezone.localdate()
    return [_shortcut(request, label, today - timedelta(days=days - 1), today) for label, days in _SHORTCUTS]


def _moment(day: date | None, at: time) -> datetime | None:
    """In UTC, and at the calendar's ends as if the reader were there."""
    if day is None:
        return None
    try:
        return datetime.combine(day, at, timezone.get_current_timezone()).astimezone(UTC)
    except OverflowError:
        return datetime.combine(day, at, UTC)


def _shortcut(request: HttpRequest, label: str, first: date, last: date) -> Shortcut:
    days = {"from": first.isoformat(), "to": last.isoformat()}
    here = all(request.GET.get(name) == day for name, day in days.items())
    query = urlencode({**without_page(request.GET.dict()), **days})
    return Shortcut(label, f"{request.path}?{query}", here)


def _day(request: HttpRequest, name: str, problems: list[InvalidInput]) -> date | None:
    try:
        text = query_param(request, name)
        return date.fromisoformat(text) if text else None
    except InvalidInput as problem:
        problems.append(InvalidInput(problem.message, field=name))
    except ValueError:
        problems.append(InvalidInput(f"“{text}” is not a day. Write it like 2026-03-31.", field=name))
    return None
