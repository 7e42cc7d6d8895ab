"""Verifying a Cognito ID token.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
All clients of a pool share its issuer and keys; only the audience distinguishes our tokens from another client's.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
import requests

from tenants.domain.claims import Claims
from tenants.domain.errors import SignInFailed, Unreachable

SKEW_SECONDS = 30
# An unknown kid means a rotated key or a forged token. Forged tokens must not cause a flood of fetches.
REFETCH_SECONDS = 30
_TIMEOUT = (2, 5)


def fetch_keys(url: str) -> dict[str, jwt.PyJWK]:
    """The pool's RS256 signing keys by key id. Raises Unreachable."""
    try:
        response = requests.get(url, timeout=_TIMEOUT, allow_redirects=False)
        response.raise_for_status()
        keys = jwt.PyJWKSet.from_dict(response.json()).keys
    except (requests.RequestException, ValueError, jwt.PyJWTError) as error:
        raise Unreachable("Sign-in (Cognito)", f"signing keys: {type(error).__name__}") from error
    return {key.key_id: key for key in keys if key.key_id and key.key_type == "RSA"}


@dataclass(slots=True)
class SigningKeys:
    """The keys of one pool. Fetched once, and again only for an unknown key id."""

    url: str
    fetch: Callable[[str], dict[str, jwt.PyJWK]] = fetch_keys
    clock: Callable[[], float] = time.monotonic
    _keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    _fetched_at: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, key_id: str) -> jwt.PyJWK | None:
        if key_id not in self._keys:
            with self._lock:
                if key_id not in self._keys and self._may_fetch():
                    self._keys = self.fetch(self.url)
                    self._fetched_at = self.clock()
        return self._keys.get(key_id)

    @property
    def age_seconds(self) -> float | None:
        """Seconds since the last fetch; None before the first."""
        return None if self._fetched_at is None else self.clock() - self._fetched_at

    def fetch_if_missing(self) -> None:
        """Fetches the keys unless they were fetched before. Raises Unreachable."""
        with self._lock:
            if self._fetched_at is None:
                self._keys = self.fetch(self.url)
                self._fetched_at = self.clock()

    def _may_fetch(self) -> bool:
        return self._fetched_at is None or self.clock() - self._fetched_at >= REFETCH_SECONDS


@dataclass(frozen=True, slots=True)
class IdTokenVerifier:
    issuer: str
    audience: str
    keys: SigningKeys

    def verify(self, unverified_token: str, *, nonce: str | None = None) -> Claims:
        """Checks signature, issuer, audience, expiry and kind; also the nonce, which a sign-in must pass.

        Raises SignInFailed, whose `why` never contains the token; Unreachable if the keys cannot be fetched.
        """
        payload = self._payload(unverified_token)
        if payload.get("token_use") != "id":
            raise SignInFailed("the token is not an ID token")
        if nonce is not None and not _same(payload.get("nonce"), nonce):
            raise SignInFailed("the token's nonce is not the one of this sign-in")
        return Claims.from_verified(payload)

    def _payload(self, unverified_token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(unverified_token)
            key = self.keys.find(str(header.get("kid", "")))
            if key is None:
                raise SignInFailed("the token names a signing key that the user pool does not have")
            return jwt.decode(
                unverified_token,
                key,
                algorithms=["RS256"],
                issuer=self.issuer,
                audience=self.audience,
                leeway=SKEW_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise SignInFailed(f"the ID token was refused: {type(error).__name__}") from error


def _same(presented: object, expected: str) -> bool:
    return isinstance(presented, str) and hmac.compare_digest(presented.encode(), expected.encode())
