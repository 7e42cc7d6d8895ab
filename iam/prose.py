"""The parts of an explanation that all elements of a policy share. Knows neither policies nor requests."""

from collections.abc import Iterable
from dataclasses import dataclass

MAX_LISTED = 4


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a statement did not match.

    `element` is the policy element as written (Action, NotAction, Resource, NotResource, Principal, Condition).
    `operator` and `key` are set for a Condition. `detail` says what was compared, as a clause of a sentence.
    """

    element: str
    detail: str
    operator: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        where = self.element if self.operator is None else f"{self.operator} {self.key}"
        return f"{where} — {self.detail}"


def join_list(texts: Iterable[str], *, last: str = "or") -> str:
    """Joins texts for a person. A long list is shortened."""
    every = list(texts)
    hidden = len(every) - MAX_LISTED
    shown = every if hidden <= 1 else [*every[:MAX_LISTED], f"{hidden} others"]
    *first, final = shown
    return f"{', '.join(first)} {last} {final}" if first else final
