"""What the door does when the database, the token and the session disagree, or when time has passed."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections as databases
from django.utils import timezone

from emulator.client import seeding
from portal.demo.cast import ACME_EDITOR, ACME_OWNER, ACME_VIEWER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.connections import connections
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.claims import Claims
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.transitions import reactivate, suspend
from tenants.members.roster import disable, set_role
from tenants.models import Member, Person, SignIn, Tenant
from tenants.sign_in.standing import ClaimsOutOfDate, Standing, check_standing, forget_standing, standing_of
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


def let_the_token_run_out(browser: Browser) -> None:
    session = browser.session
    session["sign_in"]["claims"]["expires_at"] = int(time.time()) - 5
    session.save()


def test_a_suspended_tenant_is_shut_out_on_the_next_request_and_let_in_again_when_it_is_active(
    browse_as: Browse,
) -> None:
    browser, acme = browse_as(ACME_OWNER), Tenant.objects.get(name="Acme Ltd")
    suspend(acme, by=SOMEBODY, why="not paid")
    refused = browser.get("/records/")
    assert refused.status_code == 403
    assert "Acme Ltd is suspended" in text_of(refused)
    reactivate(acme, by=SOMEBODY)
    assert browser.get("/records/").status_code == 200


def test_a_suspension_in_the_middle_of_somebodys_request_counts_on_the_next_one_too(portal: World) -> None:
    acme, owner = Tenant.objects.get(name="Acme Ltd"), member(ACME_OWNER).person_id
    forget_standing(owner)
    suspended: list[Tenant] = []

    def suspended_after_it_was_read(execute: Any, *arguments: Any) -> Any:
        answer = execute(*arguments)
        if not suspended:
            suspended.append(acme)
            # Like another process, which drops what is kept before this one keeps what it has read.
            suspend(acme, by=SOMEBODY, why="not paid")
        return answer

    with databases["default"].execute_wrapper(suspended_after_it_was_read):
        standing_of(owner)
    standing = standing_of(owner)
    assert standing is not None
    assert standing.tenant_state == TenantState.SUSPENDED


def test_a_disabled_member_is_shut_out_on_the_next_request(browse_as: Browse) -> None:
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


def test_a_person_that_is_gone_is_a_visitor(browse_as: Browse) -> None:
    browser = browse_as(ACME_EDITOR)
    Person.objects.get(email=ACME_EDITOR.email).delete()
    cache.clear()
    assert browser.get("/records/").status_code == 302


def test_a_change_that_went_past_the_portal_is_seen_within_seconds(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    Tenant.objects.update(state=TenantState.SUSPENDED, suspended_at=timezone.now(), reason="by hand")
    deadline = time.monotonic() + 10
    while browser.get("/records/").status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert browser.get("/records/").status_code == 403


def test_somebody_in_no_organisation_may_sign_in_is_told_so_and_may_sign_out(portal: World) -> None:
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


def test_a_role_that_is_too_low_is_told_which_one_is_needed(browse_as: Browse) -> None:
    refused = browse_as(OPERATOR).get("/records/")
    assert refused.status_code == 403
    assert "not for your role" in text_of(refused)


def test_a_new_role_counts_on_the_next_request_once_cognito_has_it(browse_as: Browse, portal: World) -> None:
    browser = browse_as(ACME_EDITOR)
    pool = seeding.clients(portal.emulator.endpoint_url, portal.emulator.root)("cognito-idp")

    def in_cognito(role: str) -> None:
        pool.admin_update_user_attributes(
            UserPoolId=portal.settings["COGNITO_USER_POOL_ID"], Username=ACME_EDITOR.email,
            UserAttributes=[{"Name": "custom:role", "Value": role}],
        )  # fmt: skip

    try:
        in_cognito("viewer")
        set_role(member(ACME_EDITOR), Role.VIEWER, by=SOMEBODY)
        assert browser.get("/access/").status_code == 200
        assert browser.session["sign_in"]["claims"]["role"] == "viewer"
    finally:
        in_cognito("editor")


def test_a_role_that_only_the_database_knows_lets_nobody_in_and_cognito_is_not_asked_every_time(
    browse_as: Browse, switches: Switches
) -> None:
    browser = browse_as(ACME_VIEWER)
    set_role(member(ACME_VIEWER), Role.OWNER, by=SOMEBODY)
    refused = browser.get("/records/")
    assert refused.status_code == 403
    assert "has to be updated first" in text_of(refused)
    switches.forget()
    for _ in range(5):
        assert browser.get("/records/").status_code == 403
    assert "oauth2.token" not in switches.calls()
    set_role(member(ACME_VIEWER), Role.VIEWER, by=SOMEBODY)
    assert browser.get("/records/").status_code == 200


@pytest.mark.parametrize("differs", ["sub", "org", "role"])
def test_claims_and_standing_must_agree_in_everything(differs: str) -> None:
    claims = Claims("s", "e", "n", ACME_OWNER.org, "owner", 0)
    standing = Standing(1, "s", "e", "n", ACME_OWNER.org, "Acme Ltd", "active", "owner", enabled=True)
    check_standing(standing, claims)
    with pytest.raises(ClaimsOutOfDate):
        check_standing(standing, replace(claims, **{differs: "viewer"}))


def test_a_renewed_token_of_somebody_else_ends_the_session(browse_as: Browse) -> None:
    browser, other = browse_as(ACME_OWNER), browse_as(ACME_VIEWER)
    here = connections().sessions
    mine, theirs = (SignIn.objects.get(pk=b.session["sign_in"]["id"]) for b in (browser, other))
    mine.sealed_tokens = here._seal(mine.id, replace(here._kept(theirs.id), id_token="expired"))
    mine.save()
    let_the_token_run_out(browser)
    assert browser.get("/records/").status_code == 401


def test_a_session_of_another_version_means_signing_in_again(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    for stored in ({"id": "x"}, {"id": str(uuid.uuid4()), "person": 1, "claims": {"sub": 1}}, "text"):
        session = browser.session
        session["sign_in"] = stored
        session.save()
        assert browser.get("/records/").status_code == 302


def test_tokens_of_browsers_that_never_signed_out_are_cleared_away(browse_as: Browse) -> None:
    browse_as(ACME_OWNER)
    browse_as(ACME_VIEWER)
    SignIn.objects.update(renewed_at=timezone.now() - timedelta(hours=13))
    browse_as(ACME_OWNER)
    assert sorted(SignIn.objects.values_list("person__email", flat=True)) == [ACME_OWNER.email, ACME_VIEWER.email]


def test_an_expiring_token_is_renewed_without_the_person_noticing_on_any_method(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    let_the_token_run_out(browser)
    assert browser.head("/records/").status_code == 200
    assert browser.session["sign_in"]["claims"]["expires_at"] > time.time()


def expire_everywhere(browser: Browser) -> None:
    """The session's claims and the kept ID token have both run out; the refresh token has not."""
    let_the_token_run_out(browser)
    here, row = connections().sessions, SignIn.objects.get()
    kept = here._kept(row.id)
    stale = type(kept)(id_token="expired", refresh_token=kept.refresh_token)
    row.sealed_tokens = here._seal(row.id, stale)
    row.save()


def test_the_refresh_token_is_rotated_and_the_new_one_kept(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    first = connections().sessions._kept(SignIn.objects.get().id).refresh_token
    expire_everywhere(browser)
    assert browser.get("/records/").status_code == 200
    second = connections().sessions._kept(SignIn.objects.get().id).refresh_token
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
            return connections().sessions.renew(sign_in_id, stale)
        finally:
            databases.close_all()

    with ThreadPoolExecutor(8) as pool:
        renewed = set(pool.map(renew, range(8)))
    assert len(renewed) == 1
    assert renewed.pop().sub == claims.sub
    assert switches.calls()["oauth2.token"] == 1


def test_when_it_cannot_be_renewed_the_person_signs_in_again_and_lands_where_they_were(
    browse_as: Browse, portal: World
) -> None:
    browser = browse_as(ACME_OWNER)
    expire_everywhere(browser)
    row = SignIn.objects.get()
    connections().tokens.revoke(connections().sessions._kept(row.id).refresh_token)
    ended = browser.get("/records/orders/?prefix=ORD-2026-01")
    assert ended.status_code == 401
    page = text_of(ended)
    assert "/oidc/authenticate/?next=%2Frecords%2Forders%2F%3Fprefix%3DORD-2026-01" in page
    assert browser.get("/records/").status_code == 302
    again = browser.sign_in(ACME_OWNER, following="/records/orders/?prefix=ORD-2026-01")
    assert "ORD-2026-0100" in again.content.decode()


def test_a_partial_update_with_an_ended_session_sends_the_whole_page_to_sign_in(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    SignIn.objects.all().delete()
    let_the_token_run_out(browser)
    answer = browser.get("/records/orders/", headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == "/records/orders/"
    assert not answer.content


def test_tokens_moved_to_another_row_do_not_open(browse_as: Browse) -> None:
    browse_as(ACME_OWNER)
    stolen = SignIn.objects.get()
    mine = SignIn.objects.create(person=stolen.person, sealed_tokens=stolen.sealed_tokens)
    with pytest.raises(Exception, match="session has ended"):
        connections().sessions.id_token(mine.id)


def test_these_tests_run_on_the_database_that_was_asked_for(db: None) -> None:
    assert databases["default"].vendor == ("postgresql" if os.environ.get("TEST_DATABASE_URL") else "sqlite")
