"""A form of the sign-in pages says all that is wrong with it at once: above the form, and at each field."""

import re

import pytest
import requests

from emulator.client.process import Emulator
from tests.emulator.accounts import open_page
from tests.emulator.browser import Browser
from tests.emulator.world import ACME_OWNER, PASSWORD, Person, Stack, build

INPUT = re.compile(r'<input id="([^"]+)"[^>]*>')
MISSING = {
    "username": "Enter your e-mail address.",
    "password": "Enter your password.",
    "code": "Enter the six digits of the code.",
    "new_password": "Enter a new password.",
    "confirm_password": "Enter the new password again.",
}


@pytest.fixture(scope="module")
def open_stack(emulator: Emulator) -> Stack:
    return build(emulator, name="forms", SignUp="hosted-ui", RequireMfa="true")


@pytest.fixture
def browser(open_stack: Stack) -> Browser:
    return Browser(open_stack)


def problems_on(page: requests.Response) -> list[tuple[str, str]]:
    """Field and message of each line of the summary, which has the focus."""
    summary = re.search(r'<div class="summary" role="alert" tabindex="-1" autofocus>(.*?)</div>', page.text, re.DOTALL)
    assert summary, page.text
    return re.findall(r'<a href="#([^"]+)">([^<]+)</a>', summary[1])


def check_fields(page: requests.Response, wrong: list[str]) -> None:
    """Exactly these fields are marked, and all are described by what is on the page and not empty."""
    texts = dict(re.findall(r'<p class="(?:hint|problem)" id="([^"]+)">([^<]+)</p>', page.text))
    marked = []
    for found in INPUT.finditer(page.text):
        described = re.search(r'aria-describedby="([^"]+)"', found[0])
        names = described[1].split() if described else []
        assert all(texts[name].strip() for name in names)
        assert f'<label for="{found[1]}">' in page.text
        assert " required" in found[0]
        if 'aria-invalid="true"' in found[0]:
            assert f"{found[1]}-problem" in names
            marked.append(found[1])
    assert marked == wrong


def check_all_said(page: requests.Response, expected: list[tuple[str, str]]) -> None:
    assert page.status_code == 400
    assert "<title>Error: " in page.text
    assert problems_on(page) == expected
    check_fields(page, [name for name in INPUT.findall(page.text) if name in dict(expected)])
    for name, message in expected:
        (said,) = re.findall(rf'id="{name}-problem">([^<]+)<', page.text)
        assert message in said


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/login", ["username", "password"]),
        ("/forgotPassword", ["username"]),
        ("/confirmUser", ["username", "code"]),
        ("/confirmForgotPassword", ["username", "code", "new_password", "confirm_password"]),
    ],
)
def test_each_empty_field_is_named_at_once(browser: Browser, path: str, names: list[str]) -> None:
    page = open_page(browser, path)
    assert "autofocus" not in page.text
    check_fields(page, [])
    assert INPUT.findall(page.text) == names
    # Browsers name one empty field at a time.
    assert "novalidate" in page.text
    check_all_said(browser.submit(page), [(name, MISSING[name]) for name in names])


def test_an_empty_sign_up_names_each_field(browser: Browser) -> None:
    page = open_page(browser, "/signup")
    expected = [
        ("username", "Enter your e-mail address."),
        ("password", "Enter a password."),
        ("confirm_password", "Enter the password again."),
    ]
    check_all_said(browser.submit(page), expected)


def test_a_sign_up_hears_of_its_address_and_its_password_together(browser: Browser) -> None:
    page = open_page(browser, "/signup")
    answer = browser.submit(page, username="nobody", password="short", confirm_password="shorter")
    assert {name for name, _ in problems_on(answer)} == {"username", "password", "confirm_password"}
    check_fields(answer, ["username", "password", "confirm_password"])
    assert 'value="nobody"' in answer.text


def test_a_new_password_hears_all_that_is_wrong_with_it(browser: Browser) -> None:
    page = open_page(browser, "/confirmForgotPassword")
    answer = browser.submit(page, username=ACME_OWNER.email, new_password="short", confirm_password="x")
    found = problems_on(answer)
    assert found[0] == ("code", MISSING["code"])
    assert any(name == "new_password" and "length" in message for name, message in found)
    assert found[-1] == ("confirm_password", "The two passwords are different.")
    check_fields(answer, ["code", "new_password", "confirm_password"])
    assert "short" not in answer.text


def test_the_pages_after_a_password_name_their_empty_fields(browser: Browser) -> None:
    person = Person("invited-forms@acme.example", "", "")
    browser.stack.create(person, permanent=False)
    page = browser.submit(browser.page(), username=person.email, password=PASSWORD)
    names = ["new_password", "confirm_password"]
    check_all_said(browser.submit(page), [(name, MISSING[name]) for name in names])
    page = browser.submit(page, new_password="Another-long-password-5", confirm_password="Another-long-password-5")
    check_fields(page, [])
    check_all_said(browser.submit(page), [("code", MISSING["code"])])


@pytest.mark.parametrize("path", ["/login", "/forgotPassword", "/confirmForgotPassword", "/confirmUser", "/signup"])
def test_a_problem_of_the_whole_form_leads_to_its_first_field(browser: Browser, path: str) -> None:
    answer = browser.submit(open_page(browser, path), _csrf="x", username=ACME_OWNER.email)
    assert problems_on(answer) == [("username", "This page was open for too long. Please try again.")]
    check_fields(answer, [])


def test_a_wrong_code_is_said_at_the_code(browser: Browser) -> None:
    answer = browser.submit(open_page(browser, "/confirmUser"), username="nobody@acme.example", code="123456")
    check_all_said(answer, [("code", "This code is wrong or has expired.")])
