"""Charts as numbers for an inline SVG: columns in time, stacked where there are several series.

Widths are shares of the page and heights are pixels, so that a chart fits every screen and its letters keep their size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT, TOP, BOTTOM = 180, 18, 156
_GAP = 0.25
# So that a number that is not 0 can be seen.
_LEAST_HEIGHT = 2.0
_MOST_TICKS = 4
# Where scales end: each can be halved to a round number.
_ENDS = (12, 16, 20, 30, 40, 60, 80, 100)


@dataclass(frozen=True, slots=True)
class Series:
    """`look` is a class of the stylesheet."""

    label: str
    look: str


@dataclass(frozen=True, slots=True)
class Column:
    """`label` names it in the table, `tick` below the chart. `address` leads to what it counts, "" for none."""

    label: str
    tick: str
    values: tuple[int, ...]
    shown: tuple[str, ...] = ()
    address: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        return self.shown or tuple(f"{value:,}" for value in self.values)


@dataclass(frozen=True, slots=True)
class Bar:
    x: str
    y: str
    width: str
    height: str
    look: str
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    x: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    y: str
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`key` sets it apart from other charts of the page; `head` is above the first column of its table."""

    key: str
    title: str
    head: str
    series: tuple[Series, ...]
    columns: tuple[Column, ...]
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]

    @property
    def is_empty(self) -> bool:
        return not any(any(column.values) for column in self.columns)


def chart(*, key: str, title: str, head: str, series: Sequence[Series], columns: Sequence[Column]) -> Chart:
    most = round_above(max((sum(column.values) for column in columns), default=0))
    wide = 100 / max(len(columns), 1)
    every = -(-len(columns) // _MOST_TICKS)
    bars: list[Bar] = []
    for place, column in enumerate(columns):
        bars += _stack(column, series, x=place * wide + wide * _GAP / 2, width=wide * (1 - _GAP), most=most)
    return Chart(
        key=key,
        title=title,
        head=head,
        series=tuple(series),
        columns=tuple(columns),
        bars=tuple(bars),
        ticks=tuple(
            Tick(f"{(place + 0.5) * wide:.2f}%", column.tick)
            for place, column in enumerate(columns)
            if (len(columns) - 1 - place) % every == 0
        ),
        lines=tuple(Line(f"{BOTTOM - (BOTTOM - TOP) * part / most:.1f}", f"{part:,}") for part in (0, most // 2, most)),
    )


def round_above(value: int) -> int:
    """Where a scale for numbers up to this one ends."""
    if value <= 10:
        return max(2, value + value % 2)
    power: int = 10 ** (len(str(value - 1)) - 2)
    return next(end * power for end in _ENDS if end * power >= value)


def share(part: int, whole: int) -> str:
    """As a width. What is not 0 is wide enough to be seen."""
    return f"{max(100 * part / whole, 0.5):.2f}%" if part and whole else "0%"


def _stack(column: Column, series: Sequence[Series], *, x: float, width: float, most: int) -> list[Bar]:
    bars, floor = [], float(BOTTOM)
    for value, text, one in zip(column.values, column.texts, series, strict=True):
        if value:
            height = max((BOTTOM - TOP) * value / most, _LEAST_HEIGHT)
            floor -= height
            title = f"{column.label}: {text} {one.label.lower()}"
            bars.append(Bar(f"{x:.2f}%", f"{floor:.1f}", f"{width:.2f}%", f"{height:.1f}", one.look, title))
    return bars
