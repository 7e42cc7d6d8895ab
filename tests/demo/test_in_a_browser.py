"""The main tasks in a real browser, against the running demo: sign in, read, be refused, sign out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from portal.demo.cast import ACME, ACME_OWNER, GLOBEX, GLOBEX_OWNER, OPERATOR, CastMember
from tests.demo.conftest import DESKTOP, PHONE, Demo

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]


def sign_in(page: Any, demo: Demo, member: CastMember) -> None:
    page.goto(demo.url)
    page.get_by_role("link", name="Sign in").first.click()
    page.get_by_label("E-mail").fill(member.email)
    page.get_by_label("Password", exact=True).fill(demo.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{demo.url}/")


def test_acmes_owner_reads_own_records_and_is_refused_globexs(page: Any, demo: Demo) -> None:
    sign_in(page, demo, ACME_OWNER)
    expect(page.locator("header").first).to_contain_text("Acme Ltd")

    page.get_by_role("link", name="Records", exact=True).first.click()
    page.get_by_role("link", name="orders").click()
    expect(page.locator("tbody tr")).to_have_count(25)
    page.get_by_role("link", name="Next").click()
    page.get_by_text("ORD-2026-0026").first.wait_for()
    page.get_by_role("link", name="Previous").click()
    page.get_by_role("link", name="ORD-2026-0001", exact=True).click()
    expect(page.locator("h1").first).to_contain_text("ORD-2026-0001")

    page.get_by_role("link", name="Access", exact=True).first.click()
    page.get_by_label("Partition key").fill(GLOBEX.space.collection("orders"))
    page.get_by_role("button", name="Ask AWS").click()
    answer = page.locator("#answer")
    expect(answer).to_contain_text("AccessDeniedException")
    expect(answer).to_contain_text("no identity-based policy allows the dynamodb:Query action")

    # A page that was asked for: browsers do not go back to the answer of a form.
    page.get_by_role("link", name="Records", exact=True).first.click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{demo.url}/")
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()
    page.go_back()
    page.wait_for_load_state()
    for secret in ("ORD-2026", "Ada Acme", str(ACME.org_id)):
        assert secret not in page.content()
    page.goto(f"{demo.url}/records/")
    page.get_by_label("Password", exact=True).wait_for()


def test_globexs_owner_sees_nothing_of_acme(page: Any, demo: Demo) -> None:
    sign_in(page, demo, GLOBEX_OWNER)
    page.goto(f"{demo.url}/records/orders/")
    expect(page.locator("header").first).to_contain_text("Globex Corporation")
    assert str(ACME.org_id) not in page.content()
    page.goto(f"{demo.url}/access/?pk={ACME.org_id}%23orders")
    page.get_by_role("button", name="Ask AWS").click()
    expect(page.locator("#answer")).to_contain_text("AccessDeniedException")


def test_an_operator_creates_closes_and_reopens_a_tenant(page: Any, demo: Demo) -> None:
    sign_in(page, demo, OPERATOR)
    page.get_by_role("link", name="Operators", exact=True).click()
    page.get_by_role("link", name="Tenants", exact=True).click()
    page.get_by_role("link", name="Create a tenant").click()
    page.get_by_label("Name", exact=True).fill("Initech")
    page.get_by_role("button", name="Create a tenant").click()
    page.get_by_role("link", name="Enter an e-mail address.").click()
    expect(page.locator("#email")).to_be_focused()
    page.keyboard.type("boss@initech.example")
    page.keyboard.press("Enter")
    page.get_by_text("Initech was created").wait_for()
    for verb, link, message in (
        ("Close", "Close…", "is being closed"),
        ("Reopen", "Reopen", "was reopened"),
    ):
        page.get_by_role("link", name=link, exact=True).click()
        page.get_by_label("Reason").fill("They asked for it.")
        if verb == "Close":
            page.get_by_label("Type initech to close it").fill("initech")
        page.get_by_role("button", name=f"{verb} Initech").click()
        page.get_by_text(message).wait_for()
    page.get_by_role("link", name="Audit trail").click()
    page.locator("tbody tr", has_text="Initech").get_by_text("Organisation: Reopened").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as CSV").click()
    assert "They asked for it." in download.value.path().read_text("utf-8")


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_no_operators_page_scrolls_sideways(page: Any, demo: Demo, viewport: dict[str, int]) -> None:
    page.set_viewport_size(viewport)
    sign_in(page, demo, OPERATOR)
    tenant = f"tenants/{ACME.org_id}/"
    for address in ("", "tenants/", "tenants/new/", "tenants/?q=nothing", tenant, f"{tenant}suspend/",
                    f"{tenant}timeline/", "members/", "members/2/", "members/3/role/", "drift/", "audit/",
                    "audit/1/"):  # fmt: skip
        page.goto(f"{demo.url}/operators/{address}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"], f"{address} is {width} px wide"


def test_a_wrong_password_does_not_reveal_which_users_exist(page: Any, demo: Demo) -> None:
    messages = []
    for email in (ACME_OWNER.email, "nobody@nowhere.example"):
        page.goto(f"{demo.url}/oidc/authenticate/")
        page.get_by_label("E-mail").fill(email)
        page.get_by_label("Password", exact=True).fill("not the password")
        page.get_by_role("button", name="Sign in").click()
        alert = page.get_by_role("alert")
        alert.wait_for()
        messages.append(alert.inner_text())
        expect(page.get_by_label("E-mail")).to_have_value(email)
    assert messages[0] == messages[1]


def test_an_empty_sign_in_names_both_fields_and_leads_to_each(page: Any, demo: Demo) -> None:
    page.goto(f"{demo.url}/oidc/authenticate/")
    page.get_by_role("button", name="Sign in").click()
    alert = page.get_by_role("alert")
    expect(alert).to_be_focused()
    expect(alert.get_by_role("link")).to_have_text(["Enter your e-mail address.", "Enter your password."])
    for label, problem in (("E-mail", "Enter your e-mail address."), ("Password", "Enter your password.")):
        field = page.get_by_label(label, exact=label == "Password")
        alert.get_by_role("link", name=problem).click()
        expect(field).to_be_focused()
        expect(field).to_have_accessible_description(problem)


def test_typing_a_prefix_filters_the_list_and_changes_the_address(page: Any, demo: Demo) -> None:
    sign_in(page, demo, ACME_OWNER)
    page.goto(f"{demo.url}/records/orders/")
    page.get_by_label("Key", exact=True).press_sequentially("ORD-2026-02", delay=20)
    page.wait_for_url(re.compile(r"prefix=ORD-2026-02$"))
    page.get_by_text("ORD-2026-0200").first.wait_for()
    expect(page.get_by_text("ORD-2026-0001")).to_have_count(0)


def test_every_page_works_without_javascript(chromium: Any, demo: Demo) -> None:
    context = chromium.new_context(viewport=PHONE, java_script_enabled=False)
    context.set_default_timeout(60_000)
    page = context.new_page()
    sign_in(page, demo, ACME_OWNER)
    page.goto(f"{demo.url}/records/orders/")
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("link", name="ORD-2026-0026", exact=True)).to_be_visible()
    page.get_by_label("Key", exact=True).fill("ORD-2026-01")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name="ORD-2026-0100", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{demo.url}/")
    context.close()


def test_a_person_can_sign_in_and_skip_to_the_page_by_keyboard(page: Any, demo: Demo) -> None:
    page.goto(f"{demo.url}/oidc/authenticate/")
    page.get_by_label("E-mail").focus()
    page.keyboard.type(ACME_OWNER.email)
    page.keyboard.press("Tab")
    page.keyboard.type(demo.password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{demo.url}/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text(re.compile(r"^\s*Skip"))


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_no_page_scrolls_sideways(page: Any, demo: Demo, viewport: dict[str, int]) -> None:
    page.set_viewport_size(viewport)
    sign_in(page, demo, ACME_OWNER)
    for address in ("/", "/records/", "/records/orders/", "/records/samples/every-type/", "/public/news/",
                    f"/access/?pk={GLOBEX.org_id}%23orders", "/no-such-page/"):  # fmt: skip
        page.goto(demo.url + address)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"], f"{address} is {width} px wide"


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_the_link_in_a_mail_leads_to_the_portal(page: Any, demo: Demo, size: dict[str, int]) -> None:
    page.set_viewport_size(size)
    page.goto(f"{demo.url}/oidc/authenticate/")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("E-mail").fill(ACME_OWNER.email)
    page.get_by_role("button").first.click()
    page.get_by_label("Code").wait_for()
    page.goto(f"{demo.emulator_url}/mailbox?to={ACME_OWNER.email}")
    page.get_by_role("link", name="Reset your password").first.click()
    page.locator("iframe").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.frame_locator("iframe").get_by_role("link", name=demo.url).click()
    page.wait_for_url(f"{demo.url}/")
