"""Whatever Cognito's endpoints answer, a sign-in ends on a page that says what to do, and a session is not lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from portal.demo.cast import ACME_OWNER, CastMember
from tenants.domain.once import forget_all
from tenants.models import SignIn
from tenants.sign_in.wiring import sessions
from tests.world.fixtures import Browser
from tests.world.odd_server import IN_TIME, ODD_ANSWERS, TRICKLES, Answering, OddServer, odd_server, whole

ENDS_THE_SESSION = {"a wrong grant", "a token that is none"}
IS_FOR_OPERATORS = {"a wrong client"}


@pytest.fixture
def cognito(new_process: None, settings: Any) -> Iterator[Callable[[Answering], OddServer]]:
    """Puts a server that answers oddly in the place of the sign-in domain."""
    servers = []

    def put(answering: Answering) -> OddServer:
        servers.append(odd_server(answering))
        server = servers[-1].__enter__()
        settings.COGNITO_DOMAIN = server.url
        forget_all()
        return server

    yield put
    for server in servers:
        server.__exit__(None, None, None)


def says_what_to_do(page: Any) -> None:
    text = page.content.decode()
    assert page.status_code in (400, 503), text
    assert ("You could not be signed in" if page.status_code == 400 else "Not available right now") in text
    assert "/oidc/authenticate/?next=%2Frecords%2F" in text
    assert page["X-Request-Id"] in text
    assert "<script>" not in text.partition("<main")[2]


@pytest.mark.parametrize("answering", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
def test_a_sign_in_with_an_odd_answer_ends_on_a_page(
    browser: Browser, cognito: Callable[[Answering], OddServer], answering: Answering
) -> None:
    callback = browser.callback_address(ACME_OWNER, following="/records/")
    cognito(answering)
    says_what_to_do(browser.get(callback))
    assert not SignIn.objects.exists()


def test_a_sign_in_with_an_answer_that_trickles_ends_in_time(
    browser: Browser, cognito: Callable[[Answering], OddServer]
) -> None:
    callback = browser.callback_address(ACME_OWNER, following="/records/")
    cognito(TRICKLES["a body of known length"])
    began = time.monotonic()
    says_what_to_do(browser.get(callback))
    assert time.monotonic() - began < IN_TIME


@pytest.mark.parametrize("name", ODD_ANSWERS)
def test_an_odd_answer_at_a_renewal_keeps_the_session(
    browse_as: Callable[[CastMember], Browser], cognito: Callable[[Answering], OddServer], name: str
) -> None:
    browser = browse_as(ACME_OWNER)
    session = browser.session
    session["sign_in"]["claims"]["expires_at"] = 1
    session.save()
    row = SignIn.objects.get()
    assert sessions().replace_tokens(row.id, replace(sessions().tokens_of(row.id), id_token="expired"))
    cognito(ODD_ANSWERS[name])
    expected = 401 if name in ENDS_THE_SESSION else 500 if name in IS_FOR_OPERATORS else 503
    assert browser.get("/records/").status_code == expected
    assert ("sign_in" in browser.session) == (expected != 401)


def test_a_renewal_without_keys_keeps_the_new_refresh_token(
    browse_as: Callable[[CastMember], Browser], new_process: None, settings: Any
) -> None:
    browser = browse_as(ACME_OWNER)
    session = browser.session
    session["sign_in"]["claims"]["expires_at"] = 1
    session.save()
    row, keys_at = SignIn.objects.get(), settings.OIDC_OP_JWKS_ENDPOINT
    assert sessions().replace_tokens(row.id, replace(sessions().tokens_of(row.id), id_token="expired"))
    before = sessions().tokens_of(row.id).refresh_token
    with odd_server(whole("null")) as server:
        settings.OIDC_OP_JWKS_ENDPOINT = server.url
        forget_all()
        assert browser.get("/records/").status_code == 503
    assert sessions().tokens_of(row.id).refresh_token != before
    settings.OIDC_OP_JWKS_ENDPOINT = keys_at
    forget_all()
    assert browser.get("/records/").status_code == 200


@pytest.mark.parametrize("name", [name for name in ODD_ANSWERS if "token" not in name and "grant" not in name])
def test_a_sign_in_with_odd_signing_keys_ends_on_a_page(
    browser: Browser, new_process: None, settings: Any, name: str
) -> None:
    callback = browser.callback_address(ACME_OWNER, following="/records/")
    with odd_server(ODD_ANSWERS[name]) as server:
        settings.OIDC_OP_JWKS_ENDPOINT = server.url
        forget_all()
        says_what_to_do(browser.get(callback))
