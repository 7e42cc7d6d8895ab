"""The documentation names what is there: files, rooms, and the modules that architecture.md traces."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portal.environment import BASE

DOCUMENTS = [BASE / "README.md", BASE / "CHANGELOG.md", *sorted((BASE / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
_MODULE = re.compile(r"`((?:tenants|portal|emulator|iam|tests|templates)/[\w/.*-]*)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    links = _LINK.findall(document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_that_is_named_exists(document: Path) -> None:
    assert [path for path in _MODULE.findall(document.read_text()) if not list(BASE.glob(path.rstrip("/")))] == []


def test_the_table_of_rooms_has_every_room() -> None:
    text = (BASE / "docs" / "architecture.md").read_text()
    rooms = {path.parent.name for path in (BASE / "tenants").glob("*/__init__.py")} - {"migrations"}
    assert {room for room in rooms if f"| [{room}](../tenants/{room})" not in text} == set()
