"""The sign-in pages, from the view of a browser."""

import secrets

import pytest

from tests.emulator.browser import Browser, code_in, redirect_parameters
from tests.emulator.world import (
    ACME_OWNER,
    PASSWORD,
    REDIRECT,
    Person,
    Stack,
)


def test_the_sign_in_page_has_a_labelled_form_and_no_script(browser: Browser) -> None:
    page = browser.page()
    assert page.status_code == 200
    assert "<title>Sign in</title>" in page.text
    for wanted in ('<label for="username">', 'autocomplete="username"', 'autocomplete="current-password"', "emulator"):
        assert wanted in page.text
    assert "script" not in page.text
    assert ACME_OWNER.email not in page.text
    assert (
        browser.http.get(browser.url("/assets/sign-in.css"), timeout=10).headers["Content-Type"].startswith("text/css")
    )


def test_a_sign_in_page_leads_back_to_the_site_it_was_opened_from(browser: Browser) -> None:
    page = browser.page()
    assert '<a class="back" href="http://localhost:8000/">Back to localhost:8000</a>' in page.text


def test_the_content_policy_blocks_scripts_and_other_redirects(browser: Browser) -> None:
    policy = browser.page().headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://localhost:8000" in policy
    assert "frame-ancestors 'none'" in policy


def test_a_wrong_password_and_an_unknown_person_read_the_same(browser: Browser) -> None:
    texts = []
    for email in (ACME_OWNER.email, "nobody@acme.example"):
        answer = browser.submit(browser.page(), username=email, password="wrong")
        assert answer.status_code == 400
        assert "Incorrect username or password." in answer.text
        assert f'value="{email}"' in answer.text
        texts.append(answer.text.replace(email, "-"))
        assert "wrong" not in answer.url + str(answer.headers)
    assert texts[0] == texts[1]


def test_a_disabled_user_sees_the_usual_refusal(browser: Browser, stack: Stack) -> None:
    person = stack.newcomer()
    stack.root("cognito-idp").admin_disable_user(UserPoolId=stack.pool_id, Username=person.email)
    answer = browser.submit(browser.page(), username=person.email, password=PASSWORD)
    assert "Incorrect username or password." in answer.text


def test_typed_text_is_escaped(browser: Browser) -> None:
    answer = browser.submit(browser.page(), username='"><b>', password="x")
    assert "<b>" not in answer.text


def test_a_form_from_elsewhere_signs_nobody_in(browser: Browser) -> None:
    page = browser.page()
    browser.http.cookies.clear()
    answer = browser.submit(page, username=ACME_OWNER.email, password=PASSWORD)
    assert answer.status_code == 400


def test_tabs_opened_at_the_same_moment_can_each_sign_in(browser: Browser, stack: Stack) -> None:
    fresh = [Browser(stack, verifier=browser.verifier) for _ in range(3)]
    pages = [tab.page(state=f"tab {number}") for number, tab in enumerate(fresh)]
    for tab in fresh:
        browser.http.cookies.update(tab.http.cookies)
    answers = [browser.submit(page, username=ACME_OWNER.email, password=PASSWORD) for page in pages]
    assert [redirect_parameters(answer)["state"] for answer in answers] == ["tab 0", "tab 1", "tab 2"]


def test_an_address_is_recognised_in_any_case(browser: Browser) -> None:
    page = browser.page()
    assert code_in(browser.submit(page, username=ACME_OWNER.email.upper(), password=PASSWORD))


def test_a_temporary_password_must_be_replaced(browser: Browser, stack: Stack) -> None:
    person = Person(f"{secrets.token_hex(4)}@acme.example", ACME_OWNER.org, "viewer")
    stack.create(person, permanent=False)
    page = browser.submit(browser.page(), username=person.email, password=PASSWORD)
    assert "<h1>Choose a password</h1>" in page.text
    assert page.text.count('autocomplete="new-password"') == 2
    unequal = browser.submit(page, new_password="Mine-is-longer-9", confirm_password="another")
    assert "are different" in unequal.text
    short = browser.submit(page, new_password="short", confirm_password="short")
    assert "greater than or equal to 15" in short.text
    done = browser.submit(page, new_password="Mine-is-longer-9", confirm_password="Mine-is-longer-9")
    assert browser.exchange(code_in(done)).status_code == 200
    again = browser.submit(page, new_password="Mine-is-longest-9", confirm_password="Mine-is-longest-9")
    assert again.status_code == 400


def test_an_unregistered_client_or_address_gets_no_redirect(browser: Browser) -> None:
    for changes in (
        {"client_id": "somebody"},
        {"redirect_uri": REDIRECT + "x"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": ""},
    ):
        answer = browser.authorize(**changes)
        assert answer.status_code == 400
        assert "Location" not in answer.headers
        assert "<h1>This request is not valid</h1>" in answer.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unauthorized_client"),
        ({"response_type": "other"}, "invalid_request"),
        ({"scope": "openid aws.cognito.signin.user.admin"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
    ids=str,
)
def test_an_invalid_request_redirects_the_error_to_the_client(
    browser: Browser, changes: dict[str, str], error: str
) -> None:
    assert redirect_parameters(browser.authorize(**changes)) == {"error": error, "state": "the state"}


# ── Browser sessions ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_second_client_request_needs_no_password(browser: Browser) -> None:
    browser.sign_in()
    assert code_in(browser.authorize())
    assert browser.authorize(prompt="login").headers["Location"].startswith("/login?")


def test_scripts_cannot_read_the_session_cookie(browser: Browser) -> None:
    answer = browser.submit(browser.page(), username=ACME_OWNER.email, password=PASSWORD)
    cookie = answer.headers["Set-Cookie"]
    for wanted in ("HttpOnly", "SameSite=Lax", "Max-Age=3600", "Path=/"):
        assert wanted in cookie


def test_after_signing_out_the_password_is_asked_for_again(browser: Browser, stack: Stack) -> None:
    browser.sign_in()
    old = browser.http.cookies.copy()
    query = {"client_id": stack.client_id, "logout_uri": "http://localhost:8000/"}
    answer = browser.http.get(browser.url("/logout"), params=query, allow_redirects=False, timeout=10)
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://localhost:8000/")
    assert browser.authorize().headers["Location"].startswith("/login?")
    browser.http.cookies.update(old)
    assert browser.authorize().headers["Location"].startswith("/login?")


def test_signing_out_returns_only_to_a_registered_address(browser: Browser, stack: Stack) -> None:
    for query in (
        {"client_id": stack.client_id, "logout_uri": "https://evil.example/"},
        {"client_id": stack.client_id},
        {"client_id": "x", "logout_uri": "http://localhost:8000/"},
    ):
        answer = browser.http.get(browser.url("/logout"), params=query, allow_redirects=False, timeout=10)
        assert answer.status_code == 400
        assert "Location" not in answer.headers


def test_signing_out_can_redirect_to_the_sign_in_page(browser: Browser) -> None:
    browser.sign_in()
    answer = browser.http.get(browser.url("/logout"), params=browser.query(), allow_redirects=False, timeout=10)
    again = browser.http.get(browser.url(answer.headers["Location"]), timeout=10)
    assert "<title>Sign in</title>" in again.text


def test_a_session_of_one_pool_does_not_work_in_another(browser: Browser, loose_stack: Stack) -> None:
    browser.sign_in()
    assert Browser(loose_stack, browser.http).authorize().headers["Location"].startswith("/login?")
