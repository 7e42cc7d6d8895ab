"""What can be the shared cache. Each keeps whole numbers, which it can count, and bytes, and unpickles nothing.

Django's own pickle what they keep. So a person who writes to the cache runs programs in every process that reads it.
What the bytes mean, and who wrote them, `portal.signed_entries` tells.
"""

from __future__ import annotations

import re
import time
from math import ceil
from pathlib import Path
from typing import IO, Any

from django.core.cache.backends import filebased, locmem, redis
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.exceptions import ImproperlyConfigured

# Within 64 bits, so that a server can count on.
_WHOLE_NUMBER = re.compile(rb"-?[0-9]{1,18}")
_END = re.compile(rb"[0-9]{1,12}")
_MOST_BYTES = 1_000_000
_NO_END = 10**11


def server_setting(server: dict[str, Any]) -> dict[str, Any]:
    """Django's setting of a cache, with the class here in place of Django's."""
    name = server["BACKEND"].rpartition(".")[2]
    if name not in {kind.__name__ for kind in (DummyCache, FileBasedCache, LocMemCache, RedisCache)}:
        raise ImproperlyConfigured(f"{name} cannot be the shared cache: nobody knows how it keeps what it is given.")
    return {**server, "BACKEND": f"{__name__}.{name}"}


class _Plain:
    """Django's name for it is a serializer."""

    def dumps(self, value: int | bytes) -> int | bytes:
        if type(value) not in {int, bytes}:
            raise TypeError(f"the cache keeps whole numbers and bytes, not {type(value).__name__}")
        return value

    def loads(self, kept: bytes) -> int | bytes:
        return int(kept) if _WHOLE_NUMBER.fullmatch(kept) else kept


_plain = _Plain()


def _as_bytes(value: int | bytes) -> bytes:
    plain = _plain.dumps(value)
    return plain if isinstance(plain, bytes) else b"%d" % plain


class RedisCache(redis.RedisCache):
    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, {**params, "OPTIONS": {**params.get("OPTIONS", {}), "serializer": _Plain}})


class LocMemCache(locmem.LocMemCache):
    """In the memory of this process, which nobody else writes to. Keeps the values themselves."""

    # Django's, which its stubs leave out, like those of the next two classes.
    _lock: Any
    _cache: Any
    _set: Any
    _delete: Any
    _has_expired: Any

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        key = self.make_and_validate_key(key, version=version)
        with self._lock:
            if not self._has_expired(key):
                return False
            self._set(key, _plain.dumps(value), timeout)
            return True

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        key = self.make_and_validate_key(key, version=version)
        with self._lock:
            if self._has_expired(key):
                self._delete(key)
                return default
            self._cache.move_to_end(key, last=False)
            return self._cache[key]

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        key = self.make_and_validate_key(key, version=version)
        with self._lock:
            self._set(key, _plain.dumps(value), timeout)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        key = self.make_and_validate_key(key, version=version)
        with self._lock:
            if self._has_expired(key):
                self._delete(key)
                raise ValueError("there is no such count")
            self._cache[key] += delta
            self._cache.move_to_end(key, last=False)
            return int(self._cache[key])


class FileBasedCache(filebased.FileBasedCache):
    """A file has a line with the second at which it ends, and then the number or the bytes."""

    _delete: Any
    _key_to_file: Any
    touch = BaseCache.touch

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        try:
            with Path(self._key_to_file(key, version)).open("rb") as file:
                return default if self._is_expired(file) else _plain.loads(file.read(_MOST_BYTES))
        except FileNotFoundError:
            return default

    def _write_content(self, file: IO[bytes], timeout: Any, value: Any) -> None:
        until = self.get_backend_timeout(timeout)
        file.write(b"%d\n" % (_NO_END if until is None else ceil(until)) + _as_bytes(value))

    def _is_expired(self, file: IO[bytes]) -> bool:
        """Deletes it then, and where it does not begin as it should."""
        line = file.readline(20).removesuffix(b"\n")
        if _END.fullmatch(line) and int(line) >= time.time():
            return False
        file.close()
        self._delete(file.name)
        return True
