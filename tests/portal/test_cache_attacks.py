"""Whoever can write to the shared cache runs nothing in the portal and makes it believe nothing."""

from __future__ import annotations

import hashlib
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from portal.cache import caches_at
from portal.signed_entries import NotOurs, signed, verified
from tenants.limits import take_count
from tests.world.cache_stores import KINDS, Store, store_of

KEYS = ["standing-of:1", "session:0123", "credentials:a:b:c", "flight:credentials:a:b:c", "renewed-early:a", "readyz:1"]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, settings: Any, tmp_path: Path, db: None) -> Iterator[Store]:
    with store_of(request.param, settings, tmp_path) as store:
        cache.clear()
        yield store


class Program:
    """Its pickle makes a file where it is read."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> Any:
        return Path.touch, (self.made,)


def test_the_attackers_program_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Program(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("key", KEYS)
def test_a_program_that_somebody_wrote_does_not_run(store: Store, tmp_path: Path, key: str) -> None:
    program = Program(tmp_path / "ran")
    plants: list[Callable[[], None]] = [
        lambda: store.write_as_django(key, program),
        lambda: store.write(f":1:{key}", pickle.dumps(program, 0)),
        lambda: store.write(f":1:{key}", pickle.dumps(program, 5)),
    ]
    asks: list[Callable[[], Any]] = [
        lambda: cache.get(key),
        lambda: cache.add(key, "value"),
        lambda: cache.add(key, 0),
        lambda: cache.incr(key),
        lambda: cache.set(key, "value"),
        lambda: cache.delete(key),
    ]
    for plant in plants:
        for ask in asks:
            cache.clear()
            plant()
            ask()
    plants[0]()
    assert cache.get(key) is None
    assert not (tmp_path / "ran").exists()


def test_nothing_of_the_portals_is_a_pickle(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("a pickle is read or written")

    for name in ("load", "loads", "dump", "dumps"):
        monkeypatch.setattr(pickle, name, fail)
    for value in (None, True, 1.5, "ü\0", [1, [2]], {"a": {"b": None}}):
        cache.set("k", value, 60)
        assert cache.get("k", "nothing") == value
    assert [cache.add("k", "v"), cache.add("lease", "v"), cache.add("lease", "w")] == [False, True, False]
    assert [cache.add("n", 0), cache.incr("n"), cache.incr("n"), cache.get("n"), cache.decr("n", 2)] == [
        True,
        1,
        2,
        2,
        0,
    ]
    assert cache.delete("lease")
    assert cache.get("lease") is None


def forgeries(mine: bytes, other: bytes) -> dict[str, bytes]:
    """Made from two entries that the portal signed."""
    begins = mine.index(b"[")
    mac, body = mine[:begins], mine[begins:]
    return {
        "another key's": other,
        "another's MAC": other[:begins] + body,
        "no MAC": body,
        "an empty MAC": b" " * begins + body,
        "a MAC in capitals": mac.upper() + body,
        "another value": mac + body.replace(b"mine", b"yours"),
        "a later end": mac + body.replace(b"[1", b"[9", 1),
        "no end": mac + b"[null" + body[body.index(b",") :],
        "something after it": mine + b" ",
        "something before it": b" " + mine,
        "twice": mine + mine,
        "only a MAC": mac,
        "a deep bomb": mac + b"[" * 200_000,
        "a deep bomb without a MAC": b'{"a":' * 200_000,
        "a long number": b"1" * 10_000,
        "a long number with a MAC": mac + b"1" * 10_000,
        "bytes that are no text": mac + b"\xff\xfe" + body,
        **{f"cut at {length}": mine[:length] for length in (0, 1, 6, begins - 1, begins, begins + 1, len(mine) - 1)},
    }


def test_an_entry_that_the_portal_did_not_sign_is_a_miss_and_is_deleted(store: Store) -> None:
    cache.set("k", ["mine"], 60)
    cache.set("other", ["other"], 60)
    mine, other = store.read(":1:k"), store.read(":1:other")
    assert mine
    assert other
    for name, forged in forgeries(mine, other).items():
        store.write(":1:k", forged)
        assert cache.get("k") is None, name
        assert store.read(":1:k") is None, name
        store.write(":1:k", forged)
        assert cache.add("k", "a lease"), name
        assert cache.get("k") == "a lease", name
    store.write(":1:k", mine)
    assert cache.get("k") == ["mine"], "what the portal signed for this key can be put back while it lives"


def test_an_entry_that_is_put_back_after_its_end_is_a_miss(store: Store) -> None:
    store.write(":1:k", signed(":1:k", "old", until=time.time() - 0.001))
    assert cache.get("k") is None
    assert store.read(":1:k") is None


def test_every_changed_bit_is_noticed() -> None:
    entry = signed(":1:k", {"role": "viewer"}, until=9e9)
    for position in range(len(entry)):
        changed = bytearray(entry)
        changed[position] ^= 1
        with pytest.raises(NotOurs):
            verified(":1:k", bytes(changed), now=0)


@pytest.mark.parametrize(("key", "body_key"), [(":1:k", ":1:k["), (":1:ab", ":1:a"), (":2:k", ":1:k"), ("k", ":1:k")])
def test_an_entry_is_bound_to_its_whole_key(key: str, body_key: str) -> None:
    with pytest.raises(NotOurs):
        verified(key, signed(body_key, "v", until=None), now=0)


def test_no_letter_goes_from_the_value_to_the_key() -> None:
    entry = signed(":1:k", "v", until=None)
    begins = entry.index(b"[")
    for letters in range(1, len(entry) - begins):
        moved = entry[begins : begins + letters].decode()
        with pytest.raises(NotOurs):
            verified(f":1:k{moved}", entry[:begins] + entry[begins + letters :], now=0)


def test_an_earlier_secret_key_still_reads_and_a_removed_one_does_not(store: Store, settings: Any) -> None:
    cache.set("k", "v", 60)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "b" * 50, [settings.SECRET_KEY]
    assert cache.get("k") == "v"
    cache.set("new", "v", 60)
    settings.SECRET_KEY_FALLBACKS = []
    assert (cache.get("k"), cache.get("new")) == (None, "v")


def test_without_the_secret_key_a_process_only_counts_and_deletes(store: Store) -> None:
    cache.set("k", "v", 60)
    cache.set("l", "v", 60)
    with override_settings(SECRET_KEY=""):
        assert cache.get("k", "nothing") == "nothing"
        cache.set("k", "changed")
        assert cache.add("k", "changed")
        assert cache.add("another", "v")
        assert [cache.add("n", 0), cache.incr("n"), cache.get("n")] == [True, 1, 1]
        cache.delete_many(["l"])
    assert [cache.get("k"), cache.get("l"), cache.get("another")] == ["v", None, None]


@pytest.mark.parametrize(
    "value", [b"bytes", {1, 2}, object(), {"at": time.gmtime}], ids=lambda value: type(value).__name__
)
def test_what_json_does_not_have_is_refused_when_it_is_written(store: Store, value: Any) -> None:
    with pytest.raises(TypeError):
        cache.set("k", value)


@pytest.mark.parametrize("forged", [b"999999999999999999", b"0", b"-5", b"1" * 10_000, pickle.dumps(7), b"0x10", b""])
def test_a_false_count_allows_no_more_than_a_lost_one(store: Store, forged: bytes) -> None:
    assert [cache.add("mark", 1), cache.add("n", 0), cache.incr("n"), cache.incr("n")] == [True, True, 1, 2]
    taken = f"taken:{hashlib.sha256(b'what').hexdigest()}"
    for key in ("mark", "n", taken):
        store.write(f":1:{key}", forged)
    assert not cache.add("mark", 1), "this process has marked it too"
    assert cache.incr("n") >= 3, "this process has counted too"
    assert type(take_count("what")) is int


def test_a_server_that_keeps_what_it_gets_in_an_unknown_way_is_refused() -> None:
    for backend in (
        "django.core.cache.backends.memcached.PyMemcacheCache",
        "django.core.cache.backends.db.DatabaseCache",
        "x.Y",
    ):
        with pytest.raises(ImproperlyConfigured, match="cannot be the shared cache"):
            caches_at({"BACKEND": backend, "LOCATION": "x"})
