"""Verifying a Cognito ID token.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
All clients of a pool share its issuer and keys; only the audience distinguishes our tokens from another client's.
PyJWT checks the signature. What it would read leniently is read here first: doubled claims, numbers that are none,
times that no user pool gives.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from tenants.aws.signing_keys import MOST_KID, SigningKeys
from tenants.domain.claims import Claims
from tenants.domain.errors import SignInFailed
from tenants.domain.strict_json import NotStrict, read_json_object

SKEW_SECONDS = 30
# The longest that a user pool can be told to let an ID token live.
MOST_SECONDS = 24 * 60 * 60
MOST_CHARACTERS = 64 * 1024
_PARTS = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
_TEXTS = ("sub", "iss", "token_use", "nonce", "email", "name", "custom:org", "custom:role")
_Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class IdTokenVerifier:
    issuer: str
    audience: str
    keys: SigningKeys

    def verify(self, unverified_token: str, *, nonce: str | None = None) -> Claims:
        """Checks signature, issuer, audience, times and kind; also the nonce, which a sign-in must pass.

        Raises SignInFailed, whose `why` never contains the token; Unreachable if the keys cannot be fetched.
        """
        header, payload = _read(unverified_token)
        # The claims first: an expired token need not wait for a key.
        self._check_claims(payload)
        _check_times(payload, now=int(time.time()))
        if nonce is not None and not _same(payload.get("nonce"), nonce):
            raise SignInFailed("the token's nonce is not the one of this sign-in")
        self._check_signature(unverified_token, header)
        return Claims.from_verified(payload)

    def _check_claims(self, payload: _Payload) -> None:
        for name in _TEXTS:
            if not isinstance(payload.get(name, ""), str):
                raise SignInFailed(f"the token's {name} is not text")
        if payload.get("token_use") != "id":
            raise SignInFailed("the token is not an ID token")
        if payload.get("iss") != self.issuer:
            raise SignInFailed("the token is of another user pool")
        if payload.get("aud") not in (self.audience, [self.audience]) or payload.get("azp", self.audience) != (
            self.audience
        ):
            raise SignInFailed("the token is for another client")
        if not payload.get("sub"):
            raise SignInFailed("the token names nobody")

    def _check_signature(self, unverified_token: str, header: _Payload) -> None:
        key = self.keys.find(_key_id(header))
        if key is None:
            raise SignInFailed("the token names a signing key that the user pool does not have")
        try:
            jwt.decode(
                unverified_token,
                key,
                algorithms=["RS256"],
                issuer=self.issuer,
                audience=self.audience,
                leeway=SKEW_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise SignInFailed(f"the ID token was refused: {type(error).__name__}") from error


def _read(unverified_token: str) -> tuple[_Payload, _Payload]:
    """Header and payload, unverified."""
    if len(unverified_token) > MOST_CHARACTERS or not (parts := _PARTS.fullmatch(unverified_token)):
        raise SignInFailed("what Cognito gave is not a token")
    try:
        return read_json_object(_decoded(parts[1])), read_json_object(_decoded(parts[2]))
    except (NotStrict, binascii.Error) as error:
        raise SignInFailed("the token cannot be read") from error


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _key_id(header: _Payload) -> str:
    if header.get("alg") != "RS256":
        raise SignInFailed("the token is not signed with RS256")
    # Extensions that change what the signature means. Cognito has none.
    if {"crit", "b64", "zip"} & set(header):
        raise SignInFailed("the token has a header that is not understood")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MOST_KID:
        raise SignInFailed("the token names no signing key")
    return kid


def _check_times(payload: _Payload, *, now: int) -> None:
    issued, expires, not_before = payload.get("iat"), payload.get("exp"), payload.get("nbf", 0)
    # True is an int for Python.
    if type(issued) is not int or type(expires) is not int or type(not_before) is not int:
        raise SignInFailed("the token's times are not whole numbers")
    if expires <= now - SKEW_SECONDS:
        raise SignInFailed("the token has expired")
    if max(issued, not_before) > now + SKEW_SECONDS:
        raise SignInFailed("the token is not valid yet: the clocks differ")
    if not 0 < expires - issued <= MOST_SECONDS:
        raise SignInFailed("the token lives longer than a user pool lets one live")


def _same(presented: object, expected: str) -> bool:
    return isinstance(presented, str) and hmac.compare_digest(presented.encode(), expected.encode())
