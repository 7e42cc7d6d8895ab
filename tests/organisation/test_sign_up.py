"""Signing an organisation up: the form, what it stores, and what its answers do not tell."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import signing
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.demo.cast import ACME_OWNER, OPERATOR
from portal.demo.world import World
from tenants.members import sign_up as sign_ups
from tenants.models import SignUp
from tests.world.fixtures import Browser
from tests.world.pages import errors_in, text_of

GOOD = {"organisation": "Initech", "name": "Bill Lumbergh", "email": "bill@initech.example", "terms": "yes"}


@pytest.fixture(autouse=True)
def thought_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The form has been open for long enough."""
    monkeypatch.setattr("tenants.organisation.sign_up._SHORTEST_SECONDS", 0)


def send(browser: Browser, **changed: str) -> Any:
    page = browser.get("/signup/")
    opened = re.search(r'name="opened" value="([^"]*)"', text_of(page))
    assert opened is not None
    form = {"opened": opened[1], **GOOD, **changed}
    return browser.post("/signup/", {name: text for name, text in form.items() if text is not None})


def test_a_sign_up_is_a_row_and_nothing_else(browser: Browser) -> None:
    answer = send(browser)
    assert (answer.status_code, answer["Location"]) == (302, "/signup/sent/")
    row = SignUp.objects.get()
    assert (row.organisation, row.name, row.email) == ("Initech", "Bill Lumbergh", "bill@initech.example")
    assert row.sub is None
    assert row.expires_at - row.created_at == sign_ups.LASTS
    page = text_of(browser.get("/signup/sent/"))
    assert "Check your mail" in page
    assert "bill@initech.example" in page


def _bytes_and_queries(portal: World, email: str) -> tuple[bytes, bytes, list[str]]:
    browser = Browser(portal)
    with CaptureQueriesContext(connection) as queries:
        answer = send(browser, email=email)
        page = browser.get("/signup/sent/")
    sql = [re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in queries]
    text = re.sub(rb'name="csrfmiddlewaretoken" value="[^"]*"', b"", page.content).replace(email.encode(), b"")
    headers = re.sub(r"X-Request-Id: \S+", "", str(answer.serialize_headers()))
    return answer.content, text, [*sql, re.sub(r"[0-9a-f]{32}", "", headers)]


def test_known_and_unknown_addresses_get_equal_bytes_and_queries(portal: World) -> None:
    known = [OPERATOR.email, ACME_OWNER.email]
    unknown = ["abcdefgh@platform.example", "nobod@acme.example"]
    answers = [_bytes_and_queries(portal, email) for email in (*known, *unknown)]
    assert len(answers[0][2]) > 3
    assert answers == [answers[0]] * 4


def test_all_problems_are_shown_at_once_and_what_was_typed_is_kept(browser: Browser) -> None:
    page = send(browser, organisation=" ", name="Bi\u202ell", email="bill at initech", terms=None)  # type: ignore[arg-type]
    assert page.status_code == 400
    assert set(errors_in(page)) == {"organisation", "name", "email", "terms"}
    text = text_of(page)
    assert "Enter the name of your organisation." in text
    assert 'value="bill at initech"' in text
    assert "autofocus" in text
    assert not SignUp.objects.exists()


@pytest.mark.parametrize("field", ["organisation", "name", "email"])
@pytest.mark.parametrize("character", ["\0", "\u202e", "\u2066"], ids=["NUL", "RLO", "LRI"])
def test_invisible_characters_are_refused_in_each_field(browser: Browser, field: str, character: str) -> None:
    before, after = GOOD[field][:2], GOOD[field][2:]
    page = send(browser, **{field: f"{before}{character}{after}"})
    assert (page.status_code, set(errors_in(page))) == (400, {field})
    assert not SignUp.objects.exists()


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Bill+Work@Initech.EXAMPLE", "bill+work@initech.example"),
        (" bill@bücher.example ", "bill@xn--bcher-kva.example"),
    ],
)
def test_an_address_is_stored_as_it_is_compared(browser: Browser, typed: str, stored: str) -> None:
    send(browser, email=typed)
    assert SignUp.objects.get().email == stored


def test_a_form_sent_at_once_is_shown_again_and_then_taken(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenants.organisation.sign_up._SHORTEST_SECONDS", 2)
    page = send(browser)
    assert page.status_code == 400
    assert "That was quick" in text_of(page)
    assert 'value="Initech"' in text_of(page)
    assert " checked" in text_of(page)
    opened = re.search(r'name="opened" value="([^"]*)"', text_of(page))
    assert opened is not None
    earlier = signing.loads(opened[1], salt="sign-up form") - 2
    again = {**GOOD, "opened": signing.dumps(earlier, salt="sign-up form")}
    assert browser.post("/signup/", again).status_code == 302


@pytest.mark.parametrize("opened", ["", "forged", "1700000000:1abcde:signature"])
def test_a_form_that_we_did_not_write_is_shown_again(browser: Browser, opened: str) -> None:
    page = browser.post("/signup/", {**GOOD, "opened": opened})
    assert page.status_code == 400
    assert 'value="Initech"' in text_of(page)
    assert not SignUp.objects.exists()


def test_a_program_that_fills_everything_in_gets_the_answer_and_no_row(browser: Browser) -> None:
    answer = send(browser, website="https://spam.example")
    assert (answer.status_code, answer["Location"]) == (302, "/signup/sent/")
    assert "Check your mail" in text_of(browser.get("/signup/sent/"))
    assert not SignUp.objects.exists()


def test_a_network_that_sends_too_many_waits_and_others_do_not(portal: World) -> None:
    browser = Browser(portal)
    for number in range(sign_ups.MOST_OF_A_NETWORK):
        assert send(browser, email=f"p{number}@initech.example").status_code == 302
    refused = send(browser)
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 3600
    assert 'value="Initech"' in text_of(refused)
    assert not SignUp.objects.filter(email=GOOD["email"]).exists()
    browser.defaults["REMOTE_ADDR"] = "198.51.100.7"
    assert send(browser).status_code == 302


def test_the_whole_site_takes_so_many_an_hour(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_ups, "MOST_OF_THE_SITE", 2)
    for number, expected in enumerate([302, 302, 429]):
        browser.defaults["REMOTE_ADDR"] = f"198.51.{number}.7"
        assert send(browser).status_code == expected


def test_send_again_always_answers_the_same(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    send(browser)
    monkeypatch.setattr(sign_ups, "MOST_OF_A_NETWORK", 2)
    pages = []
    for _ in range(3):
        answer = browser.post("/signup/sent/")
        assert (answer.status_code, answer["Location"]) == (302, "/signup/sent/?again")
        pages.append(re.sub(r'value="[^"]*"', "", text_of(browser.get(answer["Location"]))))
    assert pages == [pages[0]] * 3
    # The second within the limit is a row, the others are dropped.
    assert SignUp.objects.count() == 2


def test_the_page_after_it_leads_back_where_nothing_was_sent(browser: Browser) -> None:
    for answer in (browser.get("/signup/sent/"), browser.post("/signup/sent/")):
        assert (answer.status_code, answer["Location"]) == (302, "/signup/")
    assert not SignUp.objects.exists()


def test_somebody_signed_in_is_told_of_one_organisation_an_address(browser: Browser) -> None:
    browser.sign_in(ACME_OWNER)
    for page in (browser.get("/signup/"), browser.post("/signup/", GOOD)):
        assert page.status_code == 200
        assert "one e-mail address is in one organisation" in text_of(page)
    assert not SignUp.objects.exists()


def test_visitors_find_the_sign_up_on_the_first_page_and_in_the_header(browser: Browser) -> None:
    assert text_of(browser.get("/")).count('href="/signup/"') == 2


def test_cognitos_sign_up_page_leads_back_where_the_portal_signs_up(browser: Browser) -> None:
    assert browser.get("/oidc/sign-up/?next=/welcome/")["Location"] == "/signup/"


def test_on_a_stack_where_people_sign_up_at_cognito_it_leads_there(browser: Browser, settings: Any) -> None:
    settings.SIGN_UP = "hosted-ui"
    start = browser.get(browser.get("/signup/")["Location"])["Location"]
    assert start.startswith(f"{settings.COGNITO_DOMAIN}/signup?")
    for parameter in ("state=", "nonce=", "code_challenge=", "code_challenge_method=S256", "response_type=code"):
        assert parameter in start
    # A sign-in that failed leads to the page that it was for.
    assert "next=%2Fwelcome%2F" in text_of(browser.get("/oidc/callback/?error=access_denied"))
