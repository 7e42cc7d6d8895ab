"""A bulk step that was sent twice at the same moment: each of the two says what is done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.utils import timezone

from tenants.domain.record_edits import RecordPlace
from tenants.records.bulk import Bulk, BulkChange, Result
from tests.records.test_editing import Desk, created, desk, desk_of, no_collections_left, place, selected

__all__ = ["desk", "desk_of", "no_collections_left", "place"]


@dataclass(frozen=True)
class WrittenBefore:
    """The other of the two writes just before this one."""

    writes: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.writes, name)

    def write(self, *arguments: Any) -> None:
        self.writes.write(*arguments)
        self.writes.write(*arguments)


@pytest.mark.parametrize("step", ["delete", "change"])
def test_what_the_other_of_two_did_is_done_already(desk: Desk, place: RecordPlace, step: str) -> None:
    created(desk, place, text={"S": "a text"})
    raced: Any = WrittenBefore(desk.editing.writes)
    editing = replace(desk.editing, writes=raced)
    bulk = Bulk(editing, replace(desk.deleting, editing=editing))
    chosen = selected(desk, [place])
    if step == "delete":
        lines = bulk.delete(desk.who, place.space, place.collection, chosen, began=timezone.now())
    else:
        lines = bulk.change(desk.who, place.space, place.collection, chosen, BulkChange("a", {"S": "b"}))
    assert [line.result for line in lines] == [Result.ALREADY]
