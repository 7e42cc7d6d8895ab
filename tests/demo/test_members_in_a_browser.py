"""An owner invites two people, and one of them joins from the mailbox: in a real browser, against the running demo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from portal.demo.cast import ACME_OWNER
from tests.demo.conftest import Demo, text_mailed

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
VERA, EVE = "vera@newcomers.example", "eve@newcomers.example"
PASSWORD = "A-password-of-her-own-7"
NewPage = Callable[..., Any]


@pytest.fixture
def new_page(chromium: Any) -> Iterator[NewPage]:
    """A window of somebody else's browser."""
    contexts = []

    def open_page(**options: Any) -> Any:
        context = chromium.new_context(**{"viewport": DESKTOP, **options})
        context.set_default_timeout(60_000)
        contexts.append(context)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


def sign_in(page: Any, demo: Demo, email: str, password: str) -> None:
    page.goto(f"{demo.url}/oidc/authenticate/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def sign_in_again(page: Any, demo: Demo, email: str) -> None:
    """Cognito's page may still know the browser, and then asks for nothing."""
    page.goto(f"{demo.url}/oidc/authenticate/")
    if page.get_by_label("Password", exact=True).count():
        page.get_by_label("E-mail").fill(email)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_load_state()


def temporary_password(demo: Demo, email: str) -> str:
    return text_mailed(demo, email, r"password(?: is|:)\s+(\S+?)\.?(?:\s|$)")[1]


def join(page: Any, demo: Demo, email: str) -> None:
    sign_in(page, demo, email, temporary_password(demo, email))
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password again").fill(PASSWORD)
    page.get_by_role("button", name="Save and sign in").click()
    page.wait_for_url(f"{demo.url}/")


def wait_for_words(page: Any, address: str, words: str) -> None:
    """Loads the page again and again: what the worker does appears by then."""
    for _ in range(240):
        page.goto(address)
        if page.get_by_text(words).count():
            return
        page.wait_for_timeout(500)
    raise AssertionError(page.inner_text("main"))


def status_of(page: Any, address: str) -> int:
    return int(page.goto(address).status)


def test_an_owner_invites_two_one_joins_and_a_new_role_reaches_aws(new_page: NewPage, demo: Demo) -> None:
    owner = new_page()
    sign_in(owner, demo, ACME_OWNER.email, demo.password)
    owner.get_by_role("link", name="Members", exact=True).click()
    owner.get_by_role("link", name="Invite people").first.click()
    owner.get_by_label("E-mail addresses").fill(f"Vera New <{VERA}>\n{EVE}, Eve, editor\nmistyped")
    owner.get_by_role("button", name="Invite", exact=True).click()
    owner.get_by_text("2 people invited").wait_for()
    expect(owner.get_by_label("E-mail addresses")).to_have_value("mistyped")

    # The mail may come before the worker has written down whom Cognito made.
    wait_for_words(owner, f"{demo.url}/members/?q=vera%20new", "invited, expires on")
    vera = new_page(viewport=PHONE, java_script_enabled=False)
    join(vera, demo, VERA)
    expect(vera.locator("header").first).to_contain_text("Acme Ltd")
    expect(vera.get_by_role("link", name="Members", exact=True)).to_have_count(0)
    assert status_of(vera, f"{demo.url}/members/") == 403
    assert status_of(vera, f"{demo.url}/records/orders/") == 200
    assert role_at_aws(vera, demo) == "viewer"

    owner.goto(f"{demo.url}/members/?q=vera%20new")
    owner.get_by_text("has signed in, last on").wait_for()
    owner.get_by_role("link", name=VERA).click()
    owner.get_by_role("link", name="Change role").click()
    owner.get_by_label("Role").select_option("admin")
    owner.get_by_role("button", name=f"Change the role of {VERA}").click()
    owner.get_by_text(f"{VERA} is admin now").wait_for()
    assert status_of(vera, f"{demo.url}/members/") == 401, "another role ends the session"
    # A token from before the worker has signed her out would be refused by AWS.
    wait_for_words(owner, owner.url, "set the role to admin, sign out everywhere")
    sign_in_again(vera, demo, VERA)
    assert status_of(vera, f"{demo.url}/members/") == 200
    expect(vera.get_by_role("link", name=EVE)).to_have_count(1)
    assert role_at_aws(vera, demo) == "admin"

    vera.goto(f"{demo.url}/members/leave/")
    vera.get_by_role("button", name="Leave Acme Ltd").click()
    vera.get_by_text("You have left Acme Ltd.").wait_for()
    expect(vera.locator("header").first).to_contain_text("Not signed in")


def role_at_aws(page: Any, demo: Demo) -> str:
    """The tag that the person's credentials carry, as their page of credentials shows it."""
    page.goto(f"{demo.url}/access/")
    row = page.locator("dt", has_text="Tag role").locator("xpath=following-sibling::dd")
    role: str = row.locator(".role").inner_text()
    return role


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_no_page_of_members_scrolls_sideways(new_page: NewPage, demo: Demo, viewport: dict[str, int]) -> None:
    page = new_page(viewport=viewport)
    sign_in(page, demo, ACME_OWNER.email, demo.password)
    page.wait_for_url(f"{demo.url}/")
    page.goto(f"{demo.url}/members/?role=viewer")
    member = page.locator("tbody th a").last.get_attribute("href")
    for address in ("", "?q=nobody", "invite/", "leave/", member, f"{member}role/", f"{member}remove/",
                    f"remove/?chosen={member.strip('/')}"):  # fmt: skip
        page.goto(f"{demo.url}/members/{address}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"], f"{address} is {width} px wide"


def test_people_are_invited_by_keyboard_alone(new_page: NewPage, demo: Demo) -> None:
    page = new_page()
    sign_in(page, demo, ACME_OWNER.email, demo.password)
    page.wait_for_url(f"{demo.url}/")
    page.goto(f"{demo.url}/members/invite/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "people":
            break
    page.keyboard.type("no address")
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    page.get_by_role("link", name="the box below").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#people")).to_be_focused()
