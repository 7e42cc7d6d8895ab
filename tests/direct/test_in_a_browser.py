"""A member's page that asks AWS by itself: it goes on without the portal, and AWS keeps its boundary."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from emulator.client import seeding
from portal.demo.cast import ACME, ACME_EDITOR, GLOBEX, GLOBEX_OWNER, OPERATOR
from tests.direct.conftest import Direct, Window
from tests.direct.visits import SIGN_IN, answer, open_public, read_all, sign_in, suspension

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]


def test_a_member_reads_own_and_public_rows_when_the_portal_has_stopped(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    direct.portal.stop()
    window.forget()
    page = window.page
    page.get_by_role("link", name="orders").click()
    assert read_all(page) == [f"ORD-2026-{place:04d}" for place in range(1, 261)]
    page.get_by_role("link", name="ORD-2026-0001").click()
    page.locator("dl.attributes").wait_for()
    expect(page.locator("#reader")).to_contain_text(ACME.space.collection("orders"))
    page.get_by_role("link", name="Collections").click()
    page.get_by_role("link", name="news").click()
    assert len(read_all(page)) > 25
    page.get_by_role("button", name="Try another organisation’s key").click()
    assert "AccessDeniedException" in answer(page)
    assert window.requests_to(direct.portal.url) == []


def test_every_kind_of_value_is_shown_as_dynamodb_has_it(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    page = window.page
    page.get_by_role("link", name="samples").click()
    page.get_by_role("link", name="every-type").click()
    page.locator("dl.attributes").wait_for()
    for expected in ("12345678901234567890123.456", "Grüße", "<b>not bold</b>", "48 bytes, as base64", "53.35"):
        expect(page.locator("#reader")).to_contain_text(expected)
    expect(page.locator("#reader b")).to_have_count(0)


def test_nothing_secret_is_left_where_others_look(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    page = window.page
    secrets = [
        *window.secrets(),
        *(request.url.split("code=")[1].split("&")[0] for request in window.requests if "?code=" in request.url),
    ]
    assert len(secrets) == 7
    history = page.evaluate("navigation.entries().map((entry) => entry.url)")
    places = json.dumps([page.url, page.content(), history, *window.stored()])
    assert [secret for secret in secrets if secret in places] == []
    assert window.stored() == ({}, {})
    expect(page).to_have_url(f"{direct.portal.url}/direct/")
    log = direct.portal.log.read_text()
    assert [secret for secret in secrets if secret in log] == []


def test_somebody_whom_cognito_still_knows_is_signed_in_at_once(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    window.page.get_by_role("link", name="orders").click()
    window.page.locator("tbody tr").first.wait_for()
    window.forget()
    window.page.reload()
    window.page.locator("tbody tr").first.wait_for()
    assert len(window.requests_to(f"{direct.world.settings['COGNITO_DOMAIN']}/oauth2/authorize")) == 1
    expect(window.page).to_have_url(f"{direct.portal.url}/direct/#own/orders")


def test_somebody_unknown_to_cognito_is_asked_once_and_offered_to_sign_in(window: Window, direct: Direct) -> None:
    window.page.goto(f"{direct.portal.url}/direct/")
    window.page.get_by_role("button", name=SIGN_IN).wait_for()
    window.page.wait_for_timeout(500)
    assert len(window.requests_to(f"{direct.world.settings['COGNITO_DOMAIN']}/oauth2/authorize")) == 1
    expect(window.page).to_have_url(f"{direct.portal.url}/direct/")
    assert window.stored() == ({}, {})


@pytest.mark.parametrize("query", ["?code=stolen&state=guessed", "?error=login_required&state=guessed", "?code=stolen"])
def test_an_answer_to_no_sign_in_of_this_page_is_not_used(window: Window, direct: Direct, query: str) -> None:
    window.page.goto(f"{direct.portal.url}/direct/{query}")
    window.page.get_by_text("This answer belongs to no sign-in").wait_for()
    expect(window.page).to_have_url(f"{direct.portal.url}/direct/")
    assert window.requests_to(direct.world.settings["COGNITO_DOMAIN"]) == []


def test_signing_out_ends_the_refresh_token_and_cognitos_session(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    [given] = [one.json() for one in window.answers if one.url.endswith("/oauth2/token")]
    window.page.get_by_role("button", name="Sign out").click()
    window.page.get_by_text("You have signed out").wait_for()
    assert window.stored() == ({}, {})
    client = direct.world.settings["COGNITO_BROWSER_CLIENT_ID"]
    domain = direct.world.settings["COGNITO_DOMAIN"]
    form = {"grant_type": "refresh_token", "client_id": client, "refresh_token": given["refresh_token"]}
    refused = window.page.request.post(f"{domain}/oauth2/token", form=form)
    assert (refused.status, refused.json()) == (400, {"error": "invalid_grant"})
    window.page.reload()
    window.page.get_by_text("You are not signed in with Cognito").wait_for()


def test_a_guest_who_signs_in_goes_on_reading_as_both(window: Window, direct: Direct) -> None:
    open_public(window, direct)
    guest = window.stored()[0]
    sign_in(window, direct)
    assert window.stored()[0] == guest
    sent = [
        request.post_data_json
        for request in window.requests
        if request.method == "POST" and "Logins" in (request.post_data or "")
    ]
    assert sent
    assert not set(guest.values()) & {body.get("IdentityId") for body in sent}
    open_public(window, direct)
    assert window.stored()[0] == guest


def test_an_operator_reads_public_rows_alone(window: Window, direct: Direct) -> None:
    sign_in(window, direct, OPERATOR)
    expect(window.page.locator("#reader").get_by_role("link")).to_have_text(["news"])
    window.page.get_by_label("Partition key").fill(ACME.space.catalogue)
    window.page.get_by_role("button", name="Try another").click()
    assert "AccessDeniedException" in answer(window.page)


# ── What AWS refuses ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("button", "action"),
    [
        ("Try another organisation’s key", "dynamodb:Query"),
        ("Try to write", "dynamodb:PutItem"),
        ("Try to read the whole table", "dynamodb:Scan"),
        ("Try PartiQL", "dynamodb:PartiQLSelect"),
    ],
)
def test_an_owner_is_refused_with_awss_own_words(window: Window, direct: Direct, button: str, action: str) -> None:
    sign_in(window, direct)
    window.page.get_by_role("button", name=button).click()
    told = answer(window.page)
    assert "Refused by AWS" in told
    assert "400 AccessDeniedException" in told
    assert f"is not authorized to perform: {action} on resource" in told
    expect(window.page.locator("#requests li").first).to_contain_text("AccessDeniedException")


def test_a_refused_write_has_written_nothing(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    window.page.get_by_role("button", name="Try to write").click()
    answer(window.page)
    world = direct.world
    table = seeding.clients(world.emulator.endpoint_url, world.emulator.root)("dynamodb")
    key = {"pk": {"S": ACME.space.collection("orders")}, "sk": {"S": "written-by-a-page"}}
    assert "Item" not in table.get_item(TableName=world.settings["RECORDS_TABLE"], Key=key)


def test_globexs_key_is_refused_to_acme_and_answered_to_globex(window: Window, direct: Direct) -> None:
    for member, told in ((ACME_EDITOR, "AccessDeniedException"), (GLOBEX_OWNER, "Allowed: AWS answered")):
        window.page.context.clear_cookies()
        sign_in(window, direct, member)
        window.page.get_by_label("Partition key").fill(GLOBEX.space.collection("orders"))
        window.page.get_by_role("button", name="Try another").click()
        assert told in answer(window.page)


def test_a_member_suspended_while_the_page_is_open_is_refused(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    with suspension(direct, ACME.org_id.value):
        window.page.get_by_role("link", name="orders").click()
        window.page.get_by_role("heading", name="Refused by AWS").wait_for()
        expect(window.page.locator("#reader")).to_contain_text("explicit deny")
    window.page.get_by_role("button", name="Try again").click()
    window.page.locator("tbody tr").first.wait_for()


def test_each_request_is_listed_without_anything_secret(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    requests = window.page.locator("#requests")
    for expected in ("DynamoDB_20120810.Query", ACME.space.catalogue, "PUBLIC#", f"org={ACME.org_id}", "role=owner",
                     f"client={direct.world.settings['COGNITO_BROWSER_CLIENT_ID']}", "AWSCognitoIdentityService.GetId",
                     "/oauth2/token", " ms", "200"):  # fmt: skip
        expect(requests).to_contain_text(expected)
    listed = requests.inner_text()
    assert [secret for secret in window.secrets() if secret in listed] == []


def test_a_pages_scripts_reach_aws_and_nothing_else(window: Window, direct: Direct) -> None:
    refused = "address => fetch(address).then(() => 'reached', (error) => error.name)"
    open_public(window, direct)
    page = window.page
    for address in (f"{direct.portal.url}/livez", f"{direct.off.url}/livez"):
        assert page.evaluate(refused, address) == "TypeError"
    assert window.complaints
    assert [text for text in window.complaints if "Content Security Policy" not in text] == []
    window.complaints.clear()
