"""The emergency brake while the shared cache is away, and copies that were not deleted or are damaged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache, caches
from django.core.management import call_command

from portal.cache import SERVER
from portal.demo.cast import ACME_OWNER, ACME_VIEWER, OPERATOR, CastMember
from portal.demo.world import World
from portal.sessions import at_rest
from tenants.domain.circuit import shared_cache
from tenants.domain.errors import SessionEnded
from tenants.domain.roles import Role
from tenants.lifecycle.transitions import reactivate
from tenants.members.roster import enable, set_role
from tenants.models import Member
from tenants.sign_in.break_glass import make_link
from tenants.sign_in.standing import KEPT_SECONDS, standing_of
from tenants.sign_in.wiring import federation
from tests.sign_in.test_federation import EXCHANGES, in_new_process, signed_in
from tests.world.cache_servers import NOBODY_LISTENS, PATIENTLY, Redis, answering, caches_on, redis_server
from tests.world.faults import Switches
from tests.world.fixtures import Browser
from tests.world.stage import SOMEBODY, member_called
from tests.world.use_cases import acme

Browse = Callable[[CastMember], Browser]
GARBAGE: list[Any] = ["garbage", 42, {"person_id": "x"}, {"a": 1}, [1], ["credentials"], True]


def away(settings: Any) -> None:
    settings.CACHES = caches_on(NOBODY_LISTENS)


@pytest.fixture
def redis(settings: Any) -> Iterator[Redis]:
    with redis_server() as server:
        settings.CACHES = caches_on(server.port, PATIENTLY)
        yield server
        caches.close_all()


def disable_at_the_terminal(email: str) -> None:
    call_command("member", "disable", email, "--reason", "left")


def test_suspending_and_disabling_take_effect_without_the_cache(browse_as: Browse, settings: Any) -> None:
    owner, viewer = browse_as(ACME_OWNER), browse_as(ACME_VIEWER)
    away(settings)
    assert (owner.get("/records/").status_code, viewer.get("/records/").status_code) == (200, 200)
    disable_at_the_terminal(ACME_VIEWER.email)
    assert (owner.get("/records/").status_code, viewer.get("/records/").status_code) == (200, 403)
    call_command("tenant", "suspend", "acme", "--reason", "not paid")
    assert owner.get("/records/").status_code == 403


def test_operators_and_break_glass_get_in_without_the_cache(portal: World, settings: Any) -> None:
    away(settings)
    operator, with_link = Browser(portal), Browser(portal)
    assert operator.sign_in(OPERATOR, following="/operators/").status_code == 200
    assert operator.get("/operators/tenants/").status_code == 200
    key = make_link(by=SOMEBODY, why="Cognito is down").key
    opened = with_link.post("/operators/break-glass/", {"key": key}, follow=True)
    assert (opened.status_code, with_link.get("/operators/tenants/").status_code) == (200, 200)
    assert "Break-glass" in with_link.get("/operators/").content.decode()


def test_a_hanging_cache_costs_a_page_little(browse_as: Browse, settings: Any) -> None:
    operator = browse_as(OPERATOR)
    with answering(b"") as port:
        settings.CACHES = caches_on(port)
        began = time.monotonic()
        assert operator.get("/operators/tenants/").status_code == 200
        # Without a limit it would never end.
        assert time.monotonic() - began < 20
        caches.close_all()


def test_a_full_cache_keeps_nobody_in(browse_as: Browse, redis: Redis) -> None:
    owner = browse_as(ACME_OWNER)
    assert owner.get("/records/").status_code == 200
    redis.fill()
    call_command("tenant", "suspend", "acme", "--reason", "not paid")
    assert owner.get("/records/").status_code == 403


def test_a_halted_cache_that_goes_on_keeps_nobody_in_for_long(browse_as: Browse, redis: Redis) -> None:
    owner = browse_as(ACME_OWNER)
    assert owner.get("/records/").status_code == 200
    redis.halt()
    call_command("tenant", "suspend", "acme", "--reason", "not paid")
    assert owner.get("/records/").status_code == 403
    redis.go_on()
    time.sleep(KEPT_SECONDS)
    assert owner.get("/records/").status_code == 403


def test_a_sign_out_without_the_cache_is_not_undone_by_an_old_copy(
    browse_as: Browse, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.sessions.COPIED_SECONDS", 1)
    browser, there = browse_as(OPERATOR), settings.CACHES
    assert browser.get("/operators/").status_code == 200
    cookie = browser.cookies["session"].value
    away(settings)
    browser.post("/oidc/logout/")
    settings.CACHES = there
    browser.cookies["session"] = cookie
    time.sleep(1.1)
    assert browser.get("/operators/").status_code == 302


@pytest.mark.parametrize("garbage", GARBAGE, ids=repr)
def test_damaged_copies_are_replaced(browse_as: Browse, garbage: Any) -> None:
    browser = browse_as(ACME_OWNER)
    assert browser.get("/records/orders/").status_code == 200
    who = signed_in(browser)
    names = {
        f"standing-of:{who.standing.person_id}",
        f"session:{at_rest(browser.cookies['session'].value)}",
        f"credentials:{who.sign_in_id}:{who.claims.org}:{who.claims.role}",
        f"flight:credentials:{who.sign_in_id}:{who.claims.org}:{who.claims.role}",
    }
    for write, written in ((cache.set, garbage), (caches[SERVER].set, json.dumps(garbage).encode())):
        for name in names:
            write(name, written)
        assert browser.get("/records/orders/").status_code == 200
        assert in_new_process(federation()).credentials_for(who)
        assert standing_of(who.standing.person_id) == who.standing
        assert [name for name in names if cache.get(name) == garbage and "flight" not in name] == []


def test_a_copy_of_another_person_is_not_believed(browse_as: Browse) -> None:
    owner, viewer = (signed_in(browse_as(member)).standing for member in (ACME_OWNER, ACME_VIEWER))
    cache.set(f"standing-of:{viewer.person_id}", cache.get(f"standing-of:{owner.person_id}"))
    assert standing_of(viewer.person_id) == viewer


@pytest.mark.parametrize("change", ["suspended", "disabled", "role"])
def test_credentials_from_before_a_change_are_not_used_again(
    browse_as: Browse, switches: Switches, settings: Any, change: str
) -> None:
    browser, there = browse_as(ACME_VIEWER), settings.CACHES
    assert browser.get("/records/orders/").status_code == 200
    here, viewer = federation(), member_called(ACME_VIEWER.email)
    old = here.credentials_for(signed_in(browser))
    away(settings)
    if change == "suspended":
        call_command("tenant", "suspend", "acme", "--reason", "not paid")
        reactivate(acme(), by=SOMEBODY)
    elif change == "disabled":
        disable_at_the_terminal(ACME_VIEWER.email)
        enable(Member.objects.get(pk=viewer.pk), by=SOMEBODY)
    else:
        set_role(viewer, Role.EDITOR, by=SOMEBODY)
        set_role(Member.objects.get(pk=viewer.pk), Role.VIEWER, by=SOMEBODY)
    settings.CACHES = there
    shared_cache.forget()
    cache.delete(f"standing-of:{viewer.person_id}")
    switches.forget()
    for process in (here, in_new_process(here)):
        with pytest.raises(SessionEnded):
            process.credentials_for(signed_in(browser))
    assert switches.calls().get(EXCHANGES[1], 0) == 0
    browser.sign_in(ACME_VIEWER, following="/records/orders/")
    assert here.credentials_for(signed_in(browser)) != old
    assert in_new_process(here).credentials_for(signed_in(browser)) != old
    assert switches.calls()[EXCHANGES[1]] == 1
