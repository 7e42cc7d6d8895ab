"""Authorization codes and refresh tokens: opaque, random, usable as often as OAuth and Cognito say."""

import secrets
import time
from dataclasses import dataclass, field

from emulator import engine
from emulator.cognito.pools import Client
from emulator.cognito.tokens import SignIn

CODE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Code:
    """What was agreed at the authorization endpoint; the token endpoint must be told the same.

    `expires_at` in epoch seconds.
    """

    sign_in: SignIn
    redirect_uri: str
    nonce: str
    challenge: str
    expires_at: float


@dataclass(slots=True)
class _Refresh:
    sign_in: SignIn
    expires_at: float
    used_at: float | None = None


@dataclass
class Grants:
    _codes: dict[str, Code] = field(default_factory=dict)
    _refresh: dict[str, _Refresh] = field(default_factory=dict)

    def new_code(self, code: Code) -> str:
        now = time.time()
        for value in [value for value, old in self._codes.items() if old.expires_at < now]:
            del self._codes[value]
        value = secrets.token_urlsafe(32)
        self._codes[value] = code
        return value

    def look_at_code(self, value: str) -> Code | None:
        """A code that is still good. Looking does not use it up: only a client that has proved itself may do that."""
        code = self._codes.get(value)
        return code if code is not None and code.expires_at > time.time() else None

    def use_code(self, value: str) -> None:
        del self._codes[value]

    def new_refresh_token(self, sign_in: SignIn, seconds: float) -> str:
        return self._store(sign_in, time.time() + seconds)

    def _store(self, sign_in: SignIn, expires_at: float) -> str:
        now = time.time()
        for value in [value for value, old in self._refresh.items() if old.expires_at < now]:
            del self._refresh[value]
        value = secrets.token_urlsafe(96)
        self._refresh[value] = _Refresh(sign_in, expires_at)
        return value

    def refreshed(self, value: str, client: Client) -> tuple[SignIn, str | None] | None:
        """The sign-in behind a refresh token, and its successor where the client rotates.

        None for a token that is no good.

        A used token may be tried again within the client's grace period (a lost answer), and never after.
        """
        token = self._refresh.get(value)
        if token is None or not self._is_good(token, client):
            return None
        if client.rotation_grace() is None:
            return token.sign_in, None
        token.used_at = token.used_at or time.time()
        return token.sign_in, self._store(token.sign_in, token.expires_at)

    def _is_good(self, token: _Refresh, client: Client) -> bool:
        now, grace = time.time(), client.rotation_grace()
        late = token.used_at is not None and grace is not None and now > token.used_at + grace
        revoked = token.sign_in.origin_jti in engine.cognito._revoked_tokens
        return not late and not revoked and now < token.expires_at and token.sign_in.client_id == client.id

    def owner(self, value: str) -> SignIn | None:
        token = self._refresh.get(value)
        return token.sign_in if token else None

    def revoke(self, value: str) -> None:
        """Ends the whole sign-in: this refresh token, its successors, and every access token that came from them."""
        token = self._refresh.pop(value, None)
        if token is not None:
            engine.cognito._revoked_tokens.add(token.sign_in.origin_jti)
