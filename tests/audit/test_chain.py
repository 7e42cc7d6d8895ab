"""The chain of hashes: every kind of tampering is found, and where."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.audit.chain import (
    BEGINNING,
    ChainCheck,
    Entry,
    Flaw,
    Point,
    canonical,
    entry_hash,
    storable,
    storable_text,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(), parts, max_size=3),
    max_leaves=8,
)


def chain(length: int) -> list[Entry]:
    entries, previous = [], BEGINNING.hash
    for seq in range(1, length + 1):
        content: dict[str, object] = {"seq": seq, "action": "tested", "why": f"reason {seq}"}
        entries.append(Entry(seq, content, previous, entry_hash(previous, content)))
        previous = entries[-1].hash
    return entries


def end_of(entries: list[Entry]) -> Point:
    return Point(entries[-1].seq, entries[-1].hash)


def flaw_of(entries: list[Entry], head: Point, anchor: Point | None = None) -> Flaw | None:
    check = ChainCheck(BEGINNING, anchor)
    return next(filter(None, map(check.add, entries)), None) or check.finish(head)


def test_an_untouched_chain_is_whole_up_to_its_head() -> None:
    entries = chain(5)
    check = ChainCheck(BEGINNING)
    assert [check.add(entry) for entry in entries] == [None] * 5
    assert (check.entries, check.at, check.finish(end_of(entries))) == (5, end_of(entries), None)


def test_an_empty_chain_is_whole() -> None:
    assert ChainCheck(BEGINNING).finish(BEGINNING) is None


def change_an_entry(entries: list[Entry]) -> None:
    entries[2] = replace(entries[2], content={**entries[2].content, "why": "another"})


def change_an_entry_and_its_hash(entries: list[Entry]) -> None:
    content = {**entries[2].content, "why": "another"}
    entries[2] = replace(entries[2], content=content, hash=entry_hash(entries[2].previous_hash, content))


def swap_two(entries: list[Entry]) -> None:
    entries[2], entries[3] = entries[3], entries[2]


def swap_two_and_their_numbers(entries: list[Entry]) -> None:
    entries[2], entries[3] = replace(entries[3], seq=3), replace(entries[2], seq=4)


def delete_one(entries: list[Entry]) -> None:
    del entries[2]


def repeat_one(entries: list[Entry]) -> None:
    entries.insert(3, entries[2])


def delete_the_tail(entries: list[Entry]) -> None:
    del entries[3:]


def append_a_forged_one(entries: list[Entry]) -> None:
    content: dict[str, object] = {"seq": 6, "action": "forged"}
    entries.append(Entry(6, content, entries[-1].hash, entry_hash(entries[-1].hash, content)))


@pytest.mark.parametrize(
    ("tamper", "seq", "kind"),
    [
        (change_an_entry, 3, "changed"),
        (change_an_entry_and_its_hash, 4, "reordered"),
        (swap_two, 3, "missing"),
        (swap_two_and_their_numbers, 3, "reordered"),
        (delete_one, 3, "missing"),
        (repeat_one, 3, "reordered"),
        (delete_the_tail, 4, "truncated"),
        (append_a_forged_one, 6, "added"),
    ],
)
def test_tampering_is_found_at_its_place(tamper: Any, seq: int, kind: str) -> None:
    entries = chain(5)
    head = end_of(entries)
    tamper(entries)
    flaw = flaw_of(entries, head)
    assert flaw is not None
    assert (flaw.seq, flaw.kind) == (seq, kind)
    assert str(seq) in flaw.message


def test_a_head_with_another_hash_is_found() -> None:
    entries = chain(5)
    flaw = flaw_of(entries, Point(5, "f" * 64))
    assert flaw is not None
    assert (flaw.seq, flaw.kind) == (5, "head")


def test_an_anchor_finds_a_rewritten_chain() -> None:
    anchor = end_of(chain(3))
    rewritten = [*chain(1)]
    content: dict[str, object] = {"seq": 2, "action": "invented"}
    for seq in (2, 3, 4):
        content = {"seq": seq, "action": "invented"}
        rewritten.append(Entry(seq, content, rewritten[-1].hash, entry_hash(rewritten[-1].hash, content)))
    assert flaw_of(rewritten, end_of(rewritten)) is None
    flaw = flaw_of(rewritten, end_of(rewritten), anchor)
    assert flaw is not None
    assert (flaw.seq, flaw.kind) == (3, "anchor")


def test_an_anchor_finds_a_chain_cut_off_at_the_end() -> None:
    anchor, shorter = end_of(chain(5)), chain(3)
    assert flaw_of(shorter, end_of(shorter)) is None
    flaw = flaw_of(shorter, end_of(shorter), anchor)
    assert flaw is not None
    assert (flaw.seq, flaw.kind) == (4, "anchor")


@pytest.mark.parametrize(
    "text", ["", "1", "1:abc", f"-1:{'a' * 64}", f"1:{'A' * 64}", f"1:{'a' * 65}", f"١:{'a' * 64}"]
)
def test_a_point_is_a_number_and_a_hash(text: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        Point.parse(text)
    assert Point.parse(f" {end_of(chain(2))}\n") == end_of(chain(2))


def test_the_hash_covers_every_field_and_the_previous_hash() -> None:
    content = {"a": "1", "b": {"c": [1, None, True]}}
    hashes = {
        entry_hash("0", content),
        entry_hash("1", content),
        entry_hash("0", {**content, "a": "2"}),
        entry_hash("0", {**content, "b": {"c": [1, None, False]}}),
        entry_hash("0", {**content, "d": None}),
    }
    assert len(hashes) == 5
    assert entry_hash("0", dict(reversed(content.items()))) == entry_hash("0", content)


@given(JSON)
def test_a_stored_value_is_the_same_after_writing_and_reading(value: object) -> None:
    written = canonical({"value": storable(value)})
    assert b"\\u0000" not in written
    again = json.loads(written)["value"]
    assert canonical({"value": storable(again)}) == written
    written.decode("utf-8")


def test_moments_and_ids_are_stored_as_text_in_one_spelling() -> None:
    moment = datetime(2026, 3, 31, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    assert storable(moment) == storable(moment.astimezone(UTC)) == "2026-03-31T12:00:00.000000+00:00"
    assert storable(UUID("a0c3e000-0000-4000-8000-0000000000ac")) == "a0c3e000-0000-4000-8000-0000000000ac"


@pytest.mark.parametrize("value", [b"bytes", {1: "a"}, object(), {"deep": {"a": {1, 2}}}])
def test_values_that_json_cannot_hold_are_refused(value: object) -> None:
    with pytest.raises(TypeError):
        storable(value)


def test_text_is_cut_and_loses_what_postgresql_cannot_store() -> None:
    assert storable_text("a\x00b\ud800c", 4) == "a\ufffdb\ufffd"
