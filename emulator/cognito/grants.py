"""Authorization codes and refresh tokens: opaque, random, and usable as often as OAuth and Cognito allow."""

import secrets
from dataclasses import dataclass, field
from enum import Enum

from emulator import clock, engine
from emulator.cognito.pools import Client
from emulator.cognito.tokens import SignIn

CODE_SECONDS = 300
# An expired refresh token is kept this long, so that the error can say that it expired.
_RETENTION_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Code:
    """What the authorization request contained. The token request must match it.

    `expires_at` is in epoch seconds.
    """

    sign_in: SignIn
    redirect_uri: str
    nonce: str
    challenge: str
    expires_at: float


@dataclass(slots=True)
class _RefreshToken:
    sign_in: SignIn
    expires_at: float
    used_at: float | None = None


class Unusable(Enum):
    """Why a refresh token is refused, in the words of the user pool API."""

    UNKNOWN = "Invalid Refresh Token"
    EXPIRED = "Refresh Token has expired"
    REVOKED = "Refresh Token has been revoked"
    REUSED = "Refresh token has been reused"
    ANOTHER_CLIENT = "Refresh Token has different Client"


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """`successor` is the next refresh token if the client rotates them, otherwise None."""

    sign_in: SignIn
    successor: str | None


@dataclass
class Grants:
    _codes: dict[str, Code] = field(default_factory=dict)
    _refresh_tokens: dict[str, _RefreshToken] = field(default_factory=dict)

    def new_code(self, code: Code) -> str:
        now = clock.now()
        for value in [value for value, old in self._codes.items() if old.expires_at < now]:
            del self._codes[value]
        value = secrets.token_urlsafe(32)
        self._codes[value] = code
        return value

    def find_code(self, value: str) -> Code | None:
        """Returns a valid code without using it up. Only an authenticated client may use a code."""
        code = self._codes.get(value)
        return code if code is not None and code.expires_at > clock.now() else None

    def use_code(self, value: str) -> None:
        del self._codes[value]

    def new_refresh_token(self, sign_in: SignIn, seconds: float) -> str:
        return self._store(sign_in, clock.now() + seconds)

    def _store(self, sign_in: SignIn, expires_at: float) -> str:
        past = clock.now() - _RETENTION_SECONDS
        for value in [value for value, old in self._refresh_tokens.items() if old.expires_at < past]:
            del self._refresh_tokens[value]
        value = secrets.token_urlsafe(96)
        self._refresh_tokens[value] = _RefreshToken(sign_in, expires_at)
        return value

    def refresh(self, value: str, client: Client) -> RefreshResult | Unusable:
        """Returns the sign-in of a refresh token, and its successor if the client rotates refresh tokens.

        A used token works again within the client's grace period, in case an answer was lost.
        """
        token = self._refresh_tokens.get(value)
        if token is None:
            return Unusable.UNKNOWN
        if refusal := _refusal(token, client):
            return refusal
        if client.rotation_grace() is None:
            return RefreshResult(token.sign_in, None)
        token.used_at = token.used_at or clock.now()
        return RefreshResult(token.sign_in, self._store(token.sign_in, token.expires_at))

    def owner(self, value: str) -> SignIn | None:
        token = self._refresh_tokens.get(value)
        return token.sign_in if token else None

    def revoke(self, value: str) -> None:
        """Ends the whole sign-in: this refresh token, its successors, and every access token issued from them."""
        token = self._refresh_tokens.get(value)
        if token is not None:
            engine.cognito._revoked_tokens.add(token.sign_in.origin_jti)


def _refusal(token: _RefreshToken, client: Client) -> Unusable | None:
    now, grace = clock.now(), client.rotation_grace()
    if token.sign_in.client_id != client.id:
        return Unusable.ANOTHER_CLIENT
    if token.sign_in.origin_jti in engine.cognito._revoked_tokens:
        return Unusable.REVOKED
    if now >= token.expires_at:
        return Unusable.EXPIRED
    if token.used_at is not None and grace is not None and now > token.used_at + grace:
        return Unusable.REUSED
    return None
