"""Pages that read by themselves, on a table whose keys have other names: a dot, a dash and a reserved word in them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from emulator.client import process
from portal.demo.world import build
from tenants.domain.keys import KeyNames
from tests.direct.conftest import Direct, Window, serve_portal
from tests.direct.visits import answer, open_public, read_all, sign_in
from tests.world.portal_process import free_port

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]
KEYS = KeyNames('Tenant.Key-"1"', "Name")


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Direct]:
    """In place of the one whose table has the usual keys."""
    port, folder = free_port(), tmp_path_factory.mktemp("other-keys") / "on"
    with process.start() as emulator:
        world = build(emulator=emulator, portal_url=f"http://localhost:{port}", keys=KEYS)
        with serve_portal(port, world.settings, folder) as portal:
            yield Direct(world, portal, portal)


def test_a_guest_reads_public_records(window: Window, direct: Direct) -> None:
    open_public(window, direct)
    page = window.page
    page.get_by_role("link", name="news").click()
    keys = read_all(page)
    assert len(keys) == len(set(keys)) > 25
    expect(page.locator("thead")).not_to_contain_text("Name")
    page.get_by_role("link", name=keys[0]).click()
    page.locator("dl.attributes").wait_for()
    expect(page.locator("dl.attributes dt").first).to_have_text("Partition key")
    expect(page.locator("dl.attributes")).to_contain_text("PUBLIC#news")
    expect(page.locator("dl.attributes")).not_to_contain_text(KEYS.partition)


def test_a_member_reads_their_own_and_writes_nothing(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    page = window.page
    for button in ("#try-write", "#try-scan", "#try-statement"):
        page.locator(button).click()
        expect(page.locator("#answer")).to_contain_text("Refused by AWS")
        assert "AccessDeniedException" in answer(page)
    page.get_by_role("link", name="orders").click()
    assert "ORD-2026-0001" in read_all(page)
