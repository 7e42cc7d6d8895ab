"""The documentation names what is there: files, rooms, and the modules that architecture.md traces."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portal.environment import BASE

DOCUMENTS = [BASE / "README.md", BASE / "CHANGELOG.md", *sorted((BASE / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
_ANCHOR = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)#([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_MODULE = re.compile(r"`((?:tenants|portal|emulator|iam|tests|templates)/[\w/.*-]*)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    links = _LINK.findall(document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def anchors(document: Path) -> set[str]:
    """Of the headings, as GitHub makes them: without punctuation, with hyphens for spaces."""
    headings = _HEADING.findall(_FENCED.sub("", document.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_into_a_page_leads_to_a_heading(document: Path) -> None:
    links = [
        (document.parent / page if page else document, anchor) for page, anchor in _ANCHOR.findall(document.read_text())
    ]
    pages = [(page, anchor) for page, anchor in links if page.suffix == ".md"]
    assert [f"{page.name}#{anchor}" for page, anchor in pages if anchor not in anchors(page)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_that_is_named_exists(document: Path) -> None:
    assert [path for path in _MODULE.findall(document.read_text()) if not list(BASE.glob(path.rstrip("/")))] == []


def test_the_readme_is_short_and_its_pictures_are_there() -> None:
    text = (BASE / "README.md").read_text()
    assert len(text.splitlines()) <= 105
    pictures = re.findall(r'src(?:set)?="([^"]+)"', text)
    assert len(pictures) == 4
    assert all((BASE / name).stat().st_size <= 150_000 for name in pictures)


def test_the_table_of_rooms_has_every_room() -> None:
    text = (BASE / "docs" / "architecture.md").read_text()
    rooms = {path.parent.name for path in (BASE / "tenants").glob("*/__init__.py")} - {"migrations"}
    assert {room for room in rooms if f"| [{room}](../tenants/{room})" not in text} == set()
