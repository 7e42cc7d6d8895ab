"""Every kind of server that can be the shared cache, and a hand on what it keeps, as somebody has who broke into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from django.core.cache import caches

from portal.cache import SERVER, caches_at
from tests.world.cache_servers import redis_server

KINDS = ("redis", "files", "memory")
_BACKENDS = "django.core.cache.backends"


@dataclass(frozen=True, slots=True)
class Store:
    """`write` and `read` are without the portal's code. Keys are those of the server, such as `:1:k`."""

    setting: dict[str, Any]
    write: Callable[[str, bytes], None]
    read: Callable[[str], bytes | None]

    def write_as_django(self, key: str, value: object) -> None:
        """As Django's own backend keeps it: as a pickle."""
        django = {"BACKEND": self.setting["BACKEND"], "LOCATION": self.setting["LOCATION"]}
        type(caches)({"django": django})["django"].set(key, value, 3_600)


@contextmanager
def store_of(kind: str, settings: Any, scratch: Path) -> Iterator[Store]:
    """Skips the test where there is no such server."""
    with _STORES[kind](scratch) as store:
        settings.CACHES = caches_at(store.setting)
        yield store
        caches.close_all()


@contextmanager
def _redis(_scratch: Path) -> Iterator[Store]:
    with redis_server() as server, server.client as client:
        yield _redis_at(f"redis://127.0.0.1:{server.port}/0", client)


def _redis_at(address: str, client: redis.Redis) -> Store:
    setting = {"BACKEND": f"{_BACKENDS}.redis.RedisCache", "LOCATION": address}
    return Store(setting, lambda key, raw: client.set(key, raw) and None, client.get)


@contextmanager
def _files(scratch: Path) -> Iterator[Store]:
    def file(key: str) -> Path:
        server: Any = caches[SERVER]
        return Path(server._key_to_file(key.removeprefix(":1:")))

    def write(key: str, raw: bytes) -> None:
        file(key).parent.mkdir(exist_ok=True)
        file(key).write_bytes(b"9999999999\n" + raw)

    def read(key: str) -> bytes | None:
        return file(key).read_bytes().partition(b"\n")[2] if file(key).exists() else None

    folder = str(scratch / "cache")
    yield Store({"BACKEND": f"{_BACKENDS}.filebased.FileBasedCache", "LOCATION": folder}, write, read)


@contextmanager
def _memory(_scratch: Path) -> Iterator[Store]:
    def kept() -> dict[str, Any]:
        server: Any = caches[SERVER]
        return server._cache  # type: ignore[no-any-return]

    def write(key: str, raw: bytes) -> None:
        server: Any = caches[SERVER]
        server._cache[key], server._expire_info[key] = raw, 9e9

    setting = {"BACKEND": f"{_BACKENDS}.locmem.LocMemCache", "LOCATION": "attacked"}
    yield Store(setting, write, lambda key: kept().get(key))


_STORES = {"redis": _redis, "files": _files, "memory": _memory}
