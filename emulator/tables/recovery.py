"""Checks changes of a table's point-in-time recovery."""

from collections.abc import Mapping
from typing import Any

from emulator.expressions.errors import Invalid
from emulator.tables.constraints import check_constraints

SETTING = "PointInTimeRecoverySpecification"
DAYS, MOST_DAYS = "RecoveryPeriodInDays", 35


def check_change(data: Mapping[str, Any]) -> None:
    """Raises `Invalid`. Does not look for the table."""
    check_constraints("UpdateContinuousBackups", data)
    if DAYS in data[SETTING] and not data[SETTING]["PointInTimeRecoveryEnabled"]:
        raise Invalid(f"Invalid Request: Cannot specify {DAYS} when disabling point-in-time recovery.")
