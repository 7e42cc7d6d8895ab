"""Sign-ins, sign-outs and refusals in the audit trail; and that it contains no secret."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.db import connections as databases
from django.test.utils import CaptureQueriesContext

from portal.demo.cast import ACME_EDITOR, ACME_OWNER, ACME_VIEWER, GLOBEX_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from tenants.audit.actions import Action
from tenants.audit.sentences import plain_text
from tenants.audit.timeline import entry_sentence
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.errors import InvalidInput
from tenants.domain.roles import Role
from tenants.lifecycle.transitions import suspend
from tenants.members.roster import disable, set_role
from tenants.models import AuditEvent, AuditHead, Member, SignIn, Tenant
from tenants.sign_in.wiring import sessions
from tests.world.faults import Switches
from tests.world.fixtures import Browser
from tests.world.trail import SOMEBODY, run_sql, verify_audit

Browse = Callable[[CastMember], Browser]
# A refusal is recorded after the transaction, so the tests need one that ends.
pytestmark = pytest.mark.django_db(transaction=True)


def recorded(action: Action = Action.REFUSED) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=action).order_by("seq"))


def last() -> AuditEvent:
    return AuditEvent.objects.latest("seq")


def test_a_sign_in_is_recorded_with_person_tenant_and_address(browser: Browser) -> None:
    page = browser.sign_in(ACME_OWNER)
    event = last()
    assert event.action == Action.SIGNED_IN
    assert event.actor == browser.world.subs[ACME_OWNER.email]
    assert event.actor_name == ACME_OWNER.email
    assert str(event.org) == ACME_OWNER.org
    assert event.after == {"role": "owner"}
    assert event.address == "127.0.0.1"
    assert event.request_id
    assert event.request_id != page["X-Request-Id"]


def test_an_operators_sign_in_belongs_to_no_tenant(browser: Browser) -> None:
    browser.sign_in(OPERATOR)
    assert (last().action, last().org) == (Action.SIGNED_IN, None)


def test_a_sign_in_that_cannot_be_recorded_fails(browser: Browser) -> None:
    browser.raise_request_exception = False
    back = browser.callback_address(ACME_OWNER)
    with no_recording():
        # SQLite calls a missing table an outage, PostgreSQL an error of the program.
        assert browser.get(back).status_code in {500, 503}
    assert not SignIn.objects.exists()
    assert browser.get("/records/").status_code == 302


def test_signing_out_is_recorded_once(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    browser.post("/oidc/logout/")
    browser.post("/oidc/logout/")
    (event,) = recorded(Action.SIGNED_OUT)
    assert (event.actor_name, str(event.org)) == (ACME_OWNER.email, ACME_OWNER.org)


def test_signing_out_of_an_ended_session_is_not_recorded(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    SignIn.objects.all().delete()
    browser.post("/oidc/logout/")
    assert recorded(Action.SIGNED_OUT) == []


def test_signing_in_over_another_person_signs_them_out(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    browser.pages.cookies.clear()
    browser.sign_in(GLOBEX_OWNER)
    (event,) = recorded(Action.SIGNED_OUT)
    assert event.actor_name == ACME_OWNER.email
    assert "same browser" in event.why


def test_a_failed_sign_in_is_recorded_with_its_reason(browser: Browser) -> None:
    page = browser.get("/oidc/callback/?code=secret-code&state=secret-state")
    (event,) = recorded(Action.SIGN_IN_FAILED)
    assert (event.actor, event.org, event.target) == ("visitor", None, "/oidc/callback/")
    assert event.why == "this sign-in was not started in this browser, took too long, or was used before"
    assert (event.request_id, event.address) == (page["X-Request-Id"], "127.0.0.1")
    assert "secret" not in json.dumps(event.content(), default=str)


def test_being_asked_to_sign_in_is_no_refusal(browser: Browser) -> None:
    for address in ("/records/", "/access/", "/operators/", "/records/orders/"):
        assert browser.get(address).status_code == 302
    assert browser.post("/records/").status_code in {401, 403, 405}
    assert not AuditEvent.objects.filter(action__startswith="person.").exists()


def test_a_role_that_is_too_low_is_recorded(browse_as: Browse) -> None:
    page = browse_as(ACME_VIEWER).get("/operators/")
    assert page.status_code == 403
    (event,) = recorded()
    assert (event.actor_name, event.target) == (ACME_VIEWER.email, "/operators/")
    assert event.after == {"refusal": "RoleTooLow"}
    assert "yours is viewer" in event.why
    assert event.request_id == page["X-Request-Id"]


def test_refusals_of_suspended_tenants_and_disabled_members_are_recorded(browse_as: Browse) -> None:
    editor, owner = browse_as(ACME_EDITOR), browse_as(ACME_OWNER)
    disable(Member.objects.get(person__email=ACME_EDITOR.email), by=SOMEBODY)
    assert editor.get("/records/").status_code == 403
    suspend(Tenant.objects.get(slug="acme"), by=SOMEBODY, why="not paid")
    assert owner.get("/records/").status_code == 403
    assert [(event.actor_name, event.after["refusal"]) for event in recorded()] == [
        (ACME_EDITOR.email, "MembershipEnded"),
        (ACME_OWNER.email, "TenantSuspended"),
    ]


def test_an_ended_session_is_recorded_with_its_person(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    SignIn.objects.all().delete()
    session = browser.session
    session["sign_in"]["claims"]["expires_at"] = 1
    session.save()
    assert browser.get("/records/").status_code == 401
    (event,) = recorded()
    assert (event.actor_name, event.after["refusal"], event.why) == (ACME_OWNER.email, "SessionEnded", "signed out")


def test_a_denial_by_aws_is_recorded_without_the_key_of_the_record(browse_as: Browse, switches: Switches) -> None:
    browser = browse_as(ACME_OWNER)
    switches.fail("DynamoDB.GetItem", code="AccessDeniedException", status=400, count=1)
    assert browser.get("/records/orders/ORD-2026-0001/").status_code == 403
    (event,) = recorded()
    assert event.target == "/records/<collection>/<key>/"
    assert event.after == {"refusal": "DeniedByAws"}
    assert event.why
    assert "ORD-2026" not in json.dumps(event.content(), default=str)


def test_trying_a_foreign_key_is_recorded_with_its_owner(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    assert browser.post("/access/", {"pk": f"{GLOBEX_OWNER.org}#secret-collection"}).status_code == 302
    (event,) = recorded(Action.KEY_REFUSED)
    assert (event.actor_name, str(event.org)) == (ACME_OWNER.email, ACME_OWNER.org)
    assert event.after == {"refusal": "DeniedByAws", "asked_for": GLOBEX_OWNER.org}
    assert "secret-collection" not in json.dumps(event.content(), default=str)
    assert f"tried a key of the organisation {GLOBEX_OWNER.org}" in plain_text(entry_sentence(event))
    browser.post("/access/", {"pk": "anything at all"})
    assert recorded(Action.KEY_REFUSED)[-1].after["asked_for"] == "nobody’s"
    assert "the page" not in plain_text(entry_sentence(event))


def test_trying_an_own_key_is_not_recorded(browse_as: Browse) -> None:
    browse_as(ACME_OWNER).post("/access/", {"pk": f"{ACME_OWNER.org}#orders"})
    assert recorded(Action.KEY_REFUSED) == []


def decoys(number: int) -> str:
    return str(uuid.UUID(int=number, version=4))


@pytest.mark.parametrize(
    ("field", "text", "action"), [("pk", "{}#orders", Action.KEY_REFUSED), ("path", "/{}/profile", Action.PATH_REFUSED)]
)
def test_decoys_do_not_hide_the_organisation_that_was_asked_for(
    browse_as: Browse, field: str, text: str, action: Action
) -> None:
    browser = browse_as(ACME_VIEWER)
    for org in (*map(decoys, range(40)), *([GLOBEX_OWNER.org] * 8), *map(decoys, range(40, 45))):
        browser.post("/access/", {field: text.format(org)})
    assert [event.after["asked_for"] for event in recorded(action)] == [decoys(0), GLOBEX_OWNER.org]


def test_pages_of_an_organisation_are_recorded_with_it(browse_as: Browse) -> None:
    browser = browse_as(ACME_VIEWER)
    for org in (*map(decoys, range(5)), GLOBEX_OWNER.org, GLOBEX_OWNER.org):
        assert browser.get(f"/operators/tenants/{org}/").status_code == 403
    assert [event.after["asked_for"] for event in recorded()] == [decoys(0), GLOBEX_OWNER.org]


def test_a_person_fills_no_more_than_a_limit_and_the_rest_is_counted(
    browse_as: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenants.audit.refused.MOST_OF_ONE_RECORDED", 3)
    monkeypatch.setattr("tenants.limits.time", SimpleNamespace(time=lambda: 1_000_000_000))
    browser = browse_as(ACME_VIEWER)
    pages = ["", "tenants/", "members/", "drift/", "audit/", "tenants/new/"]
    for page in (*pages, *pages):
        assert browser.get(f"/operators/{page}").status_code == 403
    assert [event.target for event in recorded()] == ["/operators/", "/operators/tenants/", "/operators/members/"]
    (event,) = recorded(Action.REFUSED_TOO_OFTEN)
    assert event.after == {"action": "person.refused", "most": 3}
    # The asked-for organisation has a limit of its own.
    browser.get(f"/operators/tenants/{GLOBEX_OWNER.org}/")
    assert recorded()[-1].after["asked_for"] == GLOBEX_OWNER.org
    monkeypatch.setattr("tenants.limits.time", SimpleNamespace(time=lambda: 1_000_000_060))
    browser.get("/members/")
    assert recorded()[-1].after == {"refusal": "RoleTooLow", "not_recorded": 9}


def test_refused_steps_of_a_member_are_limited_as_well(monkeypatch: pytest.MonkeyPatch, portal: World) -> None:
    monkeypatch.setattr("tenants.audit.refused.MOST_OF_ONE_RECORDED", 3)
    owner, actor = Member.objects.get(person__email=ACME_OWNER.email), Actor("s", "Ada", ActorKind.MEMBER, "owner")
    for _ in range(7):
        with pytest.raises(InvalidInput):
            set_role(owner, Role.ADMIN, by=actor, why="x" * 1000)
    assert len(recorded(Action.MEMBER_REFUSED)) <= 6


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_that_another_site_led_to_is_not_the_persons_wish(browse_as: Browse, site: str) -> None:
    browser = browse_as(ACME_VIEWER)
    browser.get("/operators/", headers={"Sec-Fetch-Site": site})
    browser.get("/operators/", headers={"Sec-Fetch-Site": "none"})
    led, own = recorded()
    assert plain_text(entry_sentence(led)).endswith("Another site had led the browser there.")
    assert led.after["led_by"] == "Another site"
    assert own.after == {"refusal": "RoleTooLow"}


def test_a_repeated_refusal_is_recorded_once_a_minute_and_costs_no_sql(browse_as: Browse) -> None:
    browser = browse_as(OPERATOR)
    for key in ("a", "b", "c"):
        assert browser.get(f"/records/orders/{key}/").status_code == 403
    assert browser.get("/records/").status_code == 403
    assert browser.head("/records/").status_code == 403
    assert [event.target for event in recorded()] == ["/records/<collection>/<key>/", "/records/"]
    with CaptureQueriesContext(connection) as queries:
        browser.get("/records/")
    assert len(queries) == 0
    browse_as(ACME_VIEWER).get("/operators/")
    assert len(recorded()) == 3


def test_visitors_differ_by_address_and_cannot_fill_the_trail(
    portal: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRUSTED_PROXIES = 1
    monkeypatch.setattr("tenants.audit.refused.MOST_VISITORS_RECORDED", 5)

    def refused_from(address: str) -> None:
        Browser(portal).get("/oidc/callback/?code=a&state=b", headers={"X-Forwarded-For": address})

    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"):
        refused_from(address)
    assert [event.address for event in recorded(Action.SIGN_IN_FAILED)] == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
    for number in range(12):
        refused_from(f"198.51.100.{number}")
    # A new minute may begin meanwhile.
    assert 5 <= len(recorded(Action.SIGN_IN_FAILED)) <= 10


@contextmanager
def no_recording() -> Iterator[None]:
    """Every attempt to record fails, as with a failing database."""
    AuditHead.objects.get()
    run_sql("ALTER TABLE tenants_audithead RENAME TO elsewhere")
    try:
        yield
    finally:
        run_sql("ALTER TABLE elsewhere RENAME TO tenants_audithead")


def test_a_refusal_that_cannot_be_recorded_is_still_shown(browse_as: Browse, caplog: pytest.LogCaptureFixture) -> None:
    browser = browse_as(ACME_VIEWER)
    with no_recording():
        page = browser.get("/operators/")
    assert page.status_code == 403
    assert "Your role cannot open this page" in page.content.decode()
    assert "refusal not recorded" in caplog.text
    assert recorded() == []


def test_a_refusal_does_not_wait_long_for_other_writers(browse_as: Browse) -> None:
    browser = browse_as(ACME_VIEWER)
    held, enough = threading.Event(), threading.Event()

    def hold_the_head() -> None:
        try:
            with transaction.atomic():
                AuditHead.objects.select_for_update().get()
                held.set()
                enough.wait(timeout=120)
        finally:
            databases.close_all()

    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(hold_the_head)
        assert held.wait(timeout=60)
        began = time.monotonic()
        try:
            assert browser.get("/operators/").status_code == 403
            took = time.monotonic() - began
        finally:
            enough.set()
        holder.result()
    assert took < 5
    assert recorded() == []
    cache.clear()
    browser.get("/operators/")
    assert len(recorded()) == 1


def test_the_trail_contains_no_secret(browse_as: Browse, switches: Switches) -> None:
    browser = browse_as(ACME_OWNER)
    held = sessions().tokens_of(SignIn.objects.get().id)
    browser.get("/records/orders/ORD-2026-0001/")
    browser.post("/access/", {"pk": f"{GLOBEX_OWNER.org}#orders"})
    browser.get("/oidc/callback/?code=abcdef&state=b")
    switches.fail("DynamoDB.Query", code="AccessDeniedException", status=400, count=1)
    browser.get("/records/orders/?prefix=ORD-2026-01")
    cookie = browser.cookies["session"].value
    browser.post("/oidc/logout/")
    everything = json.dumps([event.content() for event in AuditEvent.objects.all()], default=str)
    assert Action.SIGNED_OUT in everything
    for secret in (
        held.id_token,
        held.refresh_token,
        cookie,
        "eyJ",
        "ASIA",
        "abcdef",
        "ORD-2026",
        browser.world.password,
    ):
        assert secret not in everything
    assert verify_audit()[0] == 0
