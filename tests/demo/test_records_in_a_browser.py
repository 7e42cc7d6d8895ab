"""A collection is explored by keyboard and pointer, on a phone without JavaScript too: against the running demo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from portal.demo.cast import ACME_OWNER
from tests.demo.conftest import DESKTOP, PHONE, Demo
from tests.demo.test_members_in_a_browser import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]


@pytest.fixture(params=[True, False], ids=["with JavaScript", "on a phone without"])
def page(request: Any, chromium: Any, demo: Demo) -> Iterator[Any]:
    context = chromium.new_context(viewport=DESKTOP if request.param else PHONE, java_script_enabled=request.param)
    context.set_default_timeout(60_000)
    page = context.new_page()
    sign_in(page, demo, ACME_OWNER.email, demo.password)
    page.wait_for_url(f"{demo.url}/")
    page.goto(f"{demo.url}/records/orders/")
    yield page
    context.close()


def keys(page: Any) -> Any:
    return page.get_by_role("rowheader")


def test_a_range_of_keys_is_shown_counted_and_turned_round(page: Any) -> None:
    page.get_by_label("How to compare the key").select_option("between")
    page.get_by_label("Key", exact=True).fill("ORD-2026-0002")
    page.locator("#key_to").fill("ORD-2026-0004")
    page.get_by_role("button", name="Search").click()
    expect(keys(page)).to_have_text(["ORD-2026-0002", "ORD-2026-0003", "ORD-2026-0004"])
    page.get_by_label("Order", exact=True).select_option("desc")
    page.get_by_role("button", name="Search").click()
    expect(keys(page)).to_have_text(["ORD-2026-0004", "ORD-2026-0003", "ORD-2026-0002"])
    page.get_by_role("link", name="Count").click()
    expect(page.locator("#count")).to_contain_text("3 records")
    expect(keys(page)).to_have_count(3)


def test_a_whole_key_and_enter_open_the_record(page: Any) -> None:
    page.locator("#key").fill("ORD-2026-0123")
    page.locator("#key").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("ORD-2026-0123")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("orders")


def test_a_filter_is_added_and_removed(page: Any) -> None:
    page.get_by_text("Filter by attribute").click()
    page.get_by_label("Attribute", exact=True).fill("items")
    page.get_by_label("Compare", exact=True).select_option(label="is more than")
    page.get_by_label("Value").fill("8")
    page.get_by_role("button", name="Add filter").click()
    expect(page.locator(".chip")).to_have_text([re.compile("items is more than 8")])
    expect(page.get_by_text("Looked at 260 records").last).to_be_visible()
    page.get_by_role("link", name="Remove the filter items is more than 8").click()
    expect(keys(page)).to_have_count(25)


def test_a_problem_is_told_at_its_field(page: Any) -> None:
    page.get_by_text("Filter by attribute").click()
    page.get_by_label("Attribute", exact=True).fill("total")
    page.get_by_label("Value").fill("a lot")
    page.get_by_role("button", name="Add filter").click()
    expect(page.get_by_role("alert")).to_contain_text("total: “a lot” is not a number.")
    expect(page.get_by_label("Value")).to_have_accessible_description(re.compile("is not a number"))
    expect(page.get_by_label("Value")).to_have_value("a lot")


def test_columns_are_chosen_and_stay(page: Any, demo: Demo) -> None:
    page.get_by_text("Columns", exact=True).click()
    for name in ("ordered_by", "ordered_on", "items", "currency"):
        page.get_by_role("checkbox", name=name).uncheck()
    page.get_by_label("Place of total").fill("1")
    page.get_by_role("button", name="Show these columns").click()
    heads = [re.compile("^Select"), "Key", "total", "status", "Edit or delete"]
    expect(page.get_by_role("columnheader")).to_have_text(heads)
    page.goto(f"{demo.url}/records/")
    page.get_by_role("link", name="orders").click()
    expect(page.get_by_role("columnheader")).to_have_text(heads)


def test_the_same_as_code_stands_beside_the_records_or_on_its_own_page(page: Any) -> None:
    page.get_by_role("link", name="The same as code").click()
    code = page.get_by_role("region", name="The same as code")
    expect(code.get_by_role("heading")).to_have_text(
        [re.compile("AWS CLI"), re.compile("Python"), re.compile("JavaScript")]
    )
    expect(code).to_contain_text("aws dynamodb query --no-paginate")
