"""Asks each deviation that docs/local-aws.md lists. One that is listed and cannot be shown is not known."""

import re
from pathlib import Path

import pytest

from tests.emulator.deviations import PROBES, access, people, rows, stacks
from tests.emulator.world import Stack

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "local-aws.md"
_SECTION = re.search(r"^## Known deviations$(.*?)^## ", _PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
assert _SECTION is not None
LISTED = re.findall(r"^\| `([a-z0-9-]+)` \|", _SECTION[1], re.MULTILINE)


def test_the_table_and_the_questions_name_the_same_deviations() -> None:
    assert sorted(LISTED) == sorted(PROBES)
    assert {probe.__module__ for probe in PROBES.values()} == {one.__name__ for one in (access, people, rows, stacks)}


@pytest.mark.parametrize("name", LISTED)
def test_a_listed_deviation_is_as_the_table_says(stack: Stack, name: str) -> None:
    PROBES[name](stack)
