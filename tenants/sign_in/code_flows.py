"""Sign-ins under way, one short-lived cookie each, so that many tabs can sign in at once and finish in any order.

A cookie has the name of its state, is encrypted, and holds what the callback needs: the secret behind nonce and PKCE
verifier, and the page to return to. Nothing of it is in the session, the shared cache or the database.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
import time
from dataclasses import dataclass, field, replace

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import iri_to_uri, uri_to_iri

from tenants.sign_in.sealing import CannotOpen, Sealer

# Enough to look for a password. Those who take longer start again. The code that they come back with lasts five
# minutes, by Cognito’s own clock.
LASTS_SECONDS = 10 * 60
MOST_AT_ONCE = 40
# All cookies of a request are one header. Servers and proxies take 8 KB of it, and other cookies need room too.
MOST_CHARACTERS = 6_000
# A browser keeps 4,096 bytes of a cookie, its name and attributes included.
_MOST_IN_ONE = 3_500
_STATE = re.compile(r"[A-Za-z0-9_-]{22}")
_HOME = "/"


@dataclass(frozen=True, slots=True)
class CodeFlow:
    """`target` is a path of the portal. `used` once the code of this sign-in was traded. `started_at` is in seconds."""

    state: str
    secret: str = field(repr=False)
    started_at: int
    target: str
    used: bool = False

    @property
    def nonce(self) -> str:
        return self._derived("nonce")

    @property
    def code_verifier(self) -> str:
        """43 characters: https://datatracker.ietf.org/doc/html/rfc7636#section-4.1."""
        return self._derived("code verifier")

    @property
    def seconds_left(self) -> int:
        return self.started_at + LASTS_SECONDS - int(time.time())

    def _derived(self, purpose: str) -> str:
        digest = hmac.digest(self.secret.encode(), purpose.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class CodeFlows:
    sealer: Sealer

    def start(self, *, target: str) -> CodeFlow:
        """A page whose address is too long for a cookie is given up for the home page."""
        flow = CodeFlow(secrets.token_urlsafe(16), secrets.token_urlsafe(16), int(time.time()), _shortened(target))
        return flow if len(self._sealed(flow)) <= _MOST_IN_ONE else replace(flow, target=_HOME)

    def find(self, request: HttpRequest, state: str) -> CodeFlow | None:
        """None for a state that this browser did not start, or started too long ago."""
        sealed = request.COOKIES.get(_cookie(state)) if _STATE.fullmatch(state) else None
        return self._opened(state, sealed) if sealed else None

    def target_of(self, request: HttpRequest) -> str:
        """The page that a failed callback's sign-in was for; without a known state, that of the last sign-in."""
        flow = self.find(request, request.GET.get("state", ""))
        return flow.target if flow else next((flow.target for flow in self._newest_first(request)), _HOME)

    def keep(self, flow: CodeFlow, request: HttpRequest, response: HttpResponse) -> None:
        """Sets the cookie. The oldest ones go where there are too many, and those that cannot be read."""
        value = self._sealed(flow)
        _set_cookie(response, flow.state, value, flow.seconds_left)
        room, kept = MOST_CHARACTERS - _size(flow.state, value), {flow.state}
        for other in self._newest_first(request):
            room -= _size(other.state, request.COOKIES[_cookie(other.state)])
            if room >= 0 and len(kept) < MOST_AT_ONCE:
                kept.add(other.state)
        for state in _states(request) - kept:
            _set_cookie(response, state, "", 0)

    def _newest_first(self, request: HttpRequest) -> list[CodeFlow]:
        found = (self.find(request, state) for state in _states(request))
        return sorted((flow for flow in found if flow), key=lambda flow: flow.started_at, reverse=True)

    def _sealed(self, flow: CodeFlow) -> str:
        text = json.dumps([flow.started_at, flow.secret, flow.used, flow.target], ensure_ascii=False)
        sealed = self.sealer.seal(text, bound_to=_place(flow.state))
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def _opened(self, state: str, sealed: str) -> CodeFlow | None:
        try:
            padded = sealed.encode("ascii") + b"=" * (-len(sealed) % 4)
            text = self.sealer.open(base64.b64decode(padded, altchars=b"-_", validate=True), bound_to=_place(state))
        except (CannotOpen, UnicodeEncodeError, binascii.Error):
            return None
        started_at, secret, used, target = json.loads(text)
        flow = CodeFlow(state, secret, started_at, target, used)
        return flow if flow.seconds_left > 0 else None


def _shortened(target: str) -> str:
    """Letters in place of percent-encoded ones, a third as long, where a redirect encodes them to the same again."""
    short = uri_to_iri(target)
    return short if iri_to_uri(short) == target else target


def _place(state: str) -> str:
    return f"sign-in under way {state}"


def _prefix() -> str:
    # With `__Host-`, no neighbour's host can plant the cookie of a sign-in that somebody else started.
    return "__Host-sign-in-" if settings.SESSION_COOKIE_SECURE else "sign-in-"


def _cookie(state: str) -> str:
    return f"{_prefix()}{state}"


def _states(request: HttpRequest) -> set[str]:
    prefix = _prefix()
    return {name.removeprefix(prefix) for name in request.COOKIES if name.startswith(prefix)}


def _size(state: str, value: str) -> int:
    """In the header: name=value, a semicolon and a space."""
    return len(_cookie(state)) + len(value) + 3


def _set_cookie(response: HttpResponse, state: str, value: str, seconds: int) -> None:
    response.set_cookie(
        _cookie(state),
        value,
        max_age=max(0, seconds),
        path="/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
