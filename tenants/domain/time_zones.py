"""Time zones by their names in the IANA database, such as Europe/Berlin. "" is UTC."""

from __future__ import annotations

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from tenants.domain.once import once

# The rest of the database are old names and offsets without a place.
_REGIONS = (
    "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific",
)  # fmt: skip


@once
def zones() -> dict[str, tuple[str, ...]]:
    """The names that can be chosen, by region and sorted. Reads the machine's database once."""
    names = sorted(available_timezones())
    return {region: tuple(name for name in names if name.startswith(f"{region}/")) for region in _REGIONS}


def is_time_zone(name: str) -> bool:
    return name in zones().get(name.partition("/")[0], ())


def time_zone_called(name: str) -> tzinfo:
    """UTC also for a name that this machine's database does not have (any more)."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
