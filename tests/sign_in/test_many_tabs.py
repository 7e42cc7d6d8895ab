"""Many tabs of one browser that sign in at once: each lands on its own page, in whatever order they come back."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

import pytest
import requests
from django.db import connections
from django.test import RequestFactory

from portal.demo.cast import ACME_OWNER, GLOBEX_OWNER
from portal.demo.world import World
from tenants.audit.actions import Action
from tenants.models import AuditEvent, SignIn
from tenants.sign_in.code_flows import LASTS_SECONDS, MOST_CHARACTERS
from tenants.sign_in.own_pages import own_page
from tenants.sign_in.wiring import code_flows, sessions
from tests.world.faults import Switches
from tests.world.fixtures import Browser

PAGES = [f"/records/orders/?prefix=ORD-2026-{number:04}" for number in range(24)]


def start_all(browser: Browser, pages: list[str]) -> list[tuple[str, str]]:
    """Opens a tab for each page, and signs in in all of them at Cognito. (page, callback) each."""
    return [(page, browser.callback_address(ACME_OWNER, following=page)) for page in pages]


def landed_on(browser: Browser, callback: str) -> str:
    answer = browser.get(callback)
    assert answer.status_code == 302, answer.content.decode()[:2_000]
    return str(answer["Location"])


def failed_sign_ins() -> int:
    return AuditEvent.objects.filter(action=Action.SIGN_IN_FAILED).count()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_of_24_tabs_lands_on_its_own_page_in_any_order(browser: Browser, seed: int) -> None:
    tabs = start_all(browser, PAGES)
    random.Random(seed).shuffle(tabs)
    assert [landed_on(browser, callback) for _, callback in tabs] == [page for page, _ in tabs]
    assert browser.get("/records/orders/").status_code == 200
    assert (SignIn.objects.count(), failed_sign_ins()) == (1, 0)


def test_tabs_may_start_while_others_come_back(browser: Browser) -> None:
    dice, waiting, left = random.Random(4), list[tuple[str, str]](), list(PAGES)
    while left or waiting:
        if left and (not waiting or dice.random() < 0.5):
            waiting += start_all(browser, [left.pop()])
        else:
            page, callback = waiting.pop(dice.randrange(len(waiting)))
            assert landed_on(browser, callback) == page
            assert browser.get("/").status_code == 200
    assert SignIn.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("signed_in_before", [False, True])
def test_tabs_that_come_back_at_once_all_land(browser: Browser, *, signed_in_before: bool) -> None:
    tabs = start_all(browser, PAGES[:12])
    if signed_in_before:
        assert browser.sign_in(ACME_OWNER).status_code == 200

    def come_back(tab: tuple[str, str]) -> str:
        """As a tab of the browser: with the cookies from when it was sent."""
        own = Browser(browser.world)
        own.cookies.load(browser.cookies.output(header="", sep=";"))
        try:
            return landed_on(own, tab[1])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(come_back, tabs)) == [page for page, _ in tabs]
    if signed_in_before:
        assert browser.get("/records/").status_code == 200
        assert SignIn.objects.count() == 1


def test_a_tab_of_somebody_else_signs_them_in_and_others_still_land(browser: Browser) -> None:
    (mine, mine_back), (other, other_back) = start_all(browser, PAGES[:2])
    assert landed_on(browser, mine_back) == mine
    browser.pages = requests.Session()
    theirs = browser.callback_address(GLOBEX_OWNER, following="/access/")
    assert landed_on(browser, theirs) == "/access/"
    assert b"Gus Globex" in browser.get("/").content
    assert landed_on(browser, other_back) == other
    assert b"Ada Acme" in browser.get("/").content
    assert SignIn.objects.count() == 1


def test_signing_in_again_keeps_open_forms_valid(portal: World) -> None:
    browser = Browser(portal)
    browser.handler.enforce_csrf_checks = True
    first, second = browser.callback_address(ACME_OWNER), browser.callback_address(ACME_OWNER)
    landed_on(browser, first)
    browser.get("/")
    token = browser.cookies["csrf"].value
    landed_on(browser, second)
    assert browser.post("/oidc/logout/", {"csrfmiddlewaretoken": token}).status_code == 302


def test_the_refresh_token_that_a_tab_replaces_is_revoked(browser: Browser) -> None:
    browser.sign_in(ACME_OWNER)
    row = SignIn.objects.get()
    replaced = sessions().tokens_of(row.id).refresh_token
    browser.sign_in(ACME_OWNER)
    assert SignIn.objects.get().id == row.id
    with pytest.raises(Exception, match="session has ended"):
        sessions().tokens.renew(replaced)
    assert sessions().tokens.renew(sessions().tokens_of(row.id).refresh_token).id_token


def test_going_back_to_the_callback_sends_on_to_the_page(browser: Browser) -> None:
    page, callback = start_all(browser, ["/records/orders/"])[0]
    assert landed_on(browser, callback) == page
    assert landed_on(browser, callback) == page
    assert (failed_sign_ins(), AuditEvent.objects.filter(action=Action.SIGNED_IN).count()) == (0, 1)


def test_a_callback_whose_answer_was_lost_sends_on(browser: Browser) -> None:
    page, callback = start_all(browser, ["/records/orders/"])[0]
    before = {name: morsel.value for name, morsel in browser.cookies.items() if name.startswith("sign-in-")}
    landed_on(browser, callback)
    for name, value in before.items():
        browser.cookies[name] = value
    # Its code was redeemed, and the cookie does not say so.
    assert landed_on(browser, callback) == page
    assert failed_sign_ins() == 0


@pytest.mark.parametrize("query", ["code=a&state=b", f"code=a&state={'x' * 22}", "error=access_denied", ""])
def test_a_forged_callback_leads_somebody_signed_in_home(browser: Browser, switches: Switches, query: str) -> None:
    browser.sign_in(ACME_OWNER)
    switches.forget()
    assert landed_on(browser, f"/oidc/callback/?{query}") == "/"
    assert "oauth2.token" not in switches.calls()
    assert failed_sign_ins() == 0
    assert browser.get("/records/").status_code == 200


def test_a_state_of_another_browser_signs_nobody_in(browser: Browser, portal: World, switches: Switches) -> None:
    callback = browser.callback_address(ACME_OWNER)
    victim = Browser(portal)
    victim.callback_address(GLOBEX_OWNER)
    assert victim.get(callback).status_code == 400
    # Nor with the cookie of one sign-in under the name of another one.
    state = dict(parse_qsl(urlsplit(callback).query))["state"]
    name = next(name for name in victim.cookies if name.startswith("sign-in-"))
    victim.cookies[f"sign-in-{state}"] = victim.cookies[name].value
    assert victim.get(callback).status_code == 400
    assert "oauth2.token" not in switches.calls()
    assert not SignIn.objects.exists()


def test_the_cookie_of_a_sign_in_is_out_of_reach_of_scripts_and_others(browser: Browser, settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = True
    answer = browser.get("/oidc/authenticate/?next=/records/")
    (cookie,) = [morsel for name, morsel in answer.cookies.items() if name.startswith("__Host-sign-in-")]
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"], cookie["path"]) == (True, True, "Lax", "/")
    assert (cookie["domain"], cookie["max-age"]) == ("", LASTS_SECONDS)
    assert "records" not in cookie.value


def test_starting_a_sign_in_writes_nothing_on_the_server(browser: Browser, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert "session" not in browser.get("/oidc/authenticate/").cookies


@pytest.mark.parametrize(
    "page", ["/records/", f"/records/orders/?prefix={'x' * 500}", f"/records/orders/{'%E6%BC%A2' * 600}/"]
)
def test_the_oldest_sign_ins_go_where_there_are_too_many(browser: Browser, page: str) -> None:
    for _ in range(60):
        start = browser.get("/oidc/authenticate/", {"next": page})
    kept = {
        name: morsel.value for name, morsel in browser.cookies.items() if name.startswith("sign-in-") and morsel.value
    }
    assert sum(len(name) + len(value) + 3 for name, value in kept.items()) <= MOST_CHARACTERS
    assert len(kept) <= 40
    newest = parse_qs(urlsplit(start["Location"]).query)["state"][0]
    request = RequestFactory().get("/")
    request.COOKIES = {name: morsel.value for name, morsel in browser.cookies.items()}
    flow = code_flows().find(request, newest)
    assert flow is not None
    assert quote(flow.target, safe="/?=%") == page


def test_an_address_too_long_for_a_cookie_becomes_the_home_page(browser: Browser) -> None:
    assert landed_on(browser, browser.callback_address(ACME_OWNER, following=f"/records/orders/{'x' * 5000}/")) == "/"


def test_damaged_cookies_of_sign_ins_are_refused_and_dropped(browser: Browser) -> None:
    callback = browser.callback_address(ACME_OWNER)
    for name in list(browser.cookies):
        if name.startswith("sign-in-"):
            browser.cookies[name] = browser.cookies[name].value[:-2] + "AA"
    browser.cookies["sign-in-"] = "é".encode().decode("latin-1")
    browser.cookies["sign-in-" + "y" * 22] = "not base64!"
    assert browser.get(callback).status_code == 400
    dropped = browser.get("/oidc/authenticate/").cookies
    assert sum(not morsel.value for morsel in dropped.values()) == 3


def test_the_callback_is_at_the_portals_address_for_any_host(portal: World, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    browser = Browser(portal)
    told = {"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https"}
    start = browser.get("/oidc/authenticate/", headers=told)
    sent = dict(parse_qsl(urlsplit(start["Location"]).query))
    assert sent["redirect_uri"] == f"{settings.PORTAL_URL}/oidc/callback/"


def test_the_code_is_traded_for_the_portals_address_for_any_host(browser: Browser, settings: Any) -> None:
    callback = browser.callback_address(ACME_OWNER, following="/records/")
    settings.ALLOWED_HOSTS = ["*"]
    answer = browser.get(callback, headers={"host": "evil.example", "x-forwarded-proto": "https"})
    # Cognito compares the address with that of the request to sign in.
    assert answer["Location"] == "/records/"


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example", "https://evil.example/",
        "https:///evil.example", "///evil.example", "/\t/evil.example", "\t//evil.example", "/\n/evil.example",
        "\x00/evil", "/\x00/evil.example", "javascript:alert(1)", "data:text/html,x", "evil.example", "", " /records/",
        "http://localhost:8000.evil.example/", "http://localhost:8000@evil.example/", "http://localhost:8000//evil.example",
        "http://localhost:8000\\@evil.example", "/\u202emoc", "/\ud800", "/oidc/authenticate/", "/oidc/logout/",
        "http://localhost:8000/oidc/callback/?code=a", "http://[::1",
    ],
)  # fmt: skip
def test_a_page_to_land_on_is_never_elsewhere(address: str) -> None:
    assert own_page(address) is None


@pytest.mark.parametrize("address", ["/", "/records/a%2Fb/?x=//y", "http://localhost:8000/records/", "/records/é/"])
def test_a_page_of_the_portal_can_be_landed_on(address: str) -> None:
    assert own_page(address) == address.removeprefix("http://localhost:8000")


@pytest.mark.parametrize("evil", ["//evil.example", "/\\evil.example", "https:evil.example", "/\t/evil.example"])
def test_signing_in_for_a_page_elsewhere_leads_home(browser: Browser, evil: str) -> None:
    assert landed_on(browser, browser.callback_address(ACME_OWNER, following=evil)) == "/"
    assert urlencode({"next": evil}) not in browser.get("/oidc/callback/?error=x", follow=True).content.decode()


def test_a_session_that_another_tab_ended_does_not_break_a_request(browser: Browser, django_user_model: Any) -> None:
    browser.sign_in(ACME_OWNER)
    session = browser.session
    session["sign_in"]["claims"]["expires_at"] = 1
    session.save()

    def end_the_session(execute: Any, *arguments: Any) -> Any:
        answer = execute(*arguments)
        if "sealed_tokens" in arguments[0]:
            session.delete()
        return answer

    # The request renews the claims, so it saves its session, which is gone by then.
    with connections["default"].execute_wrapper(end_the_session):
        assert browser.get("/records/").status_code == 200
    assert browser.get("/records/").status_code == 302
