"""Pages that ask AWS by themselves, in a real browser: they go on without the portal, and AWS keeps its boundary."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest

from emulator.client import seeding
from portal.demo.cast import ACME, ACME_EDITOR, ACME_OWNER, GLOBEX, GLOBEX_OWNER, OPERATOR, CastMember
from tenants.domain.suspension_policy import document
from tests.direct.conftest import Direct, Window

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]
SIGN_IN = "Sign in with Cognito"
UNNAMED = """
  [...document.querySelectorAll('main :is(a, button, input, [role=region], nav, section)')].filter((one) =>
    !one.textContent.trim() && !one.ariaLabel && !one.labels?.length && !one.getAttribute('aria-labelledby')).length
"""
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


def sign_in(window: Window, direct: Direct, member: CastMember = ACME_OWNER) -> None:
    """From /direct/ through Cognito's page to the list of collections."""
    page = window.page
    page.goto(f"{direct.portal.url}/direct/")
    page.get_by_role("button", name=SIGN_IN).click()
    page.get_by_label("E-mail").fill(member.email)
    page.get_by_label("Password", exact=True).fill(direct.world.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="news").wait_for()


def open_public(window: Window, direct: Direct) -> None:
    window.page.goto(f"{direct.portal.url}/public/")
    window.page.get_by_role("link", name="news").wait_for()


def read_all(page: Any) -> list[str]:
    """The keys of the collection on the page, once its last page is there."""
    table, more = (
        page.locator("#reader tbody tr, #public-records tbody tr"),
        page.get_by_role("button", name="Show more records"),
    )
    table.first.wait_for()
    while more.is_visible():
        before = table.count()
        more.click()
        page.wait_for_function(
            "before => document.querySelectorAll('.reader tbody tr').length > before || "
            "!document.querySelector('.reader .pager .button:not([hidden])')",
            arg=before,
        )
    return [str(key) for key in page.locator(".reader tbody th").all_inner_texts()]


def answer(page: Any) -> str:
    page.locator("#answer .notice").wait_for()
    return str(page.locator("#answer").inner_text())


@contextmanager
def suspended(direct: Direct, *orgs: str) -> Iterator[None]:
    """As the worker writes it: the policy that denies everything to these organisations."""
    world = direct.world
    iam, policy = (
        seeding.clients(world.emulator.endpoint_url, world.emulator.root)("iam"),
        world.outputs["SuspensionPolicyArn"],
    )
    made = iam.create_policy_version(PolicyArn=policy, PolicyDocument=document(orgs), SetAsDefault=True)
    try:
        yield
    finally:
        iam.set_default_policy_version(PolicyArn=policy, VersionId="v1")
        iam.delete_policy_version(PolicyArn=policy, VersionId=made["PolicyVersion"]["VersionId"])


# ── A guest ──────────────────────────────────────────────────────────────────────────────────────────────────────────


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
    assert "PUBLIC#news" in page.locator(".reader").inner_text()
    assert page.url == f"{direct.portal.url}/public/news/{keys[0]}/"
    page.go_back()
    page.locator("tbody tr").first.wait_for()
    assert page.url == f"{direct.portal.url}/public/news/"
    assert window.asked(direct.portal.url) == []


def test_a_guests_address_can_be_opened_by_itself(window: Window, direct: Direct) -> None:
    window.page.goto(f"{direct.portal.url}/public/news/2026-01-05/")
    window.page.locator("dl.attributes").wait_for()
    assert window.page.title().startswith("2026-01-05 · news · Public records")


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
        assert "sends nothing" in window.page.inner_text("main")
    assert window.asked(direct.world.emulator.endpoint_url) == []
    assert window.stored() == ({}, {})


@pytest.mark.parametrize("address", ["/public/", "/direct/"])
def test_without_scripts_a_page_says_what_it_needs(chromium: Any, direct: Direct, address: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{direct.portal.url}{address}")
    assert "JavaScript" in page.inner_text("main .notice")
    context.close()


# ── Somebody who signs in ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_member_reads_own_and_public_rows_when_the_portal_has_stopped(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    direct.portal.stop()
    window.forget()
    page = window.page
    page.get_by_role("link", name="orders").click()
    assert read_all(page) == [f"ORD-2026-{place:04d}" for place in range(1, 261)]
    page.get_by_role("link", name="ORD-2026-0001").click()
    page.locator("dl.attributes").wait_for()
    assert ACME.space.collection("orders") in page.locator("#reader").inner_text()
    page.get_by_role("link", name="Collections").click()
    page.get_by_role("link", name="news").click()
    assert len(read_all(page)) > 25
    page.get_by_role("button", name="Try another organisation’s key").click()
    assert "AccessDeniedException" in answer(page)
    assert window.asked(direct.portal.url) == []


def test_every_kind_of_value_is_shown_as_dynamodb_has_it(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    page = window.page
    page.get_by_role("link", name="samples").click()
    page.get_by_role("link", name="every-type").click()
    page.locator("dl.attributes").wait_for()
    told = page.locator("#reader").inner_text()
    for expected in ("12345678901234567890123.456", "Grüße", "<b>not bold</b>", "48 bytes, as base64", "53.35"):
        assert expected in told
    assert page.locator("#reader b").count() == 0


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
    assert page.url == f"{direct.portal.url}/direct/"
    log = direct.portal.log.read_text()
    assert [secret for secret in secrets if secret in log] == []


def test_somebody_whom_cognito_still_knows_is_signed_in_at_once(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    window.page.get_by_role("link", name="orders").click()
    window.page.locator("tbody tr").first.wait_for()
    window.forget()
    window.page.reload()
    window.page.locator("tbody tr").first.wait_for()
    assert len(window.asked(f"{direct.world.settings['COGNITO_DOMAIN']}/oauth2/authorize")) == 1
    assert window.page.url == f"{direct.portal.url}/direct/#own/orders"


def test_somebody_unknown_to_cognito_is_asked_once_and_offered_to_sign_in(window: Window, direct: Direct) -> None:
    window.page.goto(f"{direct.portal.url}/direct/")
    window.page.get_by_role("button", name=SIGN_IN).wait_for()
    window.page.wait_for_timeout(500)
    assert len(window.asked(f"{direct.world.settings['COGNITO_DOMAIN']}/oauth2/authorize")) == 1
    assert window.page.url == f"{direct.portal.url}/direct/"
    assert window.stored() == ({}, {})


@pytest.mark.parametrize("query", ["?code=stolen&state=guessed", "?error=login_required&state=guessed", "?code=stolen"])
def test_an_answer_to_no_sign_in_of_this_page_is_not_used(window: Window, direct: Direct, query: str) -> None:
    window.page.goto(f"{direct.portal.url}/direct/{query}")
    window.page.get_by_text("This answer belongs to no sign-in").wait_for()
    assert window.page.url == f"{direct.portal.url}/direct/"
    assert window.asked(direct.world.settings["COGNITO_DOMAIN"]) == []


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
    assert window.page.locator("#reader").get_by_role("link").all_inner_texts() == ["news"]
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
    assert "AccessDeniedException" in window.page.locator("#requests li").first.inner_text()


def test_globexs_key_is_refused_to_acme_and_answered_to_globex(window: Window, direct: Direct) -> None:
    for member, told in ((ACME_EDITOR, "AccessDeniedException"), (GLOBEX_OWNER, "Allowed: AWS answered")):
        window.page.context.clear_cookies()
        sign_in(window, direct, member)
        window.page.get_by_label("Partition key").fill(GLOBEX.space.collection("orders"))
        window.page.get_by_role("button", name="Try another").click()
        assert told in answer(window.page)


def test_a_member_suspended_while_the_page_is_open_is_refused(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    with suspended(direct, ACME.org_id.value):
        window.page.get_by_role("link", name="orders").click()
        window.page.get_by_role("heading", name="Refused by AWS").wait_for()
        told = window.page.locator("#reader").inner_text()
        assert "explicit deny" in told
    window.page.get_by_role("button", name="Try again").click()
    window.page.locator("tbody tr").first.wait_for()


def test_each_request_is_listed_without_anything_secret(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    listed = window.page.locator("#requests").inner_text()
    for expected in ("DynamoDB_20120810.Query", ACME.space.catalogue, "PUBLIC#", f"org={ACME.org_id}", "role=owner",
                     f"client={direct.world.settings['COGNITO_BROWSER_CLIENT_ID']}", "AWSCognitoIdentityService.GetId",
                     "/oauth2/token", " ms", "200"):  # fmt: skip
        assert expected in listed
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


# ── For everybody ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_no_page_scrolls_sideways(window: Window, direct: Direct, viewport: dict[str, int]) -> None:
    page = window.page
    page.set_viewport_size(viewport)

    def fits() -> bool:
        return bool(page.evaluate("document.documentElement.scrollWidth") <= viewport["width"])

    for address in ("/public/", "/public/news/", "/public/news/2026-01-05/"):
        page.goto(f"{direct.portal.url}{address}")
        page.locator(".reader h3").first.wait_for(state="attached")
        assert fits(), address
    sign_in(window, direct)
    assert fits()
    for name in ("samples", "every-type"):
        page.get_by_role("link", name=name).click()
        page.get_by_role("heading", name=name).wait_for()
        assert fits(), name
    page.get_by_role("button", name="Try PartiQL").click()
    answer(page)
    assert fits()


def test_somebody_with_a_keyboard_alone_reads_and_is_taken_to_what_they_opened(window: Window, direct: Direct) -> None:
    sign_in(window, direct)
    page = window.page
    focused = "document.activeElement.textContent"
    page.get_by_role("link", name="orders").press("Enter")
    page.locator("tbody tr").first.wait_for()
    assert page.evaluate(focused) == "orders"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Records"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("dl.attributes").wait_for()
    assert page.evaluate(focused) == "ORD-2026-0001"
    assert page.locator("#said").inner_text() == "ORD-2026-0001"
    page.get_by_role("button", name="Try PartiQL").press("Enter")
    assert "AccessDeniedException" in answer(page)


def test_the_focus_is_not_lost_when_the_last_page_has_come(window: Window, direct: Direct) -> None:
    open_public(window, direct)
    page = window.page
    page.get_by_role("link", name="news").click()
    keys = read_all(page)
    assert page.evaluate("document.activeElement.textContent") == f"{len(keys)} records"
    assert page.locator("#said").inner_text() == f"{len(keys)} records"


@pytest.mark.parametrize("address", ["/public/news/", "/direct/"])
def test_headings_descend_step_by_step_and_every_control_has_a_name(
    window: Window, direct: Direct, address: str
) -> None:
    sign_in(window, direct)
    page = window.page
    page.goto(f"{direct.portal.url}{address}")
    page.locator(".reader h3").first.wait_for(state="attached")
    levels = page.evaluate("[...document.querySelectorAll('main :is(h1,h2,h3,h4)')].map((h) => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert all(level <= before + 1 for before, level in pairwise(levels))
    assert page.evaluate(UNNAMED) == 0
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
