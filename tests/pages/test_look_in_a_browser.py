"""What the stylesheet does to a long table: on a laptop, on a phone and in print."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from portal.environment import BASE

ROWS = 60
LONG = "The Royal Society for Very Long Names of Bodies, North and South of the Great River"
HIDDEN_ROWS = """() => [...document.querySelectorAll("tbody tr")].filter((row) => {
  let box = row.getBoundingClientRect();
  for (let holder = row.parentElement; holder; holder = holder.parentElement) {
    const its = holder.getBoundingClientRect(), clips = getComputedStyle(holder).overflowY !== "visible";
    if (clips && (box.bottom > its.bottom + 1 || box.top < its.top - 1)) return true;
  }
  return false;
}).length"""


def _row(number: int) -> str:
    return (
        '<tr role="row"><th scope="row" role="rowheader">'
        f'<a class="cut" title="{LONG}" href="/{number}">{LONG}</a></th>'
        '<td role="cell" data-label="State"><span class="badge">active</span></td>'
        '<td role="cell" data-label="E-mail"><bdi>somebody.with.a.long.name@department.example</bdi></td></tr>'
    )


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    style = (BASE / "portal" / "assets" / "app.css").read_text("utf-8")
    heads = "".join(f'<th scope="col" role="columnheader">{head}</th>' for head in ("Name", "State", "E-mail"))
    page = chromium.new_page(viewport={"width": 1280, "height": 700})
    page.set_content(
        f"<!doctype html><style>{style}</style>"
        "<div class=top-inner><nav class=places><ul><li><a href=/>Home</a></ul></nav></div>"
        '<main><div class="sheet"><table class="stacked" role="table">'
        f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(map(_row, range(ROWS)))}</tbody></table></div>'
        "<p><button class=button>Suspend</button></p></main>"
    )
    yield page
    page.close()


@pytest.mark.parametrize("width", [1280, 900, 390, 320])
def test_every_row_stands_on_the_page(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    assert page.evaluate(HIDDEN_ROWS) == 0
    assert page.evaluate("document.documentElement.scrollHeight") > ROWS * 30
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_head_stays_in_sight_while_the_rows_pass(page: Any) -> None:
    page.evaluate("scrollTo(0, 1500)")
    assert page.evaluate("Math.round(document.querySelector('thead th').getBoundingClientRect().top)") == 0


def test_on_a_phone_each_cell_says_its_column_and_names_are_whole(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 700})
    said = (
        "[...document.querySelectorAll('tr:last-child td')].map((cell) => getComputedStyle(cell, '::before').content)"
    )
    assert page.evaluate(said) == ['"State"', '"E-mail"']
    assert page.evaluate("(({scrollWidth, clientWidth}) => scrollWidth <= clientWidth)(document.querySelector('.cut'))")


def test_a_long_name_is_cut_before_the_next_column_and_whole_in_focus(page: Any) -> None:
    edges = """() => {
      const name = document.querySelector(".cut").getBoundingClientRect();
      return [name.right, document.querySelector("td").getBoundingClientRect().left, name.height];
    }"""
    right, next_column, line = page.evaluate(edges)
    assert right <= next_column
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    right, next_column, several_lines = page.evaluate(edges)
    assert right <= next_column
    assert several_lines > line


def test_in_print_rows_are_complete_and_nothing_can_be_clicked(page: Any) -> None:
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 718, "height": 700})
    assert page.evaluate(HIDDEN_ROWS) == 0
    assert page.evaluate("getComputedStyle(document.querySelector('thead')).display") == "table-header-group"
    hidden = "[...document.querySelectorAll('.places, .button')].map((part) => getComputedStyle(part).display)"
    assert page.evaluate(hidden) == ["none", "none"]
    assert page.evaluate("getComputedStyle(document.querySelector('.cut'), '::after').content") == "none"
