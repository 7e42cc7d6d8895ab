"""The shared cache, as everything in the portal uses it. It holds copies, counts and marks that may be lost any time.

Where the server fails, reading finds nothing, and writing and deleting do nothing but a line in the log. An entry that
cannot be read is deleted. A delete may fail too, so what the cache holds must not matter for longer than it lives.

Whoever can write to the server is not trusted: values are signed. Counts and marks are not, because the server counts
them, so a count must never open anything: a false one may refuse something, or hide it from a list, and no more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from django.core.cache import caches
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import InvalidResponse
from redis.exceptions import TimeoutError as TookTooLong

from portal.cache_servers import server_setting
from portal.signed_entries import NoKey, NotOurs, signed, verified
from tenants.domain.circuit import shared_cache

SERVER, OWN = "server", "own"
# Other errors are about one entry, or about writing alone, as where the server is full.
_AWAY = (NoConnection, TookTooLong, InvalidResponse, OSError)
_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


def caches_at(server: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The setting CACHES for this server."""
    own = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "counts"}
    default = {"BACKEND": f"{__name__}.TolerantCache"}
    return {"default": default, SERVER: server_setting(server), OWN: server_setting(own)}


class TolerantCache(BaseCache):
    """Never raises because of the server or an entry.

    A value is what JSON has, and comes back as JSON has it: a tuple as a list. It is signed together with its key and
    the end of its life: a server that hung may carry out a write long after it was sent. Whole numbers are marks and
    counts. They are kept as they are, because the server counts them, and in this process too, for while the server is
    away. A process without SECRET_KEY finds no values and keeps none; it counts and deletes like the others.
    """

    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        kept = self._ask(lambda server: server.get(key, version=version), None, about=[key], version=version)
        if kept is None or type(kept) is int:
            return default if kept is None else kept
        with suppress(NoKey):
            try:
                return verified(self.make_key(key, version), kept, now=time.time())
            except NotOurs:
                self.delete(key, version)
        return default

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        with suppress(NoKey):
            entry = self._entry(key, value, timeout, version)
            self._ask(lambda server: server.set(key, entry, timeout, version), None, about=[key], version=version)

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """True also where nothing can be kept: then nobody is known to have added it before."""
        try:
            entry = self._entry(key, value, timeout, version)
        except NoKey:
            return True
        if type(value) is int and not caches[OWN].add(key, value, timeout, version):
            return False

        def add(server: BaseCache) -> bool:
            return bool(server.add(key, entry, timeout, version))

        for _ in range(2):
            if self._ask(add, True, about=[key], version=version):
                return True
            # Deletes an entry that is not the portal's, or that should have ended.
            if self.get(key, version=version) is not None:
                self._forget_own_mark(key, value, version)
                return False
        return True

    def _forget_own_mark(self, key: str, value: Any, version: int | None) -> None:
        """The server's mark ends sooner than one that begins here now. A count begins with 0, and goes on."""
        if type(value) is int and value:
            caches[OWN].delete(key, version)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Where there is no count, counting begins with `delta`."""

        def count(counter: BaseCache) -> int:
            try:
                return counter.incr(key, delta, version)
            except ValueError:
                return delta

        return max(count(caches[OWN]), self._ask(count, delta, about=[key], version=version))

    def delete(self, key: str, version: int | None = None) -> bool:
        caches[OWN].delete(key, version)
        return self._ask(lambda server: bool(server.delete(key, version)), False)

    def delete_many(self, keys: Iterable[str], version: int | None = None) -> None:
        self._ask(lambda server: server.delete_many(keys, version), None)

    def clear(self) -> None:
        caches[OWN].clear()
        self._ask(lambda server: server.clear(), None)

    def _entry(self, key: str, value: Any, timeout: Any, version: int | None) -> int | bytes:
        if type(value) is int:
            return value
        return signed(self.make_key(key, version), value, until=self.get_backend_timeout(timeout))

    def _ask(
        self,
        call: Callable[[BaseCache], _Answer],
        otherwise: _Answer,
        *,
        about: Iterable[str] = (),
        version: int | None = None,
    ) -> _Answer:
        """Deletes the keys that it is `about` where the server is there and fails: they may hold something old."""
        circuit = shared_cache()
        if circuit.is_open:
            return otherwise
        try:
            return call(caches[SERVER])
        except Exception as error:  # noqa: BLE001 - an answer that Redis would not give may raise anything
            away = isinstance(error, _AWAY)
            if circuit.note_failure(away=away):
                why = f"{type(error).__name__}: {error}"[:200]
                _log.warning("the shared cache failed", extra={"why": why, "failures": circuit.failures})
            if not away:
                with suppress(Exception):
                    caches[SERVER].delete_many(about, version)
        return otherwise
