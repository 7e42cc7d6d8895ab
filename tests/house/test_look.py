"""What all pages share: one logo and one set of colours, and tables that say on a phone what each cell is."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from portal.environment import BASE

TEMPLATES, ASSETS = BASE / "templates", BASE / "portal" / "assets"
HOSTED = BASE / "emulator" / "hosted_ui" / "pages"
TOKEN = re.compile(r"(--[a-z0-9-]+|color-scheme):\s*([^;]+);")
LOGO = re.compile(r'<svg viewBox="0 0 24 24".*?</svg>')
TABLE = re.compile(r"<table[^>]*>.*?</table>", re.DOTALL)
HEAD = re.compile(r"<th scope=\"col\"[^>]*>(.*?)</th>", re.DOTALL)
SORTED_HEAD = re.compile(r'{% include "operators/parts/sorted_head.html" with head=heads\.\w+ label="([^"]+)" %}')
CELL = re.compile(r"(<td[^>]*>)(.*?)</td>", re.DOTALL)
# What a person does in a cell says for itself what it is.
ACTS = ('type="checkbox"', "<button")
# A chart's numbers and shares: two or three short columns, which fit a phone as they are.
NARROW = ("chart.columns", 'class="shares"')
WITH_TABLES = [path for path in sorted(TEMPLATES.rglob("*.html")) if "<table" in path.read_text("utf-8")]
MAIL = TEMPLATES / "mail"


def tokens(stylesheet: Path) -> dict[str, str]:
    root = stylesheet.read_text("utf-8").partition(":root {")[2].partition("\n}")[0]
    return dict(TOKEN.findall(root))


def test_sign_in_pages_and_mailbox_have_the_colours_of_the_portal() -> None:
    ours, theirs = tokens(ASSETS / "app.css"), tokens(HOSTED / "tokens.css")
    assert {"--accent", "--ground", "--bad", "--sans", "--large"} <= theirs.keys()
    assert theirs == {name: ours[name] for name in theirs}


@pytest.mark.parametrize("name", ["sign-in.css", "mailbox.css"])
def test_sign_in_pages_and_mailbox_name_no_colour_but_by_its_token(name: str) -> None:
    text = (HOSTED / name).read_text("utf-8")
    assert re.findall(r"light-dark|rgb|hsl", text) == []
    assert set(re.findall(r"#[0-9a-f]{3,8}\b", text)) <= {"#fff"}
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", text))
    assert used <= tokens(HOSTED / "tokens.css").keys()


def test_all_pages_have_one_logo_and_one_icon() -> None:
    logo = LOGO.search((TEMPLATES / "pages" / "base.html").read_text("utf-8"))
    assert logo
    assert all(logo[0] in (HOSTED / name).read_text("utf-8") for name in ("brand.html", "mark.html"))
    icon = (ASSETS / "favicon.svg").read_text("utf-8").strip()
    for name in ("layout.html", "mailbox.html"):
        address = re.search(r'rel="icon" href="data:image/svg\+xml,([^"]+)"', (HOSTED / name).read_text("utf-8"))
        assert address
        assert unquote(address[1]) == icon


@pytest.mark.parametrize("path", [path for path in WITH_TABLES if MAIL not in path.parents], ids=lambda path: path.name)
def test_each_cell_of_a_table_can_say_its_column_on_a_phone(path: Path) -> None:
    for table in TABLE.findall(path.read_text("utf-8")):
        if any(mark in table for mark in NARROW):
            continue
        assert re.match(r'<table class="[^"]*\bstacked\b[^"]*" role="table">', table)
        heads = {re.sub(r"<[^>]+>", "", head) for head in HEAD.findall(table)} | {*SORTED_HEAD.findall(table)}
        for cell, content in CELL.findall(table.partition("<tbody")[2]):
            assert 'role="cell"' in cell
            if label := re.search(r'data-label="([^"]+)"', cell):
                assert label[1] in heads, cell
            else:
                assert "aria-label=" in content, cell
                assert any(act in content for act in ACTS), cell


def test_no_list_is_cut_off_by_a_box_that_scrolls() -> None:
    rules = [
        rule
        for path in ASSETS.glob("*.css")
        for rule in re.findall(r"[^{}]+{[^{}]*max-height[^{}]*}", path.read_text("utf-8"))
        if "max-height: none" not in rule
    ]
    assert [rule for rule in rules if not re.match(r"\s*(?:/\*.*?\*/\s*)?(?:pre|\.exchanges) {", rule)] == []
