"""Who is signed in at the sign-in pages, and who will be once they have confirmed their address.

The session cookie lasts one hour from the interactive sign-in, as Cognito's does.
"""

import secrets
from dataclasses import dataclass, field, replace

from emulator import clock
from emulator.cognito.grants import CODE_SECONDS, Code, Grants
from emulator.cognito.pools import Record, attributes_of, may_still_sign_in
from emulator.cognito.tokens import new_sign_in
from emulator.hosted_ui import pages
from emulator.hosted_ui.authorize_request import AuthorizeRequest
from emulator.hosted_ui.page_request import cookie
from emulator.wire import Incoming, Reply

_SESSION_SECONDS = 3600
# AWS does not document how long its pages wait for a code.
_CONFIRMATION_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """Someone signed in interactively at `auth_time` (epoch seconds)."""

    pool_id: str
    username: str
    # The user name may have been deleted and given to someone else.
    sub: str
    auth_time: int

    def belongs_to(self, user: Record) -> bool:
        return attributes_of(user)["sub"] == self.sub

    def is_live(self, seconds: int = _SESSION_SECONDS) -> bool:
        return self.auth_time + seconds > clock.now()


def new_session(pool_id: str, user: Record) -> BrowserSession:
    return BrowserSession(pool_id, user["Username"], attributes_of(user)["sub"], int(clock.now()))


@dataclass
class BrowserSessions:
    grants: Grants
    _sessions: dict[str, BrowserSession] = field(default_factory=dict)
    _unconfirmed: dict[str, BrowserSession] = field(default_factory=dict)

    def find(self, incoming: Incoming, request: AuthorizeRequest) -> BrowserSession | None:
        session = self._sessions.get(incoming.cookies().get(_cookie_name(request.client.pool_id), ""))
        if session is None or session.pool_id != request.client.pool_id or not session.is_live():
            return None
        return session if _user_of(session, request) is not None else None

    def start(self, request: AuthorizeRequest, session: BrowserSession) -> Reply:
        """Returns to the client with a code, and sets the cookie."""
        value = secrets.token_urlsafe(32)
        self._sessions = {key: old for key, old in self._sessions.items() if old.is_live()}
        self._sessions[value] = session
        session_cookie = cookie(_cookie_name(session.pool_id), value, seconds=_SESSION_SECONDS)
        return self.redirect_with_code(request, session).with_headers(session_cookie)

    def redirect_with_code(self, request: AuthorizeRequest, session: BrowserSession) -> Reply:
        user = request.client.pool["_users"][session.username]
        sign_in = new_sign_in(request.client, user, scope=request.scope, auth_time=session.auth_time, hosted=True)
        code = Code(sign_in, request.redirect_uri, request.nonce, request.challenge, clock.now() + CODE_SECONDS)
        return pages.redirect(request.redirect_url(code=self.grants.new_code(code)))

    def end(self, incoming: Incoming, pool_id: str) -> tuple[str, str]:
        """Returns the header that removes the cookie."""
        name = _cookie_name(pool_id)
        self._sessions.pop(incoming.cookies().get(name, ""), None)
        return cookie(name, "", seconds=0)

    def wait_for_confirmation(self, pool_id: str, user: Record) -> str:
        """A token for this browser, which has just proved the password. `start_confirmed` takes it once."""
        kept = {token: old for token, old in self._unconfirmed.items() if old.is_live(_CONFIRMATION_SECONDS)}
        token = secrets.token_urlsafe(32)
        self._unconfirmed = {**kept, token: new_session(pool_id, user)}
        return token

    def start_confirmed(self, request: AuthorizeRequest, token: str, username: str) -> Reply | None:
        """Signs in the browser with this token; None if it must sign in with the password.

        `username` is that of the user who has just confirmed the address.
        """
        session = self._unconfirmed.pop(token, None)
        if session is None or session.pool_id != request.client.pool_id or not session.is_live(_CONFIRMATION_SECONDS):
            return None
        user = _user_of(session, request)
        if user is None or user["Username"] != username or request.client.pool.get("MfaConfiguration") == "ON":
            return None
        return self.start(request, replace(session, auth_time=int(clock.now())))


def _user_of(session: BrowserSession, request: AuthorizeRequest) -> Record | None:
    """None if the user is gone, disabled, or another one of the same name."""
    user: Record | None = request.client.pool["_users"].get(session.username)
    return user if user is not None and session.belongs_to(user) and may_still_sign_in(user) else None


def _cookie_name(pool_id: str) -> str:
    """On AWS each pool has its own domain. Here pools share a host, so each needs its own cookie."""
    return f"cognito_{pool_id}"
