"""From an empty mailbox to the first page of records in a real browser, the two ways in which organisations sign up."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.demo.conftest import DESKTOP, PHONE, Demo, running_demo, text_mailed

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]
OWN_PASSWORD = "Correct-horse-7-battery"


@pytest.fixture(scope="module")
def hosted_demo(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("hosted") / "project"
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("var"))
    with running_demo(folder, SIGN_UP="hosted-ui") as demo:
        yield demo


def fill_in_form(page: Any, organisation: str, email: str) -> None:
    page.get_by_label("Name of your organisation").fill(organisation)
    page.get_by_label("Your name").fill("Bill Lumbergh")
    page.get_by_label("Your e-mail address").fill(email)
    page.get_by_label("I agree to the platform’s terms").check()
    # The form takes nothing in its first two seconds, as nobody is so fast.
    page.wait_for_timeout(2000)
    page.get_by_role("button", name="Create the organisation").click()


def choose_password(page: Any) -> None:
    """On the page that asks for it twice, once that page is there."""
    fields = page.locator("input[type=password]")
    expect(fields).to_have_count(2)
    for number in range(2):
        fields.nth(number).fill(OWN_PASSWORD)
    fields.last.press("Enter")


def open_from_home(page: Any, name: str) -> None:
    """On a busy machine AWS may be slower than the first page waits for it. Then the link is not there yet."""
    link = page.get_by_role("link", name=name)
    for _ in range(60):
        if link.count():
            break
        page.reload()
    link.click()


def does_not_scroll_sideways(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_signing_up_in_the_portal(page: Any, demo: Demo, size: dict[str, int]) -> None:
    email, name = f"bill{size['width']}@initech.example", f"Initech {size['width']}"
    page.set_viewport_size(size)
    page.goto(demo.url)
    page.get_by_role("link", name="Create an organisation").last.click()
    page.get_by_label("Name of your organisation").wait_for()
    assert does_not_scroll_sideways(page)
    page.get_by_role("button", name="Create the organisation").click()
    expect(page).to_have_title(re.compile("^Error: "))
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    summary.get_by_role("link", name="Enter your name.").click()
    expect(page.get_by_label("Your name")).to_be_focused()
    assert does_not_scroll_sideways(page)
    fill_in_form(page, name, email)
    page.wait_for_url(f"{demo.url}/signup/sent/")
    expect(page.locator("main")).to_contain_text(email)
    assert does_not_scroll_sideways(page)

    # Four actions: the link, the password, a password of their own, the records.
    page.goto(text_mailed(demo, email, rf"{demo.url}/welcome/")[0])
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(text_mailed(demo, email, r"^\S{12,}$")[0])
    page.get_by_role("button", name="Sign in").click()
    choose_password(page)
    page.wait_for_url(f"{demo.url}/")
    expect(page.locator("main")).to_contain_text(f"{name} is set up")
    assert does_not_scroll_sideways(page)
    open_from_home(page, "See where records appear")
    page.wait_for_url(f"{demo.url}/records/")
    expect(page.locator("main")).to_contain_text("No collections yet")
    page.go_back()
    page.wait_for_url(f"{demo.url}/")
    page.reload()
    expect(page.locator("main")).to_contain_text("What to do next")


def test_the_form_works_with_the_keyboard_alone(page: Any, demo: Demo) -> None:
    page.goto(f"{demo.url}/signup/")
    page.get_by_label("Name of your organisation").focus()
    for typed in ("Initech", "Bill Lumbergh", "keys@initech.example"):
        page.keyboard.type(typed)
        page.keyboard.press("Tab")
    expect(page.locator("#terms")).to_be_focused()
    page.keyboard.press("Space")
    page.wait_for_timeout(2000)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{demo.url}/signup/sent/")


def test_signing_up_on_cognitos_pages(page: Any, hosted_demo: Demo) -> None:
    email = "ann@vandelay.example"
    page.set_viewport_size(PHONE)
    page.goto(hosted_demo.url)
    page.get_by_role("link", name="Create an organisation").last.click()
    page.get_by_label("E-mail").fill(email)
    choose_password(page)
    page.get_by_label("Code").fill(text_mailed(hosted_demo, email, r"^\d{6}$")[0])
    page.get_by_label("Code").press("Enter")
    page.wait_for_url(f"{hosted_demo.url}/welcome/")
    assert does_not_scroll_sideways(page)
    page.get_by_label("Name of your organisation").fill("Vandelay Industries")
    page.get_by_role("button", name="Go to your organisation").click()
    page.wait_for_url(f"{hosted_demo.url}/")
    expect(page.locator("main")).to_contain_text(
        "Vandelay Industries is set up. Its short name is “vandelay-industries”."
    )
    open_from_home(page, "See where records appear")
    expect(page.locator("main")).to_contain_text("No collections yet")
