"""The public keys that a user pool signs its tokens with: fetched, checked, and kept in this process.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tenants.aws.bounded_http import NoAnswer, call
from tenants.domain.errors import Unreachable
from tenants.domain.strict_json import NotStrict, read_json_object

# An unknown kid means a rotated key or a forged token. Forged tokens must not cause a flood of fetches.
REFETCH_SECONDS = 30
# After a failed fetch, those who waited for it do not try one after the other.
FAILED_SECONDS = 2
# Of the process's 16 threads. Others are told to come back, so that forged tokens cannot hold all of them.
MOST_WAITING = 4
MOST_KID = 256
_SERVICE = "Sign-in (Cognito)"
_BITS = range(2048, 8192 + 1)
_EXPONENTS = range(3, 2**32, 2)

Keys = Mapping[str, jwt.PyJWK]


def fetch_keys(url: str) -> Keys:
    """The pool's usable signing keys by key id. Raises Unreachable."""
    try:
        answer = call(requests.Request("GET", url).prepare())
        keys = usable_keys(read_json_object(answer.body))
    except (NoAnswer, NotStrict) as error:
        raise Unreachable(_SERVICE, f"signing keys: {error}") from error
    if answer.status != requests.codes.ok:
        raise Unreachable(_SERVICE, f"signing keys: it answered {answer.status}")
    return keys


def usable_keys(key_set: Mapping[str, Any]) -> Keys:
    """By key id. Left out: keys of another kind or use, weak ones, and ids that two keys have. Raises NotStrict."""
    listed = key_set.get("keys")
    if not isinstance(listed, list):
        raise NotStrict("it is not a set of keys")
    named = [entry for entry in listed if isinstance(entry, dict) and _is_kid(entry.get("kid"))]
    times = Counter(entry["kid"] for entry in named)
    read = {entry["kid"]: _read(entry) for entry in named if times[entry["kid"]] == 1}
    return {kid: key for kid, key in read.items() if key}


def _is_kid(kid: object) -> bool:
    return isinstance(kid, str) and 0 < len(kid) <= MOST_KID


def _read(entry: Mapping[str, Any]) -> jwt.PyJWK | None:
    """None unless it is an RSA key for checking signatures by RS256, of a sensible strength."""
    operations = entry.get("key_ops", ["verify"])
    for_us = (
        entry.get("kty") == "RSA"
        and entry.get("alg", "RS256") == "RS256"
        and entry.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
    )
    if not for_us:
        return None
    try:
        # The private part, if somebody publishes it, is not read.
        key = jwt.PyJWK({"kty": "RSA", "alg": "RS256", "kid": entry["kid"], "n": entry["n"], "e": entry["e"]})
    except (jwt.PyJWTError, KeyError, ValueError, TypeError, AttributeError, OverflowError):
        return None
    return key if _is_strong(key.key) else None


def _is_strong(key: RSAPublicKey) -> bool:
    return key.key_size in _BITS and key.public_numbers().e in _EXPONENTS


@dataclass(slots=True)
class SigningKeys:
    """The keys of one pool. Fetched once, and again only for an unknown key id."""

    url: str
    fetch: Callable[[str], Keys] = fetch_keys
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    _keys: Keys = field(default_factory=dict)
    _fetched_at: float | None = None
    _failed_at: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _waiting: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(MOST_WAITING))

    def find(self, key_id: str) -> jwt.PyJWK | None:
        """For an unknown key id, waits until the keys may be fetched again: they may have just been rotated.

        Raises Unreachable where they cannot be fetched, or too many wait.
        """
        if key_id not in self._keys:
            self._wait_for_next_fetch()
            with self._lock:
                if key_id not in self._keys and not self._seconds_to_next_fetch():
                    self._fetch()
        return self._keys.get(key_id)

    @property
    def age_seconds(self) -> float | None:
        """Seconds since the last fetch; None before the first."""
        return None if self._fetched_at is None else self.clock() - self._fetched_at

    def fetch_if_missing(self) -> None:
        """Fetches the keys unless they were fetched before. Raises Unreachable."""
        with self._lock:
            if self._fetched_at is None:
                self._fetch()

    def _wait_for_next_fetch(self) -> None:
        seconds = self._seconds_to_next_fetch()
        if not seconds:
            return
        if not self._waiting.acquire(blocking=False):
            raise Unreachable(_SERVICE, "many wait for new signing keys", retry_after=int(seconds) + 1)
        try:
            self.pause(seconds)
        finally:
            self._waiting.release()

    def _seconds_to_next_fetch(self) -> float:
        return 0 if self._fetched_at is None else max(0, self._fetched_at + REFETCH_SECONDS - self.clock())

    def _fetch(self) -> None:
        """Holding the lock. Everybody who waited for a fetch that failed hears of the same failure."""
        if self._failed_at is not None and self.clock() - self._failed_at < FAILED_SECONDS:
            raise Unreachable(_SERVICE, "signing keys: they could not be fetched just now")
        try:
            self._keys = self.fetch(self.url)
        except Unreachable:
            self._failed_at = self.clock()
            raise
        self._fetched_at = self.clock()
