"""Public records for somebody who never signed in, read by the page with a guest's credentials."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from portal.demo.cast import ACME
from tests.direct.conftest import Direct, Window
from tests.direct.visits import open_public, read_all

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]


def test_a_guest_reads_every_public_record_when_the_portal_has_stopped(window: Window, direct: Direct) -> None:
    open_public(window, direct)
    direct.portal.stop()
    window.forget()
    page = window.page
    page.get_by_role("link", name="news").click()
    keys = read_all(page)
    assert len(keys) == len(set(keys)) > 25
    page.get_by_role("link", name=keys[0]).click()
    page.locator("dl.attributes").wait_for()
    expect(page.locator(".reader")).to_contain_text("PUBLIC#news")
    expect(page).to_have_url(f"{direct.portal.url}/public/news/{keys[0]}/")
    page.go_back()
    page.locator("tbody tr").first.wait_for()
    expect(page).to_have_url(f"{direct.portal.url}/public/news/")
    assert window.requests_to(direct.portal.url) == []


def test_a_guests_address_can_be_opened_by_itself(window: Window, direct: Direct) -> None:
    window.page.goto(f"{direct.portal.url}/public/news/2026-01-05/")
    window.page.locator("dl.attributes").wait_for()
    expect(window.page).to_have_title(re.compile("^2026-01-05 · news · Public records"))


def test_a_second_visit_of_a_guest_makes_no_identity(window: Window, direct: Direct) -> None:
    open_public(window, direct)
    assert direct.switches.calls()["CognitoIdentity.GetId"] == 1
    local, session = window.stored()
    assert session == {}
    [(name, identity)] = local.items()
    assert name == f"guest-identity {direct.world.settings['COGNITO_IDENTITY_POOL_ID']}"
    direct.switches.forget()
    window.forget()
    window.page.reload()
    window.page.get_by_role("link", name="news").wait_for()
    calls = direct.switches.calls()
    assert (calls.get("CognitoIdentity.GetId"), calls["CognitoIdentity.GetCredentialsForIdentity"]) == (None, 1)
    assert window.stored() == ({name: identity}, {})
    assert identity not in window.secrets()


def test_a_guest_whose_identity_is_gone_gets_another_one(window: Window, direct: Direct) -> None:
    open_public(window, direct)
    [(name, _)] = window.stored()[0].items()
    gone = "eu-west-1:00000000-0000-4000-8000-000000000000"
    window.page.evaluate("([name, value]) => localStorage.setItem(name, value)", [name, gone])
    window.page.reload()
    window.page.get_by_role("link", name="news").wait_for()
    assert window.stored()[0][name] != gone


def test_a_guest_is_refused_the_rows_of_an_organisation(window: Window, direct: Direct) -> None:
    open_public(window, direct)
    told = window.page.evaluate(
        """async ({table, pk}) => {
          const aws = document.getElementById('public-records').dataset, m = await import('/static/aws-direct.js');
          const settings = {region: aws.region, dynamodb: aws.dynamodb, identity: aws.identity,
                            identityPool: aws.identityPool, tell: () => {}};
          const held = await m.getCredentials(settings, await m.getId(settings));
          return m.query(settings, held, {table, pk, limit: 1}).then(() => 'read', (error) => error.code);
        }""",
        {"table": direct.world.settings["RECORDS_TABLE"], "pk": ACME.space.collection("orders")},
    )
    assert told == "AccessDeniedException"


def test_where_guests_may_not_read_nothing_is_sent(window: Window, direct: Direct) -> None:
    for address in ("/public/", "/public/news/", "/direct/"):
        window.page.goto(f"{direct.off.url}{address}")
        window.page.wait_for_load_state("networkidle")
        expect(window.page.locator("main")).to_contain_text("sends nothing")
    assert window.requests_to(direct.world.emulator.endpoint_url) == []
    assert window.stored() == ({}, {})


@pytest.mark.parametrize("address", ["/public/", "/direct/"])
def test_without_scripts_a_page_says_what_it_needs(chromium: Any, direct: Direct, address: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{direct.portal.url}{address}")
    expect(page.locator("main .notice").first).to_contain_text("JavaScript")
    context.close()


def test_a_browser_that_stores_nothing_reads_all_the_same(window: Window, direct: Direct) -> None:
    refuse = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('', 'SecurityError'); }})"
    window.page.add_init_script(refuse)
    open_public(window, direct)
    window.page.get_by_role("link", name="news").click()
    assert len(read_all(window.page)) > 25
    assert direct.switches.calls()["CognitoIdentity.GetId"] == 1
