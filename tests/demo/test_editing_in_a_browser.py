"""Editing records in a real browser: on a phone without JavaScript, and by keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from portal.demo.cast import ACME_OWNER
from tests.demo.conftest import DESKTOP, PHONE, Demo
from tests.demo.test_in_a_browser import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]


def test_records_are_written_on_a_phone_without_javascript(chromium: Any, demo: Demo) -> None:
    context = chromium.new_context(viewport=PHONE, java_script_enabled=False)
    context.set_default_timeout(60_000)
    page = context.new_page()
    sign_in(page, demo, ACME_OWNER)
    page.goto(f"{demo.url}/records/")
    page.get_by_role("link", name="New collection").click()
    page.get_by_label("Collection").fill("written by hand")
    page.get_by_role("button", name="Add collection").click()
    page.get_by_role("link", name="New record").click()
    page.get_by_label("Record key").fill("first")
    page.get_by_label("Attribute").first.fill("size")
    page.get_by_label("Type").first.select_option("number")
    page.get_by_label("Value").first.fill("twelve")
    page.get_by_role("button", name="Create record").click()
    expect(page.get_by_role("link", name="“twelve” is not a number.")).to_be_visible()
    page.get_by_label("Value").first.fill("12.50")
    page.get_by_role("button", name="Create record").click()
    expect(page.get_by_text("12.5", exact=True)).to_be_visible()

    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Value").first.fill("13")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("13", exact=True)).to_be_visible()
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete record").click()
    page.get_by_role("button", name="Bring back first").click()
    expect(page.get_by_text("13", exact=True)).to_be_visible()

    page.get_by_role("link", name="written by hand").click()
    page.get_by_label("Select first").check()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete 1 record").click()
    expect(page.get_by_text("1 deleted")).to_be_visible()
    context.close()


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_no_page_that_edits_scrolls_sideways(page: Any, demo: Demo, viewport: dict[str, int]) -> None:
    page.set_viewport_size(viewport)
    sign_in(page, demo, ACME_OWNER)
    verbs = ("change", "json", "key", "delete", "duplicate")
    addresses = [f"/records/edit/{verb}/samples/every-type/" for verb in verbs]
    for address in [*addresses, "/records/edit/collections/new/", "/records/edit/deleted/orders/"]:
        page.goto(demo.url + address)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"], f"{address} is {width} px wide"


def test_a_record_is_edited_by_keyboard_alone(page: Any, demo: Demo) -> None:
    sign_in(page, demo, ACME_OWNER)
    page.goto(f"{demo.url}/records/edit/change/orders/ORD-2026-0200/")
    page.get_by_label("Value").first.focus()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("typed by keyboard")
    page.get_by_role("button", name="Save").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("typed by keyboard", exact=True)).to_be_visible()


def test_a_problem_has_the_focus_and_leads_to_its_field(page: Any, demo: Demo) -> None:
    sign_in(page, demo, ACME_OWNER)
    page.goto(f"{demo.url}/records/edit/change/orders/ORD-2026-0201/")
    page.get_by_label("Type").first.select_option("number")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(":focus")).to_contain_text("There is a problem")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Value").first).to_be_focused()


def test_a_blank_row_follows_the_last_and_a_key_saves(page: Any, demo: Demo) -> None:
    sign_in(page, demo, ACME_OWNER)
    page.goto(f"{demo.url}/records/edit/new/orders/")
    page.keyboard.type("typed without a click")
    expect(page.get_by_label("Record key")).to_have_value("typed without a click")
    for number in range(7):
        page.locator(f"#name_{number}").fill(f"name {number}")
        page.locator(f"#value_{number}").fill(f"value {number}")
    page.locator("#value_6").press("ControlOrMeta+Enter")
    expect(page.get_by_text("The record was created.")).to_be_visible()
    expect(page.get_by_text("value 6", exact=True)).to_be_visible()
    page.get_by_role("link", name="Edit name 3").click()
    expect(page.get_by_label("Value").nth(3)).to_be_focused()
    page.goto(f"{demo.url}/records/edit/delete/orders/~dHlwZWQgd2l0aG91dCBhIGNsaWNr/")
    page.get_by_role("button", name="Delete record").click()
    expect(page.get_by_text("was deleted")).to_be_visible()


def test_one_box_ticks_all_records_of_a_page(page: Any, demo: Demo) -> None:
    sign_in(page, demo, ACME_OWNER)
    page.goto(f"{demo.url}/records/orders/")
    page.get_by_role("link", name="Next").click()
    expect(page.locator("#announcement")).to_have_text("Records 26–50")
    page.get_by_label("Select all on this page").check()
    expect(page.locator('[name="chosen"]:checked')).to_have_count(25)
    page.get_by_role("button", name="Delete…").click()
    expect(page.get_by_role("heading", name="Delete 25 records")).to_be_visible()
