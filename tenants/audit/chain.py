"""What makes the audit trail a chain: every entry's hash covers its content and the hash of the entry before it.

Changing, dropping or swapping an entry breaks the chain at that place. Rewriting the whole chain yields another head,
which differs from a head that an operator has kept elsewhere (the anchor). The entries of one organisation are a second
chain, over their hashes: an organisation can verify it without the entries of others.
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

# The previous hash of the very first entry.
GENESIS = "0" * 64
_POINT = re.compile(r"([0-9]{1,19}):([0-9a-f]{64})")
# PostgreSQL stores neither NUL nor lone surrogates.
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")
_MAX_INTEGER = 2**63
MAX_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the chain: an entry's number and its hash. `str()` is `SEQ:HASH`, the form of an anchor."""

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
    """The hash covers `previous_hash` and `content`."""

    seq: int
    content: Mapping[str, object]
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with the entry `seq`. docs/audit.md lists the kinds; `message` is a sentence."""

    seq: int
    kind: str
    message: str


@dataclass(slots=True)
class ChainCheck:
    """Checks entry after entry. `at` is the last good one, `anchor` a point that the chain has to contain."""

    at: Point
    anchor: Point | None = None
    entries: int = 0

    def add(self, entry: Entry) -> Flaw | None:
        """Moves `at` to `entry` if that is the next one and unchanged; otherwise returns what is wrong."""
        flaw = self._flaw_of_place(entry) or self._flaw_of_hash(entry)
        if flaw is None:
            self.at = Point(entry.seq, entry.hash)
            self.entries += 1
        return flaw

    def finish(self, head: Point) -> Flaw | None:
        """What is wrong if the chain ends here: it has to end with `head` and contain the anchor."""
        last = self.at.seq
        if last < head.seq:
            return Flaw(last + 1, "truncated", f"{_entries(last + 1, head.seq)} missing at the end.")
        if last > head.seq:
            return Flaw(head.seq + 1, "added", f"{_entries(head.seq + 1, last)} after the head, entry {head.seq}.")
        if self.at.hash != head.hash:
            return Flaw(last, "head", f"The head’s hash differs from that of the last entry, {last}.")
        if self.anchor and self.anchor.seq > last:
            return Flaw(last + 1, "anchor", f"The anchor, entry {self.anchor.seq}, is missing: the last is {last}.")
        return None

    def _flaw_of_place(self, entry: Entry) -> Flaw | None:
        expected = self.at.seq + 1
        if entry.seq > expected:
            return Flaw(expected, "missing", f"{_entries(expected, entry.seq - 1)} missing.")
        if entry.seq < expected:
            return Flaw(entry.seq, "reordered", f"Entry {entry.seq} stands where entry {expected} should.")
        return None

    def _flaw_of_hash(self, entry: Entry) -> Flaw | None:
        seq = entry.seq
        if entry.previous_hash != self.at.hash:
            why = "one of them was moved or rewritten"
            return Flaw(seq, "reordered", f"Entry {seq} does not follow entry {self.at.seq}: {why}.")
        if entry_hash(entry.previous_hash, entry.content) != entry.hash:
            return Flaw(seq, "changed", f"Entry {seq} was changed: its hash is not that of its content.")
        if self.anchor and self.anchor.seq == seq and self.anchor.hash != entry.hash:
            return Flaw(seq, "anchor", f"Entry {seq} differs from the anchor: the chain was rewritten.")
        return None


def org_link(org_seq: int, own_hash: str) -> dict[str, object]:
    """What `org_hash` covers: the entry's place among those of its organisation, and the entry's own hash."""
    return {"org_seq": org_seq, "hash": own_hash}


def entry_hash(previous: str, content: Mapping[str, object]) -> str:
    """64 hexadecimal digits. `content` holds JSON values and aware datetimes; the order of its keys does not matter."""
    return hashlib.sha256(previous.encode() + b"\n" + canonical(content)).hexdigest()


def canonical(content: Mapping[str, object]) -> bytes:
    return _encoded(content).encode("utf-8", "surrogatepass")


def storable(value: object, *, depth: int = 0) -> Any:
    """A JSON value that every database returns exactly as it was stored.

    Whole numbers become integers; infinities, NaN and numbers beyond 64 bits become text; NUL and lone surrogates
    become U+FFFD. Raises TypeError for anything but JSON values, datetimes and UUIDs.
    """
    if depth > MAX_DEPTH:
        return "nested too deeply to be stored"
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        return {storable_text(_key(key)): storable(part, depth=depth + 1) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [storable(part, depth=depth + 1) for part in value]
    return _plain(value)


def storable_text(text: str, most: int | None = None) -> str:
    """Its first `most` characters, as a plain `str`; None means all."""
    return _NOT_STORABLE.sub("\ufffd", str.__str__(text))[:most]


def _number(value: float) -> int | float | str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value != int(value):
        return float(value)
    return int(value) if abs(value) < _MAX_INTEGER else _big(value)


def _big(value: float) -> str:
    # Python refuses to print integers of thousands of digits.
    return hex(value) if isinstance(value, int) else repr(value)


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"keys of an audit entry are text, not {type(key).__name__}")
    return key


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be in an audit entry")


def _entries(first: int, last: int) -> str:
    return f"Entry {first} is" if first == last else f"Entries {first} to {last} are"


# Made once: with these options, `json.dumps` would make an encoder at every call.
_encoded = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain).encode
