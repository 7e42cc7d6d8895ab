"""From an empty mailbox to the first page of records in a real browser, the two ways in which organisations sign up."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.demo.conftest import DESKTOP, PHONE, Demo, running_demo

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]
OWN_PASSWORD = "Correct-horse-7-battery"


@pytest.fixture(scope="module")
def hosted_demo(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("hosted") / "project"
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("var"))
    with running_demo(folder, SIGN_UP="hosted-ui") as demo:
        yield demo


def newest_mail(demo: Demo, address: str) -> dict[str, Any]:
    """Waits for the worker, which takes a second."""
    for _ in range(100):
        mails = requests.get(f"{demo.emulator_url}/mailbox.json", params={"to": address}, timeout=5).json()["mails"]
        if mails:
            newest: dict[str, Any] = mails[0]
            return newest
        time.sleep(0.1)
    raise AssertionError(f"nothing was mailed to {address}")


def fill_in_form(page: Any, organisation: str, email: str) -> None:
    page.get_by_label("Name of your organisation").fill(organisation)
    page.get_by_label("Your name").fill("Bill Lumbergh")
    page.get_by_label("Your e-mail address").fill(email)
    page.get_by_label("I agree to the platform’s terms").check()
    # The form takes nothing in its first two seconds, as nobody is so fast.
    page.wait_for_timeout(2000)
    page.get_by_role("button", name="Create the organisation").click()


def does_not_scroll_sideways(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_signing_up_in_the_portal(page: Any, demo: Demo, size: dict[str, int]) -> None:
    email, name = f"bill{size['width']}@initech.example", f"Initech {size['width']}"
    page.set_viewport_size(size)
    page.goto(demo.url)
    page.get_by_role("link", name="Create an organisation").last.click()
    assert does_not_scroll_sideways(page)
    page.get_by_role("button", name="Create the organisation").click()
    assert page.title().startswith("Error: ")
    summary = page.get_by_role("alert")
    assert summary.evaluate("summary => summary === document.activeElement")
    summary.get_by_role("link", name="Enter your name.").click()
    assert page.get_by_label("Your name").evaluate("field => field === document.activeElement")
    assert does_not_scroll_sideways(page)
    fill_in_form(page, name, email)
    page.wait_for_url(f"{demo.url}/signup/sent/")
    assert email in page.inner_text("main")
    assert does_not_scroll_sideways(page)

    # Four actions: the link, the password, a password of their own, the records.
    mail = newest_mail(demo, email)
    link, password = re.search(rf"{demo.url}/welcome/", mail["body"]), re.search(r"(?m)^\S{12,}$", mail["body"])
    assert link
    assert password
    page.goto(link[0])
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(password[0])
    page.get_by_role("button", name="Sign in").click()
    for field in page.locator("input[type=password]").all():
        field.fill(OWN_PASSWORD)
    page.locator("input[type=password]").last.press("Enter")
    page.wait_for_url(f"{demo.url}/")
    assert f"{name} is set up" in page.inner_text("main")
    assert does_not_scroll_sideways(page)
    page.get_by_role("link", name="See your records").click()
    page.wait_for_url(f"{demo.url}/records/")
    assert "No collections yet" in page.inner_text("main")
    page.go_back()
    page.reload()
    assert "What to do first" in page.inner_text("main")


def test_the_form_works_with_the_keyboard_alone(page: Any, demo: Demo) -> None:
    page.goto(f"{demo.url}/signup/")
    page.get_by_label("Name of your organisation").focus()
    for typed in ("Initech", "Bill Lumbergh", "keys@initech.example"):
        page.keyboard.type(typed)
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "terms"
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
    for field in page.locator("input[type=password]").all():
        field.fill(OWN_PASSWORD)
    page.locator("input[type=password]").last.press("Enter")
    code = re.search(r"(?m)^\d{6}$", newest_mail(hosted_demo, email)["body"])
    assert code
    page.get_by_label("Code").fill(code[0])
    page.get_by_label("Code").press("Enter")
    page.wait_for_url(f"{hosted_demo.url}/welcome/")
    assert does_not_scroll_sideways(page)
    page.get_by_label("Name of your organisation").fill("Vandelay Industries")
    page.get_by_role("button", name="Go to your organisation").click()
    page.wait_for_url(f"{hosted_demo.url}/")
    assert "Vandelay Industries is set up. Its short name is “vandelay-industries”." in page.inner_text("main")
    page.get_by_role("link", name="See your records").click()
    assert "No collections yet" in page.inner_text("main")
