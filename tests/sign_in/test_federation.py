"""How many calls to AWS and the database a page costs, and which of many requests makes them."""

from __future__ import annotations

import threading
import uuid
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections as databases
from django.test.utils import CaptureQueriesContext

from portal.demo.cast import ACME_OWNER, ACME_VIEWER, GLOBEX_OWNER, CastMember
from portal.demo.world import World
from tenants.domain.claims import Claims
from tenants.domain.errors import MembershipChanged, SessionEnded
from tenants.models import Member, SignIn
from tenants.sign_in.federation import RENEW_BEFORE_SECONDS
from tenants.sign_in.sessions import SignedIn
from tenants.sign_in.standing import forget_standing, standing_of
from tenants.sign_in.wiring import federation
from tests.world.faults import Switches
from tests.world.fixtures import Browser

Browse = Callable[[CastMember], Browser]
EXCHANGES = ("CognitoIdentity.GetId", "CognitoIdentity.GetCredentialsForIdentity")


def signed_in(browser: Browser) -> SignedIn:
    stored = browser.session["sign_in"]
    standing = standing_of(stored["person"])
    assert standing
    return SignedIn(uuid.UUID(stored["id"]), Claims.from_session(stored["claims"]), standing, endings=stored["endings"])


def test_a_warm_records_page_costs_one_query_to_dynamodb_and_no_sql(browse_as: Browse, switches: Switches) -> None:
    browser = browse_as(ACME_OWNER)
    for _ in range(2):
        browser.get("/records/orders/")
    switches.forget()
    with CaptureQueriesContext(databases["default"]) as queries:
        assert browser.get("/records/orders/").status_code == 200
    assert switches.calls() == {"DynamoDB.Query": 1}
    assert [query["sql"] for query in queries] == []


def test_a_sign_in_exchanges_once_and_only_the_first_asks_for_an_id(portal: World, switches: Switches) -> None:
    first, again = Browser(portal), Browser(portal)
    first.sign_in(ACME_OWNER, following="/records/orders/")
    first.get("/records/products/")
    assert [switches.calls().get(name, 0) for name in EXCHANGES] == [1, 1]
    again.sign_in(ACME_OWNER, following="/records/orders/")
    assert [switches.calls().get(name, 0) for name in EXCHANGES] == [1, 2]
    assert Member.objects.get(person__email=ACME_OWNER.email).identity_id


@pytest.mark.django_db(transaction=True)
def test_ten_requests_at_once_exchange_the_token_once(portal: World, switches: Switches) -> None:
    browser = Browser(portal).sign_in_only(ACME_OWNER)
    who = signed_in(browser)
    switches.forget()
    switches.fail("CognitoIdentity.GetCredentialsForIdentity", delay_seconds=0.3, count=10)
    start = threading.Barrier(10)

    def ask(_: int) -> str:
        start.wait()
        try:
            return federation().credentials_for(who).access_key_id
        finally:
            databases.close_all()

    with ThreadPoolExecutor(10) as pool:
        keys = set(pool.map(ask, range(10)))
    assert len(keys) == 1
    assert [switches.calls().get(name, 0) for name in EXCHANGES] == [1, 1]


def test_another_process_finds_sealed_credentials_in_the_shared_cache(browse_as: Browse, switches: Switches) -> None:
    who = signed_in(browse_as(ACME_OWNER))
    here = federation()
    mine = here.credentials_for(who)
    elsewhere = in_new_process(here)
    switches.forget()
    assert elsewhere.credentials_for(who) == mine
    assert switches.calls() == {}
    kept = cache.get(f"credentials:{who.sign_in_id}:{who.claims.org}:{who.claims.role}")
    for secret in (mine.secret_access_key, mine.session_token):
        assert secret.encode() not in b64decode(kept)


def in_new_process(federation: Any) -> Any:
    """The same federation in a new process, which holds no credentials yet."""
    return type(federation)(
        federation.pool, federation.sessions, federation.sealer, federation.cache, federation.flights
    )


def test_sealed_credentials_of_one_person_do_not_open_for_another(browse_as: Browse, switches: Switches) -> None:
    acme, globex = signed_in(browse_as(ACME_OWNER)), signed_in(browse_as(GLOBEX_OWNER))
    here = federation()
    here.credentials_for(acme)
    key = "credentials:{0.sign_in_id}:{0.claims.org}:{0.claims.role}".format
    cache.set(key(globex), cache.get(key(acme)))
    switches.forget()
    assert in_new_process(here).credentials_for(globex) != here.credentials_for(acme)
    assert switches.calls()["CognitoIdentity.GetCredentialsForIdentity"] == 1


def test_one_request_renews_credentials_early_while_others_go_on(browse_as: Browse, switches: Switches) -> None:
    who = signed_in(browse_as(ACME_OWNER))
    here = in_new_process(federation())
    old = here.credentials_for(who)
    here.clock = lambda: old.expires_at - RENEW_BEFORE_SECONDS + 1
    switches.fail("CognitoIdentity.GetCredentialsForIdentity", delay_seconds=0.5, count=1)
    given: list[Any] = []
    with here.flights.alone_or_not(f"credentials:{who.sign_in_id}:{who.claims.org}:{who.claims.role}") as alone:
        assert alone
        given.append(here.credentials_for(who))
    assert given == [old]
    assert here.credentials_for(who) != old


def test_a_failed_early_renewal_leaves_the_good_credentials(browse_as: Browse, switches: Switches) -> None:
    who = signed_in(browse_as(ACME_OWNER))
    here = in_new_process(federation())
    old = here.credentials_for(who)
    here.clock = lambda: old.expires_at - RENEW_BEFORE_SECONDS + 1
    switches.fail("CognitoIdentity.GetCredentialsForIdentity", code="TooManyRequestsException", status=400, count=20)
    assert here.credentials_for(who) == old


def test_an_identity_of_another_login_is_asked_for_again(portal: World, browse_as: Browse) -> None:
    browse_as(GLOBEX_OWNER).get("/records/")
    theirs = Member.objects.get(person__email=GLOBEX_OWNER.email).identity_id
    browser = Browser(portal).sign_in_only(ACME_OWNER)
    Member.objects.filter(person__email=ACME_OWNER.email).update(identity_id=theirs)
    forget_standing(Member.objects.get(person__email=ACME_OWNER.email).person_id)
    assert browser.get("/records/").status_code == 200
    mine = Member.objects.get(person__email=ACME_OWNER.email).identity_id
    assert mine != theirs
    assert Member.objects.get(person__email=GLOBEX_OWNER.email).identity_id == theirs


def test_expired_credentials_are_never_handed_out(browse_as: Browse) -> None:
    who = signed_in(browse_as(ACME_OWNER))
    here = in_new_process(federation())
    old = here.credentials_for(who)
    here.clock = lambda: old.expires_at - 10
    assert here.credentials_for(who) != old


def test_another_role_finds_neither_credentials_nor_a_token(browse_as: Browse) -> None:
    who = signed_in(browse_as(ACME_VIEWER))
    here = federation()
    here.credentials_for(who)
    changed = replace(who, claims=replace(who.claims, role="editor"))
    with pytest.raises(MembershipChanged):
        here.credentials_for(changed)
    # Also where the database says what the claims say, and only the token does not.
    Member.objects.filter(person__email=ACME_VIEWER.email).update(role="editor")
    forget_standing(who.standing.person_id)
    with pytest.raises(MembershipChanged):
        here.credentials_for(changed)


def test_credentials_that_aws_no_longer_takes_are_replaced_unnoticed(browse_as: Browse, switches: Switches) -> None:
    browser = browse_as(ACME_OWNER)
    browser.get("/records/orders/")
    switches.fail("DynamoDB.Query", code="ExpiredTokenException", status=400, count=1)
    assert browser.get("/records/orders/").status_code == 200
    switches.fail("DynamoDB.Query", code="ExpiredTokenException", status=400, count=2)
    refused = browser.get("/records/orders/")
    assert (refused.status_code, bool(refused["Retry-After"])) == (503, True)


def test_a_token_the_identity_pool_refuses_ends_the_session(portal: World, switches: Switches) -> None:
    browser = Browser(portal).sign_in_only(ACME_OWNER)
    switches.fail("CognitoIdentity.GetCredentialsForIdentity", code="NotAuthorizedException", status=400, count=20)
    page = browser.get("/records/orders/")
    assert page.status_code == 401
    assert "session has ended" in page.content.decode()


def test_an_identity_of_a_pool_that_was_replaced_is_asked_for_again(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    Member.objects.update(identity_id="eu-west-1:00000000-0000-0000-0000-000000000000")
    cache.clear()
    who = signed_in(browser)
    assert in_new_process(federation()).credentials_for(who)
    assert not Member.objects.get(person__email=ACME_OWNER.email).identity_id.endswith("0000")


def test_a_person_who_signed_out_gets_no_credentials(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    who = signed_in(browser)
    browser.get("/records/orders/")
    browser.post("/oidc/logout/")
    assert not SignIn.objects.exists()
    with pytest.raises(SessionEnded):
        federation().credentials_for(who)
