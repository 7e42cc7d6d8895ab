"""docs/security.md and its pages: every item of the standard once, with a verdict and places that exist."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from portal.environment import BASE

OVERVIEW = BASE / "docs" / "security.md"
PAGES = sorted((BASE / "docs" / "security").glob("*.md"))
# By level. The numbers alone: the standard's text is not ours.
ITEMS: dict[str, list[str]] = json.loads((Path(__file__).parent / "verification_items.json").read_text())
WORDS = ("holds", "partly", "does not hold", "does not apply")
_ITEM = re.compile(r"v5\.0\.0-(\d+\.\d+\.\d+)")
_PLACE = re.compile(r"\[`([^`]+)`\]\(([^)]+)\)")
Cells = list[str]


def rows_of(page: Path) -> list[Cells]:
    lines = [line for line in page.read_text().splitlines() if line.startswith("| v")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


ROWS = [(page, row) for page in PAGES for row in rows_of(page)]


def verdict(row: Cells) -> str:
    return row[2].partition(":")[0]


@cache
def functions_in(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def problems(page: Path, row: Cells) -> list[str]:
    """What is wrong with a row."""
    if len(row) != 4 or not row[1]:
        return ["not four cells"]
    word, _, why = row[2].partition(":")
    wrong = [] if word in WORDS else [f"no verdict: {word}"]
    if word not in {"holds", "does not apply"} and not why.strip():
        wrong.append("does not say why")
    if word == "does not hold" and "isk" not in why and " as " not in f" {why}":
        wrong.append("names no risk")
    places = _PLACE.findall(row[3])
    if word == "holds" and not places and not why.strip():
        wrong.append("no place")
    return wrong + [flaw for label, link in places for flaw in _flaws(page, label, link)]


def _flaws(page: Path, label: str, link: str) -> list[str]:
    path, _, test = label.partition("::")
    if not (BASE / path).exists():
        return [f"no file {path}"]
    if (page.parent / link).resolve() != (BASE / path).resolve():
        return [f"the link of {label} leads elsewhere"]
    return [f"no test {label}"] if test and test not in functions_in(BASE / path) else []


def test_every_item_is_there_once_and_no_other() -> None:
    expected = [item for items in ITEMS.values() for item in items]
    assert len(expected) == len(set(expected)) == 253
    found = Counter(match[1] for _, row in ROWS if (match := _ITEM.fullmatch(row[0])))
    assert found == Counter(expected)
    assert len(ROWS) == 253


@pytest.mark.parametrize(("page", "row"), ROWS, ids=lambda part: part[0] if isinstance(part, list) else part.stem)
def test_a_row_has_a_verdict_and_places_that_exist(page: Path, row: Cells) -> None:
    assert problems(page, row) == []


def test_the_counts_are_those_of_the_rows() -> None:
    counted = {page.name: Counter(verdict(row) for row in rows_of(page)) for page in PAGES}
    told = [line.strip("|").split("|") for line in OVERVIEW.read_text().splitlines() if line.startswith("| [")]
    by_page = {
        name: dict(zip(WORDS, (int(cell) for cell in cells[2:6]), strict=True))
        for cells in told
        if (name := cells[0].partition("(security/")[2].partition(")")[0])
    }
    assert by_page == {name: {word: counts[word] for word in WORDS} for name, counts in counted.items()}
    (whole,) = [line for line in OVERVIEW.read_text().splitlines() if line.startswith("| all |")]
    sums = sum(counted.values(), Counter[str]())
    assert [int(cell) for cell in whole.strip("|").split("|")[2:]] == [*(sums[word] for word in WORDS), len(ROWS)]


def test_what_does_not_hold_is_on_the_overview() -> None:
    section = OVERVIEW.read_text().split("## What does not hold\n")[1].split("\n## ")[0]
    assert _ITEM.findall(section) == [
        item for item in _in_order() if any(row[0].endswith(f"-{item}") and verdict(row) == WORDS[2] for _, row in ROWS)
    ]


def _in_order() -> list[str]:
    return sorted(
        (item for items in ITEMS.values() for item in items), key=lambda item: tuple(map(int, item.split(".")))
    )


@pytest.mark.parametrize(
    "cells",
    [
        ["v5.0.0-1.1.1", "words", "probably", ""],
        ["v5.0.0-1.1.1", "words", "partly", ""],
        ["v5.0.0-1.1.1", "words", "does not hold: it is so", ""],
        ["v5.0.0-1.1.1", "words", "holds", ""],
        ["v5.0.0-1.1.1", "words", "holds", "[`tests/none.py`](../../tests/none.py)"],
        ["v5.0.0-1.1.1", "words", "holds", "[`tests/settings.py`](../../manage.py)"],
        ["v5.0.0-1.1.1", "words", "holds", "[`tests/house/test_docs.py::test_no`](../../tests/house/test_docs.py)"],
    ],
)
def test_a_wrong_row_is_found(cells: Cells) -> None:
    assert problems(PAGES[0], cells)
