"""The shared cache where its server fails or an entry is damaged: nothing is found, and nothing raises."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache, caches

from portal.cache import SERVER, caches_at
from portal.signed_entries import signed
from tenants.domain import circuit
from tenants.domain.circuit import PAUSE_SECONDS, shared_cache
from tests.world.cache_servers import NOBODY_LISTENS, PATIENTLY, Redis, answering, caches_on, redis_server


@pytest.fixture(autouse=True)
def nothing_is_kept() -> None:
    cache.clear()


@pytest.fixture
def redis(settings: Any) -> Iterator[Redis]:
    with redis_server() as server:
        settings.CACHES = caches_on(server.port, PATIENTLY)
        yield server
        caches.close_all()


ANSWERS = {
    "nobody": None,
    "hangs": b"",
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "nonsense": b"$9\r\nnonsense",
    "errors": b"-ERR no\r\n",
    "impossible": b"*-7\r\n",
}


@pytest.fixture(params=ANSWERS.values(), ids=ANSWERS)
def failing(request: pytest.FixtureRequest, settings: Any) -> Iterator[None]:
    """Nobody listens; it hangs; it answers something that Redis would not."""
    if request.param is None:
        settings.CACHES = caches_on(NOBODY_LISTENS)
        yield
        return
    with answering(request.param) as port:
        settings.CACHES = caches_on(port)
        yield
        caches.close_all()


@pytest.mark.usefixtures("failing")
def test_a_server_that_fails_is_an_empty_cache(caplog: pytest.LogCaptureFixture) -> None:
    cache.set("k", "v")
    assert cache.get("k", "nothing") == "nothing"
    assert cache.add("lease", "mine")
    cache.delete("k")
    cache.delete_many(["k", "l"])
    assert shared_cache().failures
    assert [record.getMessage() for record in caplog.records].count("the shared cache failed") == 1


@pytest.mark.usefixtures("failing")
def test_a_process_counts_alone_while_the_server_fails() -> None:
    assert [cache.add("mark", 1), cache.add("mark", 1)] == [True, False]
    assert cache.add("count", 0)
    assert [cache.incr("count") for _ in range(3)] == [1, 2, 3]


def test_a_mark_of_another_process_lasts_no_longer_here() -> None:
    caches[SERVER].add("mark", 1, 60)
    assert not cache.add("mark", 1, 60)
    caches[SERVER].delete("mark")
    assert cache.add("mark", 1, 60)
    assert not cache.add("mark", 1, 60)


def test_a_server_that_hangs_costs_one_short_wait_and_not_one_each(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit, "PAUSE_SECONDS", 600.0)
    with answering(b"") as port:
        settings.CACHES = caches_on(port)
        assert [cache.get(f"k{number}") for number in range(50)] == [None] * 50
        assert shared_cache().failures == 1
        caches.close_all()


def test_it_is_asked_again_once_the_server_is_back(redis: Redis) -> None:
    cache.set("k", "v")
    redis.halt()
    assert cache.get("k") is None
    redis.go_on()
    assert cache.get("k") is None, "it has just been away"
    time.sleep(PAUSE_SECONDS)
    assert cache.get("k") == "v"


def test_a_full_server_keeps_nothing_old_and_goes_on_reading(redis: Redis) -> None:
    cache.set("changed", "old")
    cache.set("kept", "v")
    redis.fill()
    cache.set("changed", "new")
    assert cache.get("changed") is None
    assert cache.get("kept") == "v"
    assert cache.add("lease", "mine")
    cache.delete("kept")
    assert cache.get("kept") is None


@pytest.mark.usefixtures("redis")
def test_a_write_that_was_carried_out_late_is_not_believed() -> None:
    """A server that hung goes on with what it was sent, and begins to count its life then."""
    caches[SERVER].set("k", signed(":1:k", "old", until=time.time() - 0.1), 60)
    assert cache.get("k") is None
    assert caches[SERVER].get("k") is None


def whole() -> bytes:
    return signed(":1:k", "v", until=9e9)


DAMAGED: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"garbage",
    "truncated": lambda: whole()[:-4],
    "a pickle": lambda: pickle.dumps(("k", 9e9, "v")),
    "zeros": lambda: b"\x00" * 20,
    "without its beginning": lambda: whole()[3:],
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_damaged_bytes_are_a_miss_and_are_deleted(redis: Redis, damaged: Callable[[], bytes]) -> None:
    raw = damaged()
    with redis.client as client:
        client.set(":1:k", raw)
        assert cache.get("k") is None
        assert client.get(":1:k") is None
        client.set(":1:k", raw)
    assert cache.add("k", "mine")
    assert cache.get("k") == "mine"


def test_an_entry_of_another_type_is_a_miss_and_is_deleted(redis: Redis) -> None:
    with redis.client as client:
        client.rpush(":1:k", "a list")
        assert cache.get("k") is None
        client.set(":1:count", "not a number")
    assert cache.add("count", 0)
    assert cache.incr("count") == 1


NOT_ITS_OWN: list[Callable[[], bytes]] = [
    lambda: signed(":1:other", "v", until=9e9),
    lambda: signed("k", "v", until=9e9),
    lambda: whole().partition(b"[")[0],
    lambda: whole()[whole().index(b"[") :],
    lambda: b"v",
]


@pytest.mark.parametrize("entry", NOT_ITS_OWN)
def test_an_entry_that_is_not_the_keys_own_is_a_miss(entry: Callable[[], bytes]) -> None:
    caches[SERVER].set("k", entry())
    assert cache.get("k") is None
    assert caches[SERVER].get("k") is None


def test_a_damaged_file_is_a_miss_and_is_deleted(settings: Any, tmp_path: Any) -> None:
    settings.CACHES = caches_at(
        {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": str(tmp_path)}
    )
    for damage in (b"", b"garbage", whole(), b"9999999999\n" + whole()[1:], pickle.dumps(9e9) + whole()):
        cache.set("k", "v")
        (file,) = tmp_path.glob("*.djcache")
        file.write_bytes(damage)
        assert cache.get("k") is None
        assert not list(tmp_path.glob("*.djcache"))
        file.write_bytes(damage)
        assert cache.add("k", "mine")
        cache.delete("k")


def test_memory_keeps_values_counts_and_marks(settings: Any) -> None:
    settings.CACHES = caches_at({"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "kept"})
    cache.set("k", {"a": [1]}, 60)
    assert cache.get("k") == {"a": [1]}
    assert [cache.add("mark", 1), cache.add("mark", 1)] == [True, False]
    assert [cache.add("n", 0), cache.incr("n"), cache.incr("n")] == [True, 1, 2]
