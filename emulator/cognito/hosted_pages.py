"""The pages of the sign-in domain: sign in, choose a password, sign out.

They return a code to the client, and nothing else.

The session cookie lives one hour from the interactive sign-in, as Cognito's does. Whether a person exists is not
revealed: every refusal of a name and password reads the same.
"""

import hmac
import secrets
import time
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from emulator import engine, pages
from emulator.cognito.authorize import AuthorizeRequest, SentBack, UnknownClient, parse
from emulator.cognito.grants import CODE_SECONDS, Code, Grants
from emulator.cognito.pools import Record, find_client, find_user, has_password, may_still_sign_in
from emulator.cognito.tokens import new_sign_in
from emulator.wire import Incoming, Reply

_SESSION_SECONDS = 3600
_PENDING_SECONDS = 300
_CSRF_COOKIE = "XSRF-TOKEN"
_INCORRECT = "Incorrect username or password."


@dataclass(frozen=True, slots=True)
class _BrowserSession:
    """Somebody who signed in interactively at `auth_time` (epoch seconds)."""

    pool_id: str
    username: str
    auth_time: int


@dataclass
class HostedPages:
    grants: Grants
    _sessions: dict[str, _BrowserSession] = field(default_factory=dict)
    _pending: dict[str, tuple[_BrowserSession, str]] = field(default_factory=dict)

    def authorize(self, incoming: Incoming) -> Reply:
        """GET /oauth2/authorize: a code at once for somebody who signed in within the hour, else the sign-in page."""
        try:
            request = parse(incoming.query())
        except UnknownClient as failure:
            return pages.error(str(failure))
        except SentBack as back:
            return pages.redirect(back.location)
        session = self._session(incoming, request)
        if session is not None and request.prompt != "login":
            return self._return_code(request, session)
        if request.prompt == "none":
            return pages.redirect(request.returning(error="login_required"))
        return pages.redirect(request.page("/login"))

    def login(self, incoming: Incoming) -> Reply:
        """GET and POST /login."""
        try:
            request = parse(incoming.query())
        except UnknownClient as failure:
            return pages.error(str(failure))
        except SentBack as back:
            return pages.redirect(back.location)
        if incoming.method == "GET":
            return self._form(incoming, request, email=request.query.get("login_hint", ""))
        form = incoming.form()
        if not _same(form.get("_csrf", ""), incoming.cookies().get(_CSRF_COOKIE, "")):
            return self._form(incoming, request, error="This page had been open for too long. Please try again.")
        if "session" in form:
            return self._choose_password(incoming, request, form)
        return self._check_password(incoming, request, form)

    def logout(self, incoming: Incoming) -> Reply:
        """GET /logout: forgets the browser's session. Tokens already issued stay good, as on Cognito."""
        query = incoming.query()
        client = find_client(query.get("client_id", ""))
        if client is None:
            return pages.error("There is no such client.")
        location = query.get("logout_uri", "")
        if not location and client.may_redirect_to(query.get("redirect_uri", "")):
            location = f"/oauth2/authorize?{urlencode(query)}"
        elif not client.may_log_out_to(location):
            return pages.error("The address to return to after signing out is not registered for this client.")
        name = _cookie_name(client.pool_id)
        self._sessions.pop(incoming.cookies().get(name, ""), None)
        return pages.redirect(location).with_headers(_cookie(name, "", seconds=0))

    def _form(self, incoming: Incoming, request: AuthorizeRequest, *, error: str = "", email: str = "") -> Reply:
        token = incoming.cookies().get(_CSRF_COOKIE) or secrets.token_urlsafe(24)
        reply = pages.sign_in(
            action=request.page("/login"), return_origin=request.return_origin, csrf=token, email=email, error=error
        )
        return reply.with_headers(_cookie(_CSRF_COOKIE, token, seconds=_SESSION_SECONDS))

    def _check_password(self, incoming: Incoming, request: AuthorizeRequest, form: dict[str, str]) -> Reply:
        email = form.get("username", "").strip()
        user = self._authenticated(request.client.pool, email, form.get("password", ""))
        if user is None:
            return self._form(incoming, request, error=_INCORRECT, email=email)
        if user.get("_mfa_enabled") or request.client.pool.get("MfaConfiguration") == "ON":
            return self._form(incoming, request, error="A second factor is needed, which these pages do not offer.")
        session = _BrowserSession(request.client.pool_id, user["Username"], int(time.time()))
        if user["UserStatus"] == "FORCE_CHANGE_PASSWORD":
            return self._ask_for_password(incoming, request, session)
        return self._begin(request, session)

    def _authenticated(self, pool: Record, email: str, password: str) -> Record | None:
        user = find_user(pool, email)
        if user is None or not has_password(user, password) or not may_still_sign_in(user):
            return None
        return None if user.get("_provider_disabled") else user

    def _ask_for_password(self, incoming: Incoming, request: AuthorizeRequest, session: _BrowserSession) -> Reply:
        token = secrets.token_urlsafe(32)
        user = request.client.pool["_users"][session.username]
        self._pending[token] = (session, str(user["_password"]))
        return self._password_form(incoming, request, token, error="")

    def _password_form(self, incoming: Incoming, request: AuthorizeRequest, token: str, *, error: str) -> Reply:
        return pages.new_password(
            action=request.page("/login"),
            return_origin=request.return_origin,
            csrf=incoming.cookies()[_CSRF_COOKIE],
            session=token,
            error=error,
        )

    def _choose_password(self, incoming: Incoming, request: AuthorizeRequest, form: dict[str, str]) -> Reply:
        token = form["session"]
        session, temporary = self._pending.get(token, (None, ""))
        user = request.client.pool["_users"].get(session.username) if session else None
        if session is None or user is None or not self._still_pending(session, request, user, temporary):
            self._pending.pop(token, None)
            return self._form(incoming, request, error="That took too long. Please sign in again.")
        if error := _password_error(request.client.pool, form):
            return self._password_form(incoming, request, token, error=error)
        del self._pending[token]
        user.update(_password=form["new_password"], UserStatus="CONFIRMED", UserLastModifiedDate=time.time())
        return self._begin(request, replace(session, auth_time=int(time.time())))

    def _still_pending(self, session: _BrowserSession, request: AuthorizeRequest, user: Record, temporary: str) -> bool:
        fresh = session.auth_time + _PENDING_SECONDS > time.time() and session.pool_id == request.client.pool_id
        return fresh and may_still_sign_in(user) and has_password(user, temporary)

    def _begin(self, request: AuthorizeRequest, session: _BrowserSession) -> Reply:
        value = secrets.token_urlsafe(32)
        self._sessions = {key: old for key, old in self._sessions.items() if _is_live(old)}
        self._sessions[value] = session
        cookie = _cookie(_cookie_name(session.pool_id), value, seconds=_SESSION_SECONDS)
        return self._return_code(request, session).with_headers(cookie)

    def _session(self, incoming: Incoming, request: AuthorizeRequest) -> _BrowserSession | None:
        session = self._sessions.get(incoming.cookies().get(_cookie_name(request.client.pool_id), ""))
        if session is None or session.pool_id != request.client.pool_id or not _is_live(session):
            return None
        user = request.client.pool["_users"].get(session.username)
        return session if user is not None and may_still_sign_in(user) else None

    def _return_code(self, request: AuthorizeRequest, session: _BrowserSession) -> Reply:
        user = request.client.pool["_users"][session.username]
        sign_in = new_sign_in(request.client, user, scope=request.scope, auth_time=session.auth_time)
        code = Code(sign_in, request.redirect_uri, request.nonce, request.challenge, time.time() + CODE_SECONDS)
        return pages.redirect(request.returning(code=self.grants.new_code(code)))


def _password_error(pool: Record, form: dict[str, str]) -> str:
    password = form.get("new_password", "")
    if password != form.get("confirm_password", ""):
        return "The two passwords are not the same."
    errors: list[str] = engine.cognito._password_policy_errors(pool, password)
    return ". ".join(errors)


def _is_live(session: _BrowserSession) -> bool:
    return session.auth_time + _SESSION_SECONDS > time.time()


def _cookie_name(pool_id: str) -> str:
    """Each pool has a domain of its own on AWS; here they share a host, and so its cookies."""
    return f"cognito_{pool_id}"


def _cookie(name: str, value: str, *, seconds: int) -> tuple[str, str]:
    return "Set-Cookie", f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax"


def _same(given: str, wanted: str) -> bool:
    return bool(wanted) and hmac.compare_digest(given.encode(errors="replace"), wanted.encode(errors="replace"))
