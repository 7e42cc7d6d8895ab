"""The door when database, token and session differ, and when tokens expire."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections as databases
from django.utils import timezone

from emulator.client import seeding
from portal.demo.cast import ACME_EDITOR, ACME_OWNER, ACME_VIEWER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.claims import Claims
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.transitions import reactivate, suspend
from tenants.members.roster import disable
from tenants.models import Member, Person, SignIn, Tenant
from tenants.sign_in.standing import ClaimsOutOfDate, Standing, check_standing, forget_standing, standing_of
from tenants.sign_in.wiring import sessions, token_endpoint
from tests.world.faults import Switches
from tests.world.fixtures import Browser

Browse = Callable[[CastMember], Browser]
SOMEBODY = Actor("test", "a test", ActorKind.OPERATOR)


def text_of(response: Any) -> str:
    text: str = response.content.decode()
    assert response["X-Request-Id"] in text
    return text


def member(who: CastMember) -> Member:
    return Member.objects.select_related("tenant", "person").get(person__email=who.email)


def set_role_by_hand(who: CastMember, role: Role) -> None:
    """In the database. A change in the portal ends the person's sessions."""
    Member.objects.filter(person__email=who.email).update(role=role)
    forget_standing(member(who).person_id)


def expire_claims(browser: Browser) -> None:
    session = browser.session
    session["sign_in"]["claims"]["expires_at"] = int(time.time()) - 5
    session.save()


def test_suspending_and_reactivating_counts_on_the_next_request(
    browse_as: Browse,
) -> None:
    browser, acme = browse_as(ACME_OWNER), Tenant.objects.get(name="Acme Ltd")
    suspend(acme, by=SOMEBODY, why="not paid")
    refused = browser.get("/records/")
    assert refused.status_code == 403
    assert "Acme Ltd is suspended" in text_of(refused)
    reactivate(acme, by=SOMEBODY)
    assert browser.get("/records/").status_code == 401
    assert browse_as(ACME_OWNER).get("/records/").status_code == 200


def test_a_suspension_during_a_request_counts_on_the_next_one(portal: World) -> None:
    acme, owner = Tenant.objects.get(name="Acme Ltd"), member(ACME_OWNER).person_id
    forget_standing(owner)
    suspended: list[Tenant] = []

    def suspend_after_the_read(execute: Any, *arguments: Any) -> Any:
        answer = execute(*arguments)
        if not suspended:
            suspended.append(acme)
            # As if another process changed the tenant before this one cached what it has read.
            suspend(acme, by=SOMEBODY, why="not paid")
        return answer

    with databases["default"].execute_wrapper(suspend_after_the_read):
        standing_of(owner)
    standing = standing_of(owner)
    assert standing is not None
    assert standing.tenant_state == TenantState.SUSPENDED


def test_a_disabled_member_is_refused_on_the_next_request(browse_as: Browse) -> None:
    browser = browse_as(ACME_EDITOR)
    disable(member(ACME_EDITOR), by=SOMEBODY)
    refused = browser.get("/records/")
    assert refused.status_code == 403
    assert "no longer an active member of Acme Ltd" in text_of(refused)


def test_a_removed_member_has_no_organisation_on_the_next_request(browse_as: Browse) -> None:
    browser = browse_as(ACME_EDITOR)
    removed = member(ACME_EDITOR)
    removed.delete()
    forget_standing(removed.person_id)
    refused = browser.get("/records/")
    assert refused.status_code == 403
    assert "not a member of an organisation" in text_of(refused)


def test_a_deleted_person_is_a_visitor(browse_as: Browse) -> None:
    browser = browse_as(ACME_EDITOR)
    Person.objects.get(email=ACME_EDITOR.email).delete()
    cache.clear()
    assert browser.get("/records/").status_code == 302


def test_a_change_made_outside_the_portal_counts_within_seconds(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    Tenant.objects.update(state=TenantState.SUSPENDED, suspended_at=timezone.now(), reason="by hand")
    deadline = time.monotonic() + 60
    while browser.get("/records/").status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert browser.get("/records/").status_code == 403


def test_a_person_without_an_organisation_may_sign_in_and_out(portal: World) -> None:
    deployer = seeding.clients(portal.emulator.endpoint_url, portal.emulator.root)
    nobody = CastMember(f"{uuid.uuid4().hex}@nowhere.example", "No Body", Role.VIEWER, None)
    seeding.create_person(
        deployer("cognito-idp"), portal.settings["COGNITO_USER_POOL_ID"],
        email=nobody.email, name=nobody.name, org="", role="", password=portal.password,
    )  # fmt: skip
    browser = Browser(portal)
    refused = browser.sign_in(nobody, following="/records/")
    assert refused.status_code == 403
    assert "not a member of an organisation" in text_of(refused)
    assert nobody.email in text_of(refused)
    assert browser.post("/oidc/logout/").status_code == 302


def test_a_refusal_names_the_roles_that_may_open_the_page(browse_as: Browse) -> None:
    refused = browse_as(OPERATOR).get("/records/")
    assert refused.status_code == 403
    assert "Your role cannot open this page" in text_of(refused)


def test_a_new_role_counts_once_cognito_has_it(browse_as: Browse, portal: World) -> None:
    browser = browse_as(ACME_EDITOR)
    pool = seeding.clients(portal.emulator.endpoint_url, portal.emulator.root)("cognito-idp")

    def in_cognito(role: str) -> None:
        pool.admin_update_user_attributes(
            UserPoolId=portal.settings["COGNITO_USER_POOL_ID"], Username=ACME_EDITOR.email,
            UserAttributes=[{"Name": "custom:role", "Value": role}],
        )  # fmt: skip

    try:
        in_cognito("viewer")
        set_role_by_hand(ACME_EDITOR, Role.VIEWER)
        assert browser.get("/access/").status_code == 200
        assert browser.session["sign_in"]["claims"]["role"] == "viewer"
    finally:
        in_cognito("editor")


def test_a_role_missing_in_cognito_is_refused_without_asking_it_each_time(
    browse_as: Browse, switches: Switches
) -> None:
    browser = browse_as(ACME_VIEWER)
    set_role_by_hand(ACME_VIEWER, Role.ADMIN)
    refused = browser.get("/records/")
    assert refused.status_code == 403
    assert "has to be updated first" in text_of(refused)
    switches.forget()
    for _ in range(5):
        assert browser.get("/records/").status_code == 403
    assert "oauth2.token" not in switches.calls()
    set_role_by_hand(ACME_VIEWER, Role.VIEWER)
    assert browser.get("/records/").status_code == 200


@pytest.mark.parametrize("differs", ["sub", "org", "role"])
def test_claims_and_standing_must_be_equal(differs: str) -> None:
    claims = Claims("s", "e", "n", ACME_OWNER.org, "owner", 0)
    standing = Standing(1, "s", "e", "n", ACME_OWNER.org, "Acme Ltd", "active", "owner", enabled=True)
    check_standing(standing, claims)
    with pytest.raises(ClaimsOutOfDate):
        check_standing(standing, replace(claims, **{differs: "viewer"}))


def test_a_renewed_token_of_another_person_ends_the_session(browse_as: Browse) -> None:
    browser, other = browse_as(ACME_OWNER), browse_as(ACME_VIEWER)
    here = sessions()
    mine, theirs = (SignIn.objects.get(pk=b.session["sign_in"]["id"]) for b in (browser, other))
    assert here.replace_tokens(mine.id, replace(here.tokens_of(theirs.id), id_token="expired"))
    expire_claims(browser)
    assert browser.get("/records/").status_code == 401


def test_a_session_of_another_version_must_sign_in_again(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    for stored in ({"id": "x"}, {"id": str(uuid.uuid4()), "person": 1, "claims": {"sub": 1}}, "text"):
        session = browser.session
        session["sign_in"] = stored
        session.save()
        assert browser.get("/records/").status_code == 302


def test_an_expiring_token_is_renewed_during_any_request(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    expire_claims(browser)
    assert browser.head("/records/").status_code == 200
    assert browser.session["sign_in"]["claims"]["expires_at"] > time.time()


def expire_everywhere(browser: Browser) -> None:
    """Expires the session's claims and the stored ID token, but not the refresh token."""
    expire_claims(browser)
    here, row = sessions(), SignIn.objects.get()
    assert here.replace_tokens(row.id, replace(here.tokens_of(row.id), id_token="expired"))


def test_the_rotated_refresh_token_is_kept(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    first = sessions().tokens_of(SignIn.objects.get().id).refresh_token
    expire_everywhere(browser)
    assert browser.get("/records/").status_code == 200
    second = sessions().tokens_of(SignIn.objects.get().id).refresh_token
    assert second != first


@pytest.mark.django_db(transaction=True)
def test_many_requests_with_an_expired_token_renew_it_once(browse_as: Browse, switches: Switches) -> None:
    browser = browse_as(ACME_OWNER)
    claims = Claims.from_session(browser.session["sign_in"]["claims"])
    expire_everywhere(browser)
    stale = Claims.from_session(browser.session["sign_in"]["claims"])
    sign_in_id = SignIn.objects.get().id
    switches.forget()

    def renew(_: int) -> Claims:
        try:
            return sessions().renew(sign_in_id, stale)
        finally:
            databases.close_all()

    with ThreadPoolExecutor(8) as pool:
        renewed = set(pool.map(renew, range(8)))
    assert len(renewed) == 1
    assert renewed.pop().sub == claims.sub
    assert switches.calls()["oauth2.token"] == 1


def test_after_a_failed_renewal_signing_in_leads_back_to_the_page(browse_as: Browse, portal: World) -> None:
    browser = browse_as(ACME_OWNER)
    expire_everywhere(browser)
    row = SignIn.objects.get()
    token_endpoint().revoke(sessions().tokens_of(row.id).refresh_token)
    ended = browser.get("/records/orders/?prefix=ORD-2026-01")
    assert ended.status_code == 401
    page = text_of(ended)
    assert "/oidc/authenticate/?next=%2Frecords%2Forders%2F%3Fprefix%3DORD-2026-01" in page
    assert browser.get("/records/").status_code == 302
    again = browser.sign_in(ACME_OWNER, following="/records/orders/?prefix=ORD-2026-01")
    assert "ORD-2026-0100" in again.content.decode()


def test_a_partial_update_with_an_ended_session_reloads_the_page(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    SignIn.objects.all().delete()
    expire_claims(browser)
    answer = browser.get("/records/orders/", headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == "/records/orders/"
    assert not answer.content


def test_tokens_moved_to_another_row_cannot_be_opened(browse_as: Browse) -> None:
    browse_as(ACME_OWNER)
    stolen = SignIn.objects.get()
    mine = SignIn.objects.create(person=stolen.person, sealed_tokens=stolen.sealed_tokens)
    with pytest.raises(Exception, match="session has ended"):
        sessions().tokens_of(mine.id)


def test_these_tests_run_on_the_requested_database(db: None) -> None:
    assert databases["default"].vendor == ("postgresql" if os.environ.get("TEST_DATABASE_URL") else "sqlite")
