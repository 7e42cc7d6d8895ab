"""Somebody who can read and write the shared cache, or reads the table of sessions, becomes nobody else."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache, caches
from django.core.signing import dumps

from portal.cache import SERVER
from portal.demo.cast import ACME_OWNER, OPERATOR, CastMember
from portal.demo.world import World
from portal.sessions import SessionStore, at_rest
from portal.signed_entries import signed
from tenants.sign_in.standing import standing_of
from tests.sign_in.test_federation import signed_in
from tests.world.cache_stores import Store, store_of
from tests.world.fixtures import Browser

Browse = Callable[[CastMember], Browser]
INVENTED = "0123456789abcdefghijklmnopqrstuv"


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest, settings: Any, tmp_path: Path, portal: World) -> Iterator[Store]:
    with store_of(request.param, settings, tmp_path) as store:
        cache.clear()
        yield store


def place_of(browser: Browser) -> str:
    return f":1:session:{at_rest(browser.cookies['session'].value)}"


def with_cookie(portal: World, cookie: str) -> Browser:
    browser = Browser(portal)
    browser.cookies["session"] = cookie
    return browser


def test_a_written_session_of_an_operator_opens_nothing(portal: World, browse_as: Browse, store: Store) -> None:
    operator = browse_as(OPERATOR)
    assert operator.get("/operators/").status_code == 200
    data = {"session": dict(operator.session.items())}
    genuine = store.read(place_of(operator))
    assert genuine
    written = {
        "as it was": genuine,
        "without a MAC": json.dumps([9e9, data]).encode(),
        "as a pickle": pickle.dumps(data),
        "as an earlier version kept it": pickle.dumps((f"session:{INVENTED}", 9e9, data)),
        "with a MAC of the attacker's own": genuine[:69] + json.dumps([9e9, data]).encode(),
        "as the table keeps it": dumps(data["session"]).encode(),
    }
    for name, raw in written.items():
        for key in (INVENTED, at_rest(INVENTED)):
            store.write(f":1:session:{key}", raw)
        assert with_cookie(portal, INVENTED).get("/operators/").status_code == 302, name
    store.write(f":1:session:{at_rest(INVENTED)}", signed(f":1:session:{at_rest(INVENTED)}", data, until=9e9))
    assert with_cookie(portal, INVENTED).get("/operators/").status_code == 200, "the test writes to the right place"


def test_what_is_kept_of_two_people_cannot_be_swapped(browse_as: Browse, store: Store) -> None:
    owner, operator = browse_as(ACME_OWNER), browse_as(OPERATOR)
    assert (owner.get("/records/").status_code, operator.get("/operators/").status_code) == (200, 200)
    people = [signed_in(browser).standing for browser in (owner, operator)]
    places = [place_of(owner), place_of(operator)]
    places_of_standing = [f":1:standing-of:{person.person_id}" for person in people]
    for first, second in (places, places_of_standing):
        kept = store.read(first), store.read(second)
        assert None not in kept
        store.write(first, kept[1] or b"")
        store.write(second, kept[0] or b"")
    assert [standing_of(person.person_id) for person in people] == people
    assert (owner.get("/operators/").status_code, operator.get("/operators/").status_code) == (403, 200)
    assert [signed_in(browser).standing for browser in (owner, operator)] == people


def test_a_copy_that_is_put_back_after_the_sign_out_ends_at_its_own_end(
    portal: World, browse_as: Browse, store: Store
) -> None:
    operator = browse_as(OPERATOR)
    place, cookie = place_of(operator), operator.cookies["session"].value
    copy = {"session": dict(operator.session.items())}
    operator.post("/oidc/logout/")
    store.write(place, signed(place, copy, until=time.time() - 0.001))
    assert with_cookie(portal, cookie).get("/operators/").status_code == 302
    assert store.read(place) is None
    store.write(place, signed(place, copy, until=9e9))
    assert SessionStore(cookie).load() == copy["session"], "the test writes to the right place"


def test_neither_table_nor_cache_knows_a_cookie(portal: World, browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    assert browser.get("/records/orders/").status_code == 200
    cookie = browser.cookies["session"].value
    server: Any = caches[SERVER]
    if hasattr(server, "_expire_info"):
        assert f":1:session:{at_rest(cookie)}" in server._cache
        assert cookie not in repr(server._cache)
    rows = list(Session.objects.values())
    assert [row["session_key"] for row in rows] == [at_rest(cookie)]
    assert cookie not in repr(rows)
    for listed in (at_rest(cookie), at_rest(cookie).upper(), cookie.upper(), cookie[:-1]):
        assert with_cookie(portal, listed).get("/records/").status_code == 302, listed


def test_a_page_asks_the_cache_for_the_session_and_the_standing_only(
    browse_as: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = browse_as(OPERATOR)
    server, asked = caches[SERVER], []
    get = server.get

    def counted(key: str, *arguments: Any, **options: Any) -> Any:
        asked.append(key.partition(":")[0])
        return get(key, *arguments, **options)

    monkeypatch.setattr(server, "get", counted)
    assert browser.get("/operators/tenants/").status_code == 200
    assert sorted(asked) == ["session", "standing-of"]


def test_a_row_of_a_session_opens_nothing_in_another_place(portal: World, browse_as: Browse) -> None:
    operator = browse_as(OPERATOR)
    row = Session.objects.get(pk=at_rest(operator.cookies["session"].value))
    Session.objects.create(session_key=at_rest(INVENTED), session_data=row.session_data, expire_date=row.expire_date)
    assert with_cookie(portal, INVENTED).get("/operators/").status_code == 302


@pytest.mark.django_db
def test_a_session_is_found_changed_moved_and_deleted_by_its_id() -> None:
    first = SessionStore()
    first["a"] = 1
    first.save()
    session_id = str(first.session_key)
    assert SessionStore().exists(session_id)
    assert SessionStore(session_id)["a"] == 1
    cache.clear()
    found = SessionStore(session_id)
    assert found["a"] == 1
    found.cycle_key()
    assert not SessionStore().exists(session_id)
    assert SessionStore(session_id).load() == {}
    moved = str(found.session_key)
    assert (moved != session_id, SessionStore(moved)["a"], Session.objects.count()) == (True, 1, 1)
    SessionStore(moved).flush()
    assert (SessionStore(moved).load(), Session.objects.count()) == ({}, 0)


@pytest.mark.django_db
def test_a_session_outlives_a_change_of_the_secret_key(settings: Any) -> None:
    session = SessionStore()
    session["a"] = 1
    session.save()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "b" * 50, [settings.SECRET_KEY]
    assert SessionStore(session.session_key).get("a") == 1
    cache.clear()
    assert SessionStore(session.session_key).get("a") == 1
    settings.SECRET_KEY_FALLBACKS = []
    cache.clear()
    assert SessionStore(session.session_key).get("a") is None
