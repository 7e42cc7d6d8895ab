"""Many tabs of a real browser that sign in at once, against the running demo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from portal.demo.cast import ACME_OWNER
from tests.demo.conftest import Demo

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]
PATHS = [f"/records/orders/?prefix=ORD-2026-{number:04}" for number in range(1, 13)]


@pytest.fixture
def window(chromium: Any) -> Iterator[Any]:
    """Of a browser that nobody has used yet, as in private mode."""
    context = chromium.new_context()
    context.set_default_timeout(60_000)
    yield context
    context.close()


def test_tabs_opened_together_each_land_on_their_own_page(window: Any, demo: Demo) -> None:
    tabs = [(window.new_page(), path) for path in PATHS]
    for tab, path in tabs:
        tab.goto(demo.url + path)
    for tab, _ in tabs:
        tab.get_by_label("E-mail").fill(ACME_OWNER.email)
        tab.get_by_label("Password", exact=True).fill(demo.password)
    # All at once, the last one first: no tab waits for the one before.
    for tab, _ in reversed(tabs):
        tab.evaluate("setTimeout(() => document.querySelector('form').submit(), 50)")
    for tab, path in tabs:
        tab.wait_for_url(demo.url + path)
        expect(tab.locator("header").first).to_contain_text("Acme Ltd")


def test_going_back_after_signing_in_shows_no_error(window: Any, demo: Demo) -> None:
    tab, visited = window.new_page(), list[str]()
    tab.on("request", lambda request: visited.append(request.url))
    tab.goto(demo.url + PATHS[0])
    tab.get_by_label("E-mail").fill(ACME_OWNER.email)
    tab.get_by_label("Password", exact=True).fill(demo.password)
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url(demo.url + PATHS[0])
    callback = next(address for address in visited if "/oidc/callback/" in address)
    tab.goto(callback)
    assert tab.url == demo.url + PATHS[0]
    expect(tab.locator("header").first).to_contain_text("Acme Ltd")
