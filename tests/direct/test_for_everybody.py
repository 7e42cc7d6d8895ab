"""The pages that ask AWS by themselves on a phone, with a keyboard alone, and for a screen reader."""

from __future__ import annotations

from itertools import pairwise

import pytest
from playwright.sync_api import expect

from tests.direct.conftest import Direct, Window
from tests.direct.visits import answer, open_public, read_all, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]
UNNAMED = """
  [...document.querySelectorAll('main :is(a, button, input, [role=region], nav, section)')].filter((one) =>
    !one.textContent.trim() && !one.ariaLabel && !one.labels?.length && !one.getAttribute('aria-labelledby')).length
"""
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_no_page_scrolls_sideways(window: Window, direct: Direct, viewport: dict[str, int]) -> None:
    page = window.page
    page.set_viewport_size(viewport)

    def fits() -> bool:
        return bool(page.evaluate("document.documentElement.scrollWidth") <= viewport["width"])

    for address in ("/public/", "/public/news/", "/public/news/2026-01-05/"):
        page.goto(f"{direct.portal.url}{address}")
        page.locator(".reader h3").first.wait_for(state="attached")
        assert fits(), address
    sign_in(window, direct)
    assert fits()
    for name in ("samples", "every-type"):
        page.get_by_role("link", name=name).click()
        page.get_by_role("heading", name=name).wait_for()
        assert fits(), name
    page.get_by_role("button", name="Try PartiQL").click()
    answer(page)
    assert fits()


def test_with_a_keyboard_alone_the_focus_goes_to_what_was_opened(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    page = window.page
    page.get_by_role("link", name="orders").press("Enter")
    page.locator("tbody tr").first.wait_for()
    expect(page.locator(":focus")).to_have_text("orders")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("ORD-2026-0001")
    page.keyboard.press("Enter")
    page.locator("dl.attributes").wait_for()
    expect(page.locator(":focus")).to_have_text("ORD-2026-0001")
    expect(page.locator("#said")).to_have_text("ORD-2026-0001")
    page.get_by_role("button", name="Try PartiQL").press("Enter")
    assert "AccessDeniedException" in answer(page)


def test_the_focus_is_not_lost_when_the_last_page_has_come(window: Window, direct: Direct) -> None:
    open_public(window, direct)
    page = window.page
    page.get_by_role("link", name="news").click()
    keys = read_all(page)
    expect(page.locator(":focus")).to_have_text(f"{len(keys)} records")
    expect(page.locator("#said")).to_have_text(f"{len(keys)} records")


@pytest.mark.parametrize("address", ["/public/news/", "/direct/"])
def test_headings_descend_step_by_step_and_every_control_has_a_name(
    window: Window, direct: Direct, address: str
) -> None:
    sign_in(window, direct)
    page = window.page
    page.goto(f"{direct.portal.url}{address}")
    page.locator(".reader h3").first.wait_for(state="attached")
    levels = page.evaluate("[...document.querySelectorAll('main :is(h1,h2,h3,h4)')].map((h) => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert all(level <= before + 1 for before, level in pairwise(levels))
    assert page.evaluate(UNNAMED) == 0
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
