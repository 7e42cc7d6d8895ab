"""docs/limits.md against the code: each limit has the value that the page gives."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from portal.environment import BASE

TEXT = (BASE / "docs" / "limits.md").read_text()
LIMITS = re.findall(r"^\| [^|]+ \| `([\w.]+):(\w+)` \| ([\d.]+) \|", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("module", "name", "value"), LIMITS)
def test_a_limit_is_what_the_page_says(module: str, name: str, value: str) -> None:
    assert str(getattr(import_module(module), name)) == value


def test_every_row_of_the_limits_is_read() -> None:
    section = TEXT.split("## How much, how often\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    assert len(LIMITS) == len(rows) - 2
    assert len(LIMITS) > 10


def test_files_of_invitations_are_limited_as_the_page_says() -> None:
    from tenants.members.invitation_lines import MOST_BYTES, MOST_LINES

    row = next(line for line in TEXT.splitlines() if line.startswith("| `/members/invite/`"))
    assert f"{MOST_BYTES:,} bytes, {MOST_LINES:,} lines" in row
