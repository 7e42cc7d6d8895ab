"""Break-glass access: a link from the terminal opens the operators' pages, once, for a while, and nothing else."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connections as databases
from django.utils import timezone

from portal.demo.cast import ACME_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from portal.sessions import SessionStore
from tenants.audit.actions import Action
from tenants.domain.errors import InvalidInput
from tenants.models import AuditEvent, BreakGlassLink, SignIn, Tenant
from tenants.sign_in.break_glass import MOST_TRIES_A_MINUTE, BreakGlass, Refused, make_link, use_link
from tests.world.fixtures import Browser
from tests.world.log_lines import kept_lines
from tests.world.trail import SOMEBODY

Browse = Callable[[CastMember], Browser]
PAGE = "/operators/break-glass/"
WHY = "Cognito is down in eu-west-1"


@pytest.fixture(autouse=True)
def nobody_tried_before() -> None:
    cache.clear()


@pytest.fixture
def key(db: None) -> str:
    return make_link(by=SOMEBODY, why=WHY).key


def through_the_glass(portal: World, key: str) -> Browser:
    browser = Browser(portal)
    answer = browser.post(PAGE, {"key": key})
    assert (answer.status_code, answer["Location"]) == (302, "/operators/")
    return browser


def actions() -> list[str]:
    return list(
        AuditEvent.objects.filter(action__startswith="break-glass").order_by("seq").values_list("action", flat=True)
    )


def test_the_command_prints_a_link_and_records_who_made_it_and_why(db: None, settings: Any) -> None:
    out = io.StringIO()
    call_command("break_glass", "--reason", WHY, stdout=out)
    link = re.search(r"http://localhost:8000/operators/break-glass/#([\w-]{43})\n", out.getvalue())
    assert link
    (row,) = BreakGlassLink.objects.all()
    assert row.expires_at - row.made_at == timedelta(minutes=10)
    event = AuditEvent.objects.latest("seq")
    assert (event.action, event.actor, event.why) == (Action.BREAK_GLASS_MADE, "command", WHY)
    assert link[1] not in json.dumps([event.content(), vars(row)], default=str)


def test_the_command_can_print_json(db: None) -> None:
    out = io.StringIO()
    call_command("break_glass", "--reason", WHY, "--json", stdout=out)
    printed = json.loads(out.getvalue())
    assert set(printed) == {"link", "expires_at"}
    assert isinstance(use_link(printed["link"]), BreakGlass)


@pytest.mark.parametrize("reason", ["", "   ", "\u202e", "x" * 501])
def test_a_link_needs_a_reason_that_can_be_read(db: None, reason: str) -> None:
    with pytest.raises(InvalidInput):
        make_link(by=SOMEBODY, why=reason)
    assert not BreakGlassLink.objects.exists()


def test_without_a_terminal_the_reason_has_to_be_an_option(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("typed by nobody"))
    with pytest.raises(CommandError, match="--reason"):
        call_command("break_glass")
    assert not BreakGlassLink.objects.exists()


def test_opening_the_page_does_not_use_the_link(portal: World, key: str) -> None:
    for _ in range(3):
        page = Browser(portal).get(PAGE)
        assert page.status_code == 200
        assert page["Cache-Control"] == "no-store"
    assert BreakGlassLink.objects.get().used_at is None
    through_the_glass(portal, key)


def test_operators_pages_open_and_say_that_this_is_break_glass_access(portal: World, key: str) -> None:
    browser = through_the_glass(portal, key)
    acme = Tenant.objects.get(slug="acme")
    for address in ("/operators/", "/operators/tenants/", f"/operators/tenants/{acme.org_id}/", "/operators/audit/"):
        page = browser.get(address)
        text = page.content.decode()
        assert page.status_code == 200
        assert "Break-glass access" in text
        assert WHY in text
        assert SOMEBODY.name in text
        assert "/records/" not in text
        assert "/access/" not in text


@pytest.mark.parametrize("address", ["/records/", "/records/orders/", "/public/", "/public/news/", "/access/"])
def test_pages_that_need_aws_credentials_stay_closed(portal: World, key: str, address: str) -> None:
    refused = through_the_glass(portal, key).get(address)
    assert refused.status_code == 403
    assert "Break-glass access does not open this page" in refused.content.decode()


def test_home_leads_to_the_operators_overview(portal: World, key: str) -> None:
    browser = through_the_glass(portal, key)
    assert browser.get("/")["Location"] == "/operators/"
    assert browser.get("/livez").status_code == 200


def test_the_audit_trail_names_the_link_as_the_actor(portal: World, key: str) -> None:
    browser = through_the_glass(portal, key)
    acme = Tenant.objects.get(slug="acme")
    done = browser.post(f"/operators/tenants/{acme.org_id}/suspend/", {"reason": "an attack", "confirm": "acme"})
    assert done.status_code == 302
    assert Tenant.objects.get(slug="acme").state == "suspended"
    event = AuditEvent.objects.get(action=Action.TENANT_SUSPENDED)
    link = BreakGlassLink.objects.get()
    assert (event.actor, event.actor_name) == (f"break-glass {link.pk}", f"break-glass link of {SOMEBODY.name}")
    used = AuditEvent.objects.get(action=Action.BREAK_GLASS_USED)
    assert (used.actor, used.why, used.after["made_by"]) == (event.actor, WHY, SOMEBODY.name)


def test_a_link_works_once(portal: World, key: str) -> None:
    through_the_glass(portal, key)
    again = Browser(portal)
    assert again.post(PAGE, {"key": key}).status_code == 403
    assert again.get("/operators/").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_of_many_uses_of_a_link_at_once_one_succeeds() -> None:
    key, together = make_link(by=SOMEBODY, why=WHY).key, threading.Barrier(6)

    def use(_: int) -> object:
        try:
            together.wait(timeout=60)
            return use_link(key)
        finally:
            databases.close_all()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(use, range(6)))
    assert sum(isinstance(answer, BreakGlass) for answer in answers) == 1
    assert answers.count(Refused.NOT_GOOD) == 5
    assert actions().count(Action.BREAK_GLASS_USED) == 1


def used(key: str) -> None:
    use_link(key)


def expired(key: str) -> None:
    BreakGlassLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def made_up(key: str) -> None:
    BreakGlassLink.objects.update(key_hash="0" * 64)


@pytest.mark.django_db(transaction=True)
def test_only_the_audit_trail_says_why_a_link_was_refused(portal: World) -> None:
    pages, known = set(), []
    for spoil in (used, expired, made_up):
        BreakGlassLink.objects.all().delete()
        key = make_link(by=SOMEBODY, why=WHY).key
        spoil(key)
        refused = Browser(portal).post(PAGE, {"key": key})
        assert refused.status_code == 403
        pages.add(re.sub(r'value="\w{64}"', "", refused.content.decode()))
        event = AuditEvent.objects.latest("seq")
        assert (event.action, event.actor, event.address) == (Action.BREAK_GLASS_REFUSED, "visitor", "127.0.0.1")
        known.append(event.after["refusal"])
    assert len(pages) == 1
    assert known == ["used before", "expired", "no such link"]


@pytest.mark.parametrize("typed", ["", " ", "#", "\x00", "é" * 3000, "\ud800"])
def test_text_that_is_not_a_key_is_refused(portal: World, typed: str) -> None:
    assert use_link(typed) is Refused.NOT_GOOD


def test_the_whole_link_can_be_typed_as_well(key: str) -> None:
    assert isinstance(use_link(f" http://localhost:8000{PAGE}#{key}\n"), BreakGlass)


@pytest.mark.usefixtures("one_minute")
def test_a_good_key_opens_after_any_number_of_bad_ones(portal: World, key: str) -> None:
    browser = Browser(portal)
    answers = [browser.post(PAGE, {"key": f"wrong{number}"}) for number in range(2 * MOST_TRIES_A_MINUTE)]
    codes, refused = [answer.status_code for answer in answers], answers[-1]
    assert codes == [403] * MOST_TRIES_A_MINUTE + [429] * MOST_TRIES_A_MINUTE
    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    through_the_glass(portal, key)
    assert Browser(portal).post(PAGE, {"key": key}).status_code == 429


def test_access_ends_after_half_an_hour_and_with_the_links_row(portal: World, key: str) -> None:
    browser = through_the_glass(portal, key)
    BreakGlassLink.objects.update(used_at=timezone.now() - timedelta(minutes=29))
    assert browser.get("/operators/").status_code == 200
    BreakGlassLink.objects.update(used_at=timezone.now() - timedelta(minutes=31))
    assert browser.get("/operators/").status_code == 302
    BreakGlassLink.objects.update(used_at=timezone.now())
    assert browser.get("/operators/").status_code == 200
    BreakGlassLink.objects.all().delete()
    assert browser.get("/operators/").status_code == 302


@pytest.mark.parametrize("stored", ["1", None, [], {"link": 1}, True, 10**30, -1])
def test_a_session_that_the_page_did_not_write_opens_nothing(portal: World, key: str, stored: object) -> None:
    browser = through_the_glass(portal, key)
    session = browser.session
    session["break_glass"] = stored
    session.save()
    assert browser.get("/operators/").status_code == 302


def test_a_link_works_while_cognito_is_away(portal: World, key: str, settings: Any, new_process: None) -> None:
    settings.OIDC_OP_JWKS_ENDPOINT = "http://127.0.0.1:1/keys"
    browser = through_the_glass(portal, key)
    assert browser.get("/operators/tenants/").status_code == 200
    out = browser.post("/oidc/logout/")
    assert (out.status_code, out["Location"]) == (302, "/")


def test_signing_out_ends_access_and_is_recorded(portal: World, key: str) -> None:
    browser = through_the_glass(portal, key)
    browser.post("/oidc/logout/")
    assert browser.get("/operators/").status_code == 302
    assert AuditEvent.objects.get(action=Action.SIGNED_OUT).actor.startswith("break-glass ")


def test_a_link_signs_out_the_person_who_used_the_browser(browse_as: Browse, key: str) -> None:
    browser = browse_as(ACME_OWNER)
    before = browser.cookies["session"].value
    assert browser.post(PAGE, {"key": key}).status_code == 302
    assert browser.get("/records/").status_code == 403
    assert not SignIn.objects.exists()
    assert browser.cookies["session"].value != before
    assert not SessionStore().exists(before)


def test_signing_in_replaces_break_glass_access(portal: World, key: str) -> None:
    browser = through_the_glass(portal, key)
    page = browser.sign_in(OPERATOR, following="/operators/")
    assert page.status_code == 200
    assert OPERATOR.name in page.content.decode()
    assert "Break-glass access" not in page.content.decode()
    assert browser.get("/public/").status_code == 200
    assert browser.session.get_expiry_age() > 11 * 60 * 60


def test_the_form_needs_a_csrf_token(portal: World, key: str) -> None:
    strict = Browser(portal)
    strict.handler.enforce_csrf_checks = True
    assert strict.post(PAGE, {"key": key}).status_code == 403
    assert BreakGlassLink.objects.get().used_at is None
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', strict.get(PAGE).content.decode())
    assert token
    sent = {"key": key, "csrfmiddlewaretoken": token[1]}
    assert strict.post(PAGE, sent, headers={"origin": "http://localhost:8000"}).status_code == 302


def test_the_key_is_on_the_terminal_and_nowhere_else(portal: World, key: str) -> None:
    with kept_lines(logging.DEBUG) as lines:
        browser = Browser(portal)
        browser.post(PAGE, {"key": f"{key}x"})
        assert key not in browser.post(PAGE, {"key": f"{key}x"}).content.decode()
        opened = through_the_glass(portal, key)
        assert key not in opened.get("/operators/audit/").content.decode()
        opened.post(PAGE, {"key": key})
    kept = [event.content() for event in AuditEvent.objects.all()], list(BreakGlassLink.objects.values())
    sessions = [dict(tab.session.items()) for tab in (browser, opened)]
    assert any("break_glass" in session for session in sessions)
    assert any(PAGE in line for line in lines)
    assert key not in "\n".join(lines) + json.dumps([kept, sessions], default=str)
    another = make_link(by=SOMEBODY, why=WHY)
    assert another.key not in repr(another)
