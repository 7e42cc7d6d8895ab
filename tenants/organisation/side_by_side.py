"""Two texts below each other, with the characters that differ: the start of a key, and the start that one may use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

# Of a text without the end that is looked for.
_MOST = 60


@dataclass(frozen=True, slots=True)
class Stretch:
    text: str
    differs: bool


@dataclass(frozen=True, slots=True)
class SideBySide:
    """`first` is the place of the first character that differs, from 1; 0 if the texts are the same."""

    asked: Sequence[Stretch]
    own: Sequence[Stretch]
    differing: int
    of: int
    first: int


def side_by_side(asked: str, own: str) -> SideBySide:
    pairs = list(zip_longest(asked, own, fillvalue=""))
    places = [place for place, (left, right) in enumerate(pairs, start=1) if left != right]
    return SideBySide(
        asked=_stretches([(left, left != right) for left, right in pairs]),
        own=_stretches([(right, left != right) for left, right in pairs]),
        differing=len(places),
        of=len(pairs),
        first=places[0] if places else 0,
    )


def start_of(text: str, *, end: str) -> str:
    """Up to and with `end`, which may be missing. Never more than a line."""
    start, found, _ = text.partition(end)
    whole = start + found
    return whole if len(whole) <= _MOST else f"{whole[:_MOST]}…"


def _stretches(letters: Sequence[tuple[str, bool]]) -> tuple[Stretch, ...]:
    grouped = groupby(letters, key=lambda letter: letter[1])
    made = (Stretch("".join(letter for letter, _ in group), differs) for differs, group in grouped)
    return tuple(stretch for stretch in made if stretch.text)
