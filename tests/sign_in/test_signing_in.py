"""The real code flow against the emulator's pages, and every way it can go wrong."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from emulator.client import seeding
from portal.demo.cast import ACME_EDITOR, ACME_OWNER, ACME_VIEWER, GLOBEX_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.domain.once import forget_all
from tenants.models import Person, SignIn, Tenant
from tenants.sign_in.wiring import sessions, token_endpoint
from tests.world.faults import Switches
from tests.world.fixtures import Browser


def test_acmes_owner_signs_in_and_lands_on_the_wanted_page(browser: Browser) -> None:
    page = browser.sign_in(ACME_OWNER, following="/records/orders/")
    assert page.redirect_chain[-1][0] == "/records/orders/"
    assert b"ORD-2026-0001" in page.content
    assert b"Ada Acme" in page.content


@pytest.mark.parametrize("member", [ACME_OWNER, ACME_VIEWER, GLOBEX_OWNER, OPERATOR], ids=lambda member: member.email)
def test_the_page_says_who_is_signed_in_as_what(browser: Browser, member: CastMember) -> None:
    page = browser.sign_in(member).content.decode()
    assert member.email in page
    assert member.role in page
    if member.organisation:
        assert member.organisation.name in page


def test_the_browser_holds_a_session_and_no_token(browser: Browser) -> None:
    browser.sign_in(ACME_OWNER)
    under_way = {name for name in browser.cookies if name.startswith("sign-in-")}
    assert {"session"} <= set(browser.cookies) - under_way <= {"session", "csrf"}
    assert browser.cookies["session"]["httponly"]
    stored = str(dict(browser.session))
    assert "eyJ" not in stored
    assert b"eyJ" not in bytes(SignIn.objects.get().sealed_tokens)


def test_nothing_of_the_sign_in_stays_in_the_session(browser: Browser) -> None:
    browser.sign_in(ACME_OWNER, following="/records/")
    assert not [name for name in dict(browser.session) if "oidc" in name or "next" in name]


def test_the_request_to_cognito_carries_state_nonce_and_pkce(browser: Browser) -> None:
    start = browser.get("/oidc/authenticate/")
    sent = parse_qs(urlsplit(start["Location"]).query)
    assert sent["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= set(sent)
    assert sent["scope"] == ["openid email profile"]


def test_a_next_page_elsewhere_is_ignored(browser: Browser) -> None:
    page = browser.sign_in(ACME_OWNER, following="https://evil.example/")
    assert page.redirect_chain[-1][0] == "/"


@pytest.mark.usefixtures("new_process")
def test_two_sign_ins_fetch_the_signing_keys_once(
    browse_as: Callable[[CastMember], Browser], switches: Switches
) -> None:
    browse_as(ACME_OWNER)
    browse_as(GLOBEX_OWNER)
    assert sum(count for name, count in switches.calls().items() if "jwks" in name.lower()) == 1


def refused_page(response: Any) -> str:
    text: str = response.content.decode()
    assert response.status_code == 400
    assert "You could not be signed in" in text
    assert response["X-Request-Id"] in text
    return text


def test_a_replayed_code_is_refused_on_a_page(browser: Browser) -> None:
    back = browser.callback_address(ACME_OWNER)
    assert browser.get(back).status_code == 302
    del browser.cookies["session"]
    refused_page(browser.get(back))


def test_a_code_of_another_browser_is_refused_on_a_page(browser: Browser, portal: World) -> None:
    back = browser.callback_address(ACME_OWNER)
    victim = Browser(portal)
    victim.get("/oidc/authenticate/")
    refused_page(victim.get(back))
    refused_page(Browser(portal).get(back))


def test_a_code_that_was_never_issued_is_refused_on_a_page(browser: Browser) -> None:
    back = browser.callback_address(ACME_OWNER)
    state = parse_qs(urlsplit(back).query)["state"][0]
    refused_page(browser.get(f"/oidc/callback/?{urlencode({'code': 'made-up', 'state': state})}"))


@pytest.mark.parametrize(
    "query", ["", "code=a", "state=b", "error=access_denied", "error=server_error&error_description=<b>x</b>"]
)
def test_a_callback_without_a_sign_in_is_refused_on_a_page(browser: Browser, query: str) -> None:
    text = refused_page(browser.get(f"/oidc/callback/?{query}"))
    assert "<b>x</b>" not in text


def test_a_link_with_an_error_signs_nobody_out_nor_shows_its_text(browser: Browser) -> None:
    browser.sign_in(ACME_OWNER)
    page = browser.get("/oidc/callback/", {"error": "Your account is locked, call 555-1234"}, follow=True)
    assert "555-1234" not in page.content.decode()
    assert "Ada Acme" in page.content.decode()
    assert browser.get("/records/").status_code == 200


def test_several_tabs_can_sign_in_one_after_the_other(browser: Browser) -> None:
    first = browser.callback_address(ACME_OWNER, following="/records/")
    second = browser.callback_address(ACME_OWNER, following="/records/orders/")
    assert browser.get(first).status_code == 302
    assert browser.get(second).status_code == 302
    assert browser.get("/records/").status_code == 200
    assert SignIn.objects.count() == 1


def test_a_failed_sign_in_still_leads_to_the_wanted_page(browser: Browser) -> None:
    browser.get("/oidc/authenticate/", {"next": "/records/orders/?prefix=ORD-2"})
    page = refused_page(browser.get("/oidc/callback/?code=a&state=b"))
    assert "next=%2Frecords%2Forders%2F%3Fprefix%3DORD-2" in page


def test_the_session_key_changes_at_the_sign_in(browser: Browser) -> None:
    back = browser.callback_address(ACME_OWNER)
    planted = Browser(browser.world)
    planted.session.save()
    browser.cookies["session"] = before = planted.cookies["session"].value
    browser.get(back)
    assert browser.cookies["session"].value != before
    assert browser.get("/records/").status_code == 200
    assert planted.get("/records/").status_code == 302


def test_a_person_with_a_very_long_name_can_sign_in(browser: Browser, portal: World) -> None:
    pool = seeding.clients(portal.emulator.endpoint_url, portal.emulator.root)("cognito-idp")
    where = {"UserPoolId": portal.settings["COGNITO_USER_POOL_ID"], "Username": ACME_VIEWER.email}
    pool.admin_update_user_attributes(**where, UserAttributes=[{"Name": "name", "Value": "V" * 300}])
    try:
        assert browser.sign_in(ACME_VIEWER).status_code == 200
    finally:
        pool.admin_update_user_attributes(**where, UserAttributes=[{"Name": "name", "Value": ACME_VIEWER.name}])


def test_a_wrong_client_secret_ends_no_session(browser: Browser, new_process: None, settings: Any) -> None:
    browser.sign_in(ACME_OWNER)
    secret = settings.OIDC_RP_CLIENT_SECRET
    settings.OIDC_RP_CLIENT_SECRET = "wrong"
    forget_all()
    session = browser.session
    session["sign_in"]["claims"]["expires_at"] = 1
    session.save()
    row = SignIn.objects.get()
    assert sessions().replace_tokens(row.id, replace(sessions().tokens_of(row.id), id_token="expired"))
    assert browser.get("/records/").status_code == 500
    settings.OIDC_RP_CLIENT_SECRET = secret
    forget_all()
    assert browser.get("/records/").status_code == 200


def test_a_wrong_nonce_is_refused_on_a_page(browser: Browser) -> None:
    back = browser.callback_address(ACME_OWNER, nonce="another")
    assert "nonce" in refused_page(browser.get(back))
    assert not SignIn.objects.exists()


def test_a_wrong_code_verifier_is_refused_on_a_page(browser: Browser) -> None:
    back = browser.callback_address(ACME_OWNER, code_challenge="c" * 43)
    refused_page(browser.get(back))


@pytest.mark.parametrize("fault", [{"drop": True}, {"code": "InternalErrorException", "status": 500}])
def test_a_failing_token_endpoint_is_a_page_that_says_try_again(
    browser: Browser, switches: Switches, fault: dict[str, Any]
) -> None:
    back = browser.callback_address(ACME_OWNER)
    switches.fail("oauth2.token", count=1, **fault)
    page = browser.get(back)
    assert page.status_code == 503
    assert page["Retry-After"]


def test_a_person_is_known_by_sub_and_never_by_e_mail(browser: Browser, portal: World) -> None:
    impostor = Person.objects.get(email=GLOBEX_OWNER.email)
    Person.objects.filter(email=ACME_OWNER.email).update(email="")
    Person.objects.filter(pk=impostor.pk).update(email=ACME_OWNER.email)
    page = browser.sign_in(ACME_OWNER).content.decode()
    assert "Acme Ltd" in page
    assert "Globex" not in page
    # A member keeps their address, whatever the pool has by now.
    assert Person.objects.get(pk=impostor.pk).email == ACME_OWNER.email


@pytest.mark.parametrize("slug", ["acme", "globex"])
def test_an_invitation_is_not_taken_over_by_signing_in(browser: Browser, slug: str) -> None:
    """The worker does that, once it has looked at the user."""
    person = Person.objects.get(email=ACME_EDITOR.email)
    person.memberships.update(tenant=Tenant.objects.get(slug=slug))
    Person.objects.filter(pk=person.pk).update(sub=None)
    assert "not a member of an organisation" in browser.sign_in(ACME_EDITOR).content.decode()
    assert Person.objects.get(pk=person.pk).sub is None


def test_signing_in_as_another_person_ends_the_first_sign_in(browser: Browser) -> None:
    browser.sign_in(ACME_OWNER)
    browser.pages = requests.Session()
    page = browser.sign_in(GLOBEX_OWNER, following="/records/orders/")
    assert b"Gus Globex" in page.content
    assert SignIn.objects.count() == 1


def test_signing_out_ends_the_session_here_and_at_cognito(browser: Browser) -> None:
    browser.sign_in(ACME_OWNER)
    session_before = browser.cookies["session"].value
    out = browser.post("/oidc/logout/")
    assert out.status_code == 302
    assert urlsplit(out["Location"]).path == "/logout"
    browser.pages.get(out["Location"], timeout=60, allow_redirects=False)
    assert not SignIn.objects.exists()
    browser.cookies["session"] = session_before
    assert browser.get("/records/").status_code == 302
    asked_again = browser.pages.get(browser.get("/oidc/authenticate/")["Location"], timeout=60)
    assert 'type="password"' in asked_again.text


def test_signing_out_revokes_the_refresh_token(browser: Browser) -> None:
    browser.sign_in(ACME_OWNER)
    sign_in = SignIn.objects.get()
    tokens = sessions().tokens_of(sign_in.id)
    browser.post("/oidc/logout/")
    with pytest.raises(Exception, match="session has ended"):
        token_endpoint().renew(tokens.refresh_token)


def test_signing_out_works_while_cognito_is_away(browser: Browser, switches: Switches) -> None:
    browser.sign_in(ACME_OWNER)
    switches.fail("oauth2.revoke", count=5, drop=True)
    assert browser.post("/oidc/logout/").status_code == 302
    assert browser.get("/records/").status_code == 302


def test_signing_out_needs_a_post_with_a_csrf_token(portal: World) -> None:
    strict = Browser(portal)
    strict.handler.enforce_csrf_checks = True
    strict.sign_in(ACME_OWNER)
    wrong = strict.get("/oidc/logout/")
    assert wrong.status_code == 405
    assert wrong["Allow"] == "POST"
    assert wrong["X-Request-Id"] in wrong.content.decode()
    assert strict.post("/oidc/logout/").status_code == 403
    assert strict.get("/records/").status_code == 200


@contextmanager
def unverified_address(portal: World, member: CastMember, email: str) -> Iterator[None]:
    """In the pool, as somebody may have set it themselves."""
    pool = seeding.clients(portal.emulator.endpoint_url, portal.emulator.root)("cognito-idp")
    where = {"UserPoolId": portal.settings["COGNITO_USER_POOL_ID"], "Username": portal.subs[member.email]}

    def change(**values: str) -> None:
        entries = [{"Name": name, "Value": value} for name, value in values.items()]
        pool.admin_update_user_attributes(**where, UserAttributes=entries)

    # The pool keeps an address that is not verified waiting, if it comes alone.
    change(email=email, email_verified="true")
    change(email_verified="false")
    try:
        yield
    finally:
        change(email=member.email, email_verified="true")


def test_an_unverified_address_is_not_taken_from_another_person(browser: Browser, portal: World) -> None:
    owner = Person.objects.create(sub=uuid.uuid4(), email="theirs@globex.example", name="Another owner")
    with unverified_address(portal, ACME_EDITOR, owner.email):
        back = browser.callback_address(replace(ACME_EDITOR, email=owner.email))
        assert b"Edgar Acme" in browser.get(back, follow=True).content
    assert Person.objects.get(pk=owner.pk).email == "theirs@globex.example"
    assert Person.objects.get(sub=portal.subs[ACME_EDITOR.email]).email == ACME_EDITOR.email


def test_an_unverified_address_is_not_linked_to_an_invitation(browser: Browser, portal: World) -> None:
    Person.objects.filter(email=ACME_EDITOR.email).update(sub=None)
    with unverified_address(portal, ACME_EDITOR, ACME_EDITOR.email):
        page = refused_page(browser.get(browser.callback_address(ACME_EDITOR)))
    assert "Cognito has not verified your e-mail address" in page
    assert Person.objects.get(email=ACME_EDITOR.email).sub is None
    assert not SignIn.objects.exists()
