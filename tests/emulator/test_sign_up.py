"""A stack with self sign-up: the pages, the codes, and the function that creates an organisation."""

import re
import uuid
from html import unescape
from typing import Any

import boto3
import pytest
import requests

from emulator.client.process import Emulator
from infra.functions.handlers import post_confirmation
from tests.emulator.accounts import address, client_of, later, mailed_code, mails, open_page, sign_up, wrong_code
from tests.emulator.browser import Browser, code_in
from tests.emulator.test_identity_pool import anonymous
from tests.emulator.world import ACME, PASSWORD, REGION, Person, Stack, build, claims, refusal
from tests.world.faults import Switches

BAD_CODE = "This code is wrong or has expired."


@pytest.fixture(scope="session")
def open_stack(emulator: Emulator) -> Stack:
    return build(emulator, name="open", SignUp="hosted-ui")


@pytest.fixture
def newcomer(open_stack: Stack) -> Browser:
    return Browser(open_stack)


def sign_up_and_confirm(browser: Browser, email: str) -> requests.Response:
    page = sign_up(browser, email)
    return browser.submit(page, username=email, code=mailed_code(browser.stack.emulator, email))


def id_claims(browser: Browser, email: str, password: str = PASSWORD) -> dict[str, Any]:
    answer = browser.submit(browser.page(prompt="login"), username=email, password=password)
    return claims(browser.exchange(code_in(answer)).json()["id_token"])


def test_signing_up_creates_an_organisation(newcomer: Browser, open_stack: Stack) -> None:
    email = address()
    page = sign_up(newcomer, email)
    assert page.status_code == 200
    assert "<h1>Confirm your address</h1>" in page.text
    code = mailed_code(open_stack.emulator, email)
    wrong = newcomer.submit(page, username=email, code=wrong_code(code))
    assert BAD_CODE in wrong.text
    done = newcomer.submit(wrong, username=email, code=code)
    token = claims(newcomer.exchange(code_in(done)).json()["id_token"])
    assert str(uuid.UUID(token["custom:org"])) == token["custom:org"]
    assert (token["custom:role"], token["email"], token["email_verified"]) == ("owner", email, True)


def test_a_browser_that_did_not_sign_up_must_sign_in_after_the_code(newcomer: Browser, open_stack: Stack) -> None:
    email, another = address(), Browser(open_stack)
    sign_up(newcomer, email)
    code = mailed_code(open_stack.emulator, email)
    done = another.submit(open_page(another, "/confirmUser"), username=email, code=code)
    assert "Your address is confirmed. Sign in." in done.text
    assert code_in(another.submit(done, username=email, password=PASSWORD))


def test_a_browser_goes_on_signed_in_only_as_the_person_who_signed_up(newcomer: Browser, open_stack: Stack) -> None:
    mine, other = address(), address()
    sign_up(Browser(open_stack), other)
    page = sign_up(newcomer, mine)
    done = newcomer.submit(page, username=other, code=mailed_code(open_stack.emulator, other))
    assert "Your address is confirmed. Sign in." in done.text
    assert newcomer.authorize(prompt="none").headers["Location"].count("error=login_required") == 1


def test_an_unconfirmed_person_who_signs_in_goes_on_after_the_code(open_stack: Stack) -> None:
    email, browser = address(), Browser(open_stack)
    sign_up(Browser(open_stack), email)
    page = browser.submit(browser.page(), username=email, password=PASSWORD)
    assert "Your address is not confirmed yet." in page.text
    assert code_in(browser.submit(page, username=email, code=mailed_code(open_stack.emulator, email)))
    assert code_in(browser.authorize())


def test_a_disabled_person_is_not_signed_in_by_the_code(newcomer: Browser, open_stack: Stack) -> None:
    email = address()
    page = sign_up(newcomer, email)
    open_stack.root("cognito-idp").admin_disable_user(UserPoolId=open_stack.pool_id, Username=email)
    done = newcomer.submit(page, username=email, code=mailed_code(open_stack.emulator, email))
    assert "Location" not in done.headers


def test_the_sign_in_page_leads_to_the_sign_up_page(newcomer: Browser) -> None:
    page = newcomer.page()
    (link,) = re.findall(r'href="(/signup\?[^"]+)"', page.text)
    assert "<h1>Sign up</h1>" in newcomer.http.get(newcomer.url(unescape(link)), timeout=10).text


def test_two_people_never_share_an_organisation(newcomer: Browser) -> None:
    emails = [address(), address()]
    for email in emails:
        sign_up_and_confirm(newcomer, email)
    assert len({id_claims(newcomer, email)["custom:org"] for email in emails}) == 2


def test_a_forgotten_password_leaves_the_organisation_alone(newcomer: Browser, open_stack: Stack) -> None:
    email, chosen = address(), "Another-horse-8-battery"
    sign_up_and_confirm(newcomer, email)
    before = id_claims(newcomer, email)
    update = open_stack.root("cognito-idp").admin_update_user_attributes
    update(UserPoolId=open_stack.pool_id, Username=email, UserAttributes=[{"Name": "custom:role", "Value": "viewer"}])
    page = newcomer.submit(open_page(newcomer, "/forgotPassword"), username=email)
    code = mailed_code(open_stack.emulator, email)
    done = newcomer.submit(page, username=email, code=code, new_password=chosen, confirm_password=chosen)
    assert "Your password has been changed." in done.text
    after = id_claims(newcomer, email, chosen)
    assert (after["custom:org"], after["custom:role"]) == (before["custom:org"], "viewer")


def test_a_second_attempt_finds_the_same_organisation(
    newcomer: Browser, open_stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = address()
    sign_up_and_confirm(newcomer, email)
    before = id_claims(newcomer, email)
    pools, person = open_stack.root("cognito-idp"), {"UserPoolId": open_stack.pool_id, "Username": email}
    root, endpoint = open_stack.emulator.root, open_stack.emulator.endpoint_url
    monkeypatch.setattr(
        boto3, "DEFAULT_SESSION", boto3.Session(root.access_key_id, root.secret_access_key, region_name=REGION)
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    event = {
        "userPoolId": open_stack.pool_id,
        "userName": before["sub"],
        "triggerSource": "PostConfirmation_ConfirmSignUp",
    }
    for attempt in ("with the first one's write lost", "after it"):
        if attempt != "after it":
            pools.admin_update_user_attributes(**person, UserAttributes=[{"Name": "custom:org", "Value": ""}])
        assert post_confirmation(event, None) == event
        assert id_claims(newcomer, email)["custom:org"] == before["custom:org"], attempt


def test_an_existing_organisation_is_kept(open_stack: Stack) -> None:
    api, pools = anonymous(open_stack, "cognito-idp"), open_stack.root("cognito-idp")
    client_id, email = client_of(open_stack), address()
    api.sign_up(ClientId=client_id, Username=email, Password=PASSWORD)
    person = {"UserPoolId": open_stack.pool_id, "Username": email}
    pools.admin_update_user_attributes(**person, UserAttributes=[{"Name": "custom:org", "Value": ACME}])
    api.confirm_sign_up(ClientId=client_id, Username=email, ConfirmationCode=mailed_code(open_stack.emulator, email))
    found = {entry["Name"]: entry["Value"] for entry in pools.admin_get_user(**person)["UserAttributes"]}
    assert found["custom:org"] == ACME
    assert "custom:role" not in found


def test_nobody_can_choose_an_organisation_at_sign_up(open_stack: Stack) -> None:
    error = refusal(
        anonymous(open_stack, "cognito-idp").sign_up,
        ClientId=client_of(open_stack),
        Username=address(),
        Password=PASSWORD,
        UserAttributes=[{"Name": "custom:org", "Value": ACME}],
    )
    assert error["message"] == "A client attempted to write unauthorized attribute"


def test_the_portals_stack_offers_no_sign_up(stack: Stack) -> None:
    browser = Browser(stack)
    assert "Sign up" not in browser.page().text
    page = open_page(browser, "/signup")
    assert page.status_code == 400
    assert "<form" not in page.text


@pytest.mark.parametrize("path", ["/signup", "/confirmUser", "/forgotPassword", "/confirmForgotPassword", "/login"])
def test_pages_have_no_script_and_labelled_fields(newcomer: Browser, path: str) -> None:
    page = open_page(newcomer, path)
    assert page.status_code == 200
    assert "<script" not in page.text
    assert 'name="viewport"' in page.text
    for field in ("username", "code", "password", "new_password", "confirm_password"):
        assert (f'id="{field}"' in page.text) == (f'for="{field}"' in page.text)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path", ["/signup", "/confirmUser", "/forgotPassword", "/confirmForgotPassword", "/resendcode"]
)
def test_a_form_without_a_valid_csrf_token_does_nothing(newcomer: Browser, open_stack: Stack, path: str) -> None:
    email = address()
    form = {"username": email, "password": PASSWORD, "confirm_password": PASSWORD, "_csrf": "guessed"}
    answer = requests.post(newcomer.url(path), params=newcomer.query(), data=form, timeout=10)
    assert answer.status_code == 400
    assert mails(open_stack.emulator, email) == []


def test_forgot_password_does_not_reveal_who_exists(newcomer: Browser, open_stack: Stack) -> None:
    known, unknown = address(), address()
    sign_up_and_confirm(newcomer, known)
    texts = [
        newcomer.submit(open_page(newcomer, "/forgotPassword"), username=email).text.replace(email, "-")
        for email in (known, unknown)
    ]
    assert texts[0] == texts[1]
    assert mails(open_stack.emulator, unknown) == []


@pytest.mark.parametrize("path", ["/confirmUser", "/confirmForgotPassword"])
def test_a_wrong_code_does_not_reveal_who_exists(newcomer: Browser, open_stack: Stack, path: str) -> None:
    known, waiting, unknown = open_stack.newcomer().email, address(), address()
    sign_up(newcomer, waiting)
    typed = {"code": "000000x", "new_password": PASSWORD, "confirm_password": PASSWORD}
    texts = set()
    for email in (known, waiting, unknown):
        with later(open_stack.emulator, 25 * 3600):
            texts.add(newcomer.submit(open_page(newcomer, path), username=email, **typed).text.replace(email, "-"))
    assert len(texts) == 1
    assert BAD_CODE in texts.pop()


def test_only_the_right_password_shows_the_confirmation_page(newcomer: Browser) -> None:
    email = address()
    sign_up(newcomer, email)
    assert "Incorrect username or password." in newcomer.submit(newcomer.page(), username=email, password="x").text
    page = newcomer.submit(newcomer.page(), username=email, password=PASSWORD)
    assert "Your address is not confirmed yet." in page.text


def test_a_new_code_replaces_the_first(newcomer: Browser, open_stack: Stack) -> None:
    email = address()
    page = sign_up(newcomer, email)
    query = newcomer.query()
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    again = newcomer.http.post(
        newcomer.url("/resendcode"), params=query, data={"username": email, **hidden}, timeout=10
    )
    assert "another code has been mailed" in again.text
    codes = [mail["body"].rstrip(".")[-6:] for mail in mails(open_stack.emulator, email)]
    assert len(codes) == 2
    if codes[0] != codes[1]:
        assert BAD_CODE in newcomer.submit(again, username=email, code=codes[1]).text
    assert code_in(newcomer.submit(again, username=email, code=codes[0]))


def test_an_address_signs_up_once(newcomer: Browser) -> None:
    email = address()
    sign_up_and_confirm(newcomer, email)
    assert "An account with the given email already exists." in sign_up(newcomer, email.upper()).text


def test_a_password_that_is_too_weak_is_explained(newcomer: Browser, open_stack: Stack) -> None:
    email = address()
    page = sign_up(newcomer, email, "short")
    assert "greater than or equal to 15" in page.text
    assert f'value="{email}"' in page.text
    assert mails(open_stack.emulator, email) == []


def test_a_sign_up_code_expires_after_a_day(newcomer: Browser, open_stack: Stack) -> None:
    email = address()
    page = sign_up(newcomer, email)
    code = mailed_code(open_stack.emulator, email)
    with later(open_stack.emulator, 24 * 3600 + 1):
        ended = newcomer.submit(page, username=email, code=code)
    assert BAD_CODE in ended.text


def test_users_made_by_an_administrator_sign_in_there_too(open_stack: Stack) -> None:
    person = open_stack.newcomer(role="viewer")
    assert claims(open_stack.tokens(Person(person.email, ACME, "viewer")).id_token)["custom:org"] == ACME


def test_an_undelivered_code_leaves_the_person_signed_up(open_stack: Stack, emulator: Emulator) -> None:
    email, client_id, api = address(), client_of(open_stack), anonymous(open_stack, "cognito-idp")
    switches = Switches(emulator)
    switches.fail("Mail.Send", fault="undelivered-mail")
    person = {"ClientId": client_id, "Username": email}
    error = refusal(api.sign_up, **person, Password=PASSWORD)
    assert (error["code"], error["status"]) == ("CodeDeliveryFailureException", 400)
    api.resend_confirmation_code(**person)
    api.confirm_sign_up(**person, ConfirmationCode=mailed_code(emulator, email))
