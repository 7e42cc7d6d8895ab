"""A day of use, and then a search for the value of every kind of secret: in the log, in all tables, in the cache."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.conf import settings as configured
from django.contrib.sessions.models import Session
from django.core import signing
from django.core.cache import caches
from django.test import RequestFactory

from portal.cache import SERVER
from portal.demo.cast import ACME_OWNER, OPERATOR, CastMember
from tenants.members.joining import take_in
from tenants.sign_in.break_glass import make_link
from tenants.sign_in.wiring import code_flows, federation, sessions
from tests.world.fixtures import Browser
from tests.world.log_lines import kept_lines
from tests.world.stage import SOMEBODY, Stage
from tests.world.tables import rows

Browse = Callable[[CastMember], Browser]
METRICS_TOKEN = "m3tr1cs-token-of-the-collector-0123456789"


@pytest.fixture
def log() -> Iterator[list[str]]:
    with kept_lines(logging.DEBUG) as written:
        yield written


def started(browser: Browser) -> dict[str, str]:
    """The secrets of a sign-in that has begun, and then its callback, followed."""
    address = browser.callback_address(ACME_OWNER, following="/records/orders/")
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    request = RequestFactory().get(address)
    request.COOKIES = {name: morsel.value for name, morsel in browser.cookies.items()}
    flow = code_flows().find(request, query["state"])
    assert flow
    assert browser.get(address, follow=True).status_code == 200
    return {
        "authorization code": query["code"], "state": query["state"], "nonce": flow.nonce,
        "PKCE verifier": flow.code_verifier, "secret of the flow": flow.secret,
    }  # fmt: skip


def held_by(browser: Browser) -> dict[str, str]:
    """The secrets of somebody who is signed in."""
    page = browser.get("/records/orders/")
    who = page.wsgi_request.signed_in
    tokens, keys = sessions().tokens_of(who.sign_in_id), federation().credentials_for(who)
    hidden = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.content.decode())
    assert hidden
    return {
        "ID token": tokens.id_token, "refresh token": tokens.refresh_token,
        "AWS secret key": keys.secret_access_key, "AWS session token": keys.session_token,
        "session id": browser.cookies[configured.SESSION_COOKIE_NAME].value,
        "CSRF cookie": browser.cookies[configured.CSRF_COOKIE_NAME].value, "CSRF field": hidden[1],
    }  # fmt: skip


def invite(browser: Browser, stage: Stage, email: str) -> str:
    """The temporary password."""
    browser.post("/members/invite/", {"people": email, "role": "viewer"})
    take_in()
    stage.work()
    box = f"{stage.world.emulator.endpoint_url}/mailbox.json"
    body = requests.get(box, params={"to": email}, timeout=60).json()["mails"][0]["body"]
    found = re.search(r"(?im)password\S*\s+(?:is\s+)?(\S{8,})\s*$", body)
    assert found, body
    return found[1]


def fail_in_every_way(browser: Browser, world: Any) -> None:
    browser.get("/oidc/callback/", {"code": "c" * 30, "state": "s" * 22})
    browser.get(browser.callback_address(ACME_OWNER, nonce="another"))
    browser.get("/oidc/callback/", {"error": "access_denied", "error_description": world.password})
    browser.post("/signup/", {"name": world.password, "password": world.password})
    browser.post("/operators/break-glass/", {"key": world.password})


def decoded_sessions() -> Iterator[str]:
    yield from (f"decoded session: {_decoded(session)}" for session in Session.objects.all())


def _decoded(session: Session) -> Any:
    return signing.loads(
        session.session_data, salt=f"portal.sessions {session.session_key}", serializer=signing.JSONSerializer
    )


def found_in(secrets: Mapping[str, str], texts: list[str]) -> dict[str, str]:
    """By kind, where it was found."""
    return {kind: text[:100] for kind, secret in secrets.items() for text in texts if secret in text}


def test_no_secret_of_a_day_is_in_a_log_a_table_or_the_cache(
    stage: Stage, browse_as: Browse, settings: Any, domain: str, log: list[str], worker_keys: dict[str, str]
) -> None:
    settings.METRICS_TOKENS = [METRICS_TOKEN]
    owner = Browser(stage.world)
    secrets = {**started(owner), **held_by(owner)}
    secrets["temporary password"] = invite(owner, stage, f"new@{domain}")
    who = owner.get("/access/").wsgi_request.signed_in
    sessions().renew(who.sign_in_id, who.claims, even_if_fresh=True)
    secrets |= {f"{kind} after a renewal": secret for kind, secret in held_by(owner).items()}
    assert secrets["refresh token"] != secrets["refresh token after a renewal"]
    owner.get("/direct/")
    operator = browse_as(OPERATOR)
    secrets |= {f"{kind} of the operator": secret for kind, secret in held_by_operator(operator).items()}
    secrets["break-glass key"] = make_link(by=SOMEBODY, why="Cognito is down").key
    opened = Browser(stage.world)
    assert opened.post("/operators/break-glass/", {"key": secrets["break-glass key"]}).status_code == 302
    fail_in_every_way(Browser(stage.world), stage.world)
    with_token = {"authorization": f"Bearer {METRICS_TOKEN}"}
    assert owner.get("/metrics", headers=with_token).status_code == 200
    owner.get("/metrics", headers={"authorization": f"Bearer {METRICS_TOKEN}x"})
    settings.ROOT_URLCONF = "tests.world.failing_urls"
    owner.raise_request_exception = False
    assert owner.get("/fails/", {"marker": secrets["ID token"]}).status_code == 500
    settings.ROOT_URLCONF = "portal.urls"
    secrets |= {
        "client secret": settings.OIDC_RP_CLIENT_SECRET, "Django's key": settings.SECRET_KEY,
        "password": stage.world.password, "metrics token": METRICS_TOKEN,
        "sealing key": base64.b64encode(settings.TOKEN_KEYS[0]).decode(),
        **{name: value for name, value in worker_keys.items() if name != "AWS_ACCESS_KEY_ID"},
    }  # fmt: skip
    assert all(len(secret) > 7 for secret in secrets.values())
    assert any('"route": "/records/<collection>/"' in line for line in log)
    assert found_in(secrets, log) == {}
    assert found_in(secrets, [*rows(), *decoded_sessions()]) == {}
    kept = cached()
    assert len(kept) > 3
    assert found_in(secrets, kept) == {}


def held_by_operator(operator: Browser) -> dict[str, str]:
    who = operator.get("/operators/").wsgi_request.signed_in
    tokens = sessions().tokens_of(who.sign_in_id)
    return {"ID token": tokens.id_token, "refresh token": tokens.refresh_token}


def cached() -> list[str]:
    """What the shared cache keeps, in memory or in Redis, without the portal's code."""
    server: Any = caches[SERVER]
    if isinstance(server._cache, Mapping):
        return [f"{key} {value!r}" for key, value in server._cache.items()]
    client = server._cache.get_client(None, write=False)
    return [f"{key} {client.get(key)!r}" for key in client.scan_iter()]
