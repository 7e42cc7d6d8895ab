"""What makes the audit trail a chain: every entry's hash covers its content and the hash of the entry before it.

Whoever changes, drops or swaps an entry breaks every hash from there on; whoever writes the whole chain anew gets
another head, which an operator may have noted elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

# What the first entry of all follows.
GENESIS = "0" * 64
_POINT = re.compile(r"([0-9]{1,19}):([0-9a-f]{64})")
# PostgreSQL keeps neither NUL nor half a character.
_NOT_KEPT = re.compile("[\x00\ud800-\udfff]")
_MOST_NUMBER = 2**63
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the chain: an entry's number and its hash. `str()` is what an operator notes."""

    seq: int
    hash: str

    @classmethod
    def parse(cls, text: str) -> Point:
        """Raises ValueError for anything but `SEQ:HASH`."""
        parts = _POINT.fullmatch(text.strip())
        if parts is None:
            raise ValueError("not a number, a colon and 64 hexadecimal digits")
        return cls(int(parts[1]), parts[2])

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


BEGINNING = Point(0, GENESIS)


@dataclass(frozen=True, slots=True)
class Entry:
    """`content` is what the hash covers beside `previous_hash`."""

    seq: int
    content: Mapping[str, object]
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Flaw:
    """The first thing that is wrong: at which entry, what kind of thing, and in words."""

    seq: int
    kind: str
    says: str


@dataclass(slots=True)
class Walk:
    """Goes along the chain from `at`, one entry at a time. `noted` is a point that has to be a part of it."""

    at: Point
    noted: Point | None = None
    entries: int = 0

    def step(self, entry: Entry) -> Flaw | None:
        """Goes on to `entry` if it is the next one and unchanged; otherwise stays and says what is wrong."""
        flaw = self._out_of_place(entry) or self._altered(entry)
        if flaw is None:
            self.at = Point(entry.seq, entry.hash)
            self.entries += 1
        return flaw

    def end(self, head: Point) -> Flaw | None:
        """What is wrong with the chain ending here, where its head should be `head`."""
        last = self.at.seq
        if last < head.seq:
            return Flaw(last + 1, "truncated", f"{_entries(last + 1, head.seq)} at the end missing.")
        if last > head.seq:
            return Flaw(head.seq + 1, "added", f"{_entries(head.seq + 1, last)} beyond the head, which is {head.seq}.")
        if self.at.hash != head.hash:
            return Flaw(last, "head", f"The head names another hash than that of entry {last}, the last one.")
        if self.noted and self.noted.seq > last:
            return Flaw(last + 1, "anchor", f"The noted head, entry {self.noted.seq}, is missing: the last is {last}.")
        return None

    def _out_of_place(self, entry: Entry) -> Flaw | None:
        expected = self.at.seq + 1
        if entry.seq > expected:
            return Flaw(expected, "missing", f"{_entries(expected, entry.seq - 1)} missing.")
        if entry.seq < expected:
            return Flaw(entry.seq, "reordered", f"Entry {entry.seq} stands where entry {expected} should.")
        return None

    def _altered(self, entry: Entry) -> Flaw | None:
        if entry.previous_hash != self.at.hash:
            says = "was moved here from another place, or one of the two was written anew"
            return Flaw(
                entry.seq, "reordered", f"Entry {entry.seq} does not hold on to entry {self.at.seq}: it {says}."
            )
        if entry_hash(entry.previous_hash, entry.content) != entry.hash:
            return Flaw(entry.seq, "changed", f"Entry {entry.seq} was changed: its hash is not that of its content.")
        if self.noted and self.noted.seq == entry.seq and self.noted.hash != entry.hash:
            return Flaw(
                entry.seq, "anchor", f"Entry {entry.seq} is not the one that was noted: the chain was rewritten."
            )
        return None


def entry_hash(previous: str, content: Mapping[str, object]) -> str:
    """64 hexadecimal digits. `content` holds JSON values and aware datetimes; their order does not matter."""
    return hashlib.sha256(previous.encode() + b"\n" + canonical(content)).hexdigest()


def canonical(content: Mapping[str, object]) -> bytes:
    return _encoded(content).encode("utf-8", "surrogatepass")


def kept(value: object, *, depth: int = 0) -> Any:
    """The JSON value that every database gives back exactly as it was given.

    Numbers beyond 64 bits and those JSON has no word for become text, whole ones integers; NUL and lone surrogates
    become U+FFFD. Raises TypeError for what is neither a JSON value nor a datetime or UUID.
    """
    if depth > _DEEPEST:
        return "nested too deeply to be kept"
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return kept_text(value)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        return {kept_text(_key(key)): kept(part, depth=depth + 1) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [kept(part, depth=depth + 1) for part in value]
    return _plain(value)


def kept_text(text: str, most: int | None = None) -> str:
    """At most `most` characters of it, as a plain `str`."""
    return _NOT_KEPT.sub("\ufffd", str.__str__(text))[:most]


def _number(value: float) -> int | float | str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value != int(value):
        return float(value)
    return int(value) if abs(value) < _MOST_NUMBER else _long(value)


def _long(value: float) -> str:
    # Python refuses to write out integers of thousands of digits.
    return hex(value) if isinstance(value, int) else repr(value)


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"an audit entry has text for keys, not {type(key).__name__}")
    return key


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be in an audit entry")


def _entries(first: int, last: int) -> str:
    return f"Entry {first} is" if first == last else f"Entries {first} to {last} are"


# Made once: `json.dumps` makes an encoder at every call with options of its own.
_encoded = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain).encode
