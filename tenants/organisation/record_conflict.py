"""A record that somebody else changed meanwhile: three versions side by side, and the form with all of them as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tenants.domain.record_edits import Difference, compare
from tenants.domain.values import AttributeValue, Item, ValueView, show


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """None is an attribute that is not there."""

    name: str
    opened: ValueView | None
    now: ValueView | None
    yours: ValueView | None
    conflicts: bool


@dataclass(frozen=True, slots=True)
class Conflict:
    """`merged` is what the form goes on with."""

    merged: Item
    rows: Sequence[DifferenceRow]

    @property
    def conflicting(self) -> int:
        return sum(row.conflicts for row in self.rows)


def conflict_between(*, opened: Item, now: Item, yours: Item) -> Conflict:
    """All three are the person's attributes alone."""
    merged, differences = compare(opened, now, yours)
    return Conflict(merged, [_row(difference) for difference in differences])


def _row(difference: Difference) -> DifferenceRow:
    return DifferenceRow(
        difference.name,
        _shown(difference.opened),
        _shown(difference.now),
        _shown(difference.yours),
        difference.conflicts,
    )


def _shown(value: AttributeValue | None) -> ValueView | None:
    return None if value is None else show(value)
