"""The capacity that requests consume: "DynamoDB provisioned capacity mode" of the developer guide.

Reads count 4 KB blocks, half of one if eventually consistent; writes count blocks of 1 KB. Transactions cost double.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from emulator.expressions.sizes import item_size
from emulator.expressions.values import Item, equal

_READ_BLOCK, _WRITE_BLOCK = 4096, 1024
# A table on demand starts with four partitions, and a complete Scan reads at least one block of each.
_PARTITIONS_ON_DEMAND: Final = 4


@dataclass(frozen=True, slots=True)
class Index:
    """`projected` is None if the index holds all attributes."""

    name: str
    is_global: bool
    keys: tuple[str, ...]
    projected: frozenset[str] | None

    def entry(self, item: Item | None) -> Item | None:
        """What the index stores of the item; None if the item lacks a key attribute of the index."""
        if item is None or any(key not in item for key in self.keys):
            return None
        if self.projected is None:
            return item
        return {name: value for name, value in item.items() if name in self.projected}


@dataclass(slots=True)
class Consumed:
    """The units of one table in one request."""

    table: float = 0.0
    indexes: dict[Index, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return self.table + sum(self.indexes.values())

    def add_index(self, index: Index, units: float) -> None:
        if units:
            self.indexes[index] = self.indexes.get(index, 0.0) + units

    def add_write(self, old: Item | None, new: Item | None, indexes: Iterable[Index], *, factor: int = 1) -> None:
        """Indexes are written later, outside a transaction, so `factor` is for the table only."""
        self.table += factor * write_units(max(size_or_zero(old), size_or_zero(new)))
        for index in indexes:
            self.add_index(index, index_write_units(index, old, new))


def read_units(size: int, *, consistent: bool = False, transactional: bool = False) -> float:
    """For one item, or for all items together that one Query or Scan reads. Nothing found costs one block."""
    blocks = max(1, -(-size // _READ_BLOCK))
    if transactional:
        return 2.0 * blocks
    return float(blocks) if consistent else blocks / 2


def complete_scan_units(size: int, *, consistent: bool, on_demand: bool) -> float:
    least = _PARTITIONS_ON_DEMAND * _READ_BLOCK if on_demand else 0
    return read_units(max(size, least), consistent=consistent)


def write_units(size: int) -> float:
    return float(max(1, -(-size // _WRITE_BLOCK)))


def refused_write_units(item: Item | None, *, transactional: bool = False) -> float:
    """What a write costs whose condition fails: as much as writing the item that is there."""
    return write_units(size_or_zero(item)) * (2 if transactional else 1)


def index_write_units(index: Index, old: Item | None, new: Item | None) -> float:
    """Nothing if the entry stays the same, two writes if its key changes, otherwise one."""
    before, after = index.entry(old), index.entry(new)
    if before is None or after is None:
        only = before if after is None else after
        return 0.0 if only is None else write_units(item_size(only))
    if any(not equal(before[key], after[key]) for key in index.keys):
        return write_units(item_size(before)) + write_units(item_size(after))
    if before == after:
        return 0.0
    return write_units(max(item_size(before), item_size(after)))


def size_or_zero(item: Item | None) -> int:
    return item_size(item) if item else 0


def report(table_name: str, consumed: Consumed, detail: str, *, kind: str | None = None) -> dict[str, Any]:
    """The ConsumedCapacity member. `kind` adds ReadCapacityUnits or WriteCapacityUnits, as transactions have it."""
    answer: dict[str, Any] = {"TableName": table_name, **_units(consumed.total, kind)}
    if detail != "INDEXES":
        return answer
    answer["Table"] = _units(consumed.table, kind)
    for member, is_global in (("GlobalSecondaryIndexes", True), ("LocalSecondaryIndexes", False)):
        found = {
            index.name: _units(units, kind) for index, units in consumed.indexes.items() if index.is_global is is_global
        }
        if found:
            answer[member] = found
    return answer


def _units(units: float, kind: str | None) -> Mapping[str, float]:
    return {"CapacityUnits": units, **({kind: units} if kind else {})}
