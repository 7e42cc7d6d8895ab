"""The hosted pages to sign in, choose a new password, and sign out. They return only a code to the client.

The session cookie lasts one hour from the interactive sign-in, as Cognito's does. The pages do not reveal whether a
user exists: every refused name and password gets the same answer.
"""

import secrets
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from emulator import clock
from emulator.cognito.accounts import may_sign_up
from emulator.cognito.attempts import Attempts
from emulator.cognito.grants import CODE_SECONDS, Code, Grants
from emulator.cognito.passwords import policy_errors, set_password, temporary_password_expired
from emulator.cognito.pools import Record, attributes_of, find_client, find_user, has_password, may_still_sign_in
from emulator.cognito.tokens import new_sign_in
from emulator.hosted_ui import pages
from emulator.hosted_ui.authorize_request import AuthorizeRequest
from emulator.hosted_ui.page_request import STALE, PageRequest, cookie, read_page_request
from emulator.wire import Incoming, Reply

_SESSION_SECONDS = 3600
_PENDING_SECONDS = 300
_INCORRECT = "Incorrect username or password."
_LOCKED = "Password attempts exceeded. Wait a moment, then try again."
_EXPIRED = "Temporary password has expired and must be reset by an administrator."


@dataclass(frozen=True, slots=True)
class _BrowserSession:
    """Someone signed in interactively at `auth_time` (epoch seconds)."""

    pool_id: str
    username: str
    # The user name may have been deleted and given to someone else.
    sub: str
    auth_time: int


@dataclass
class SignInPages:
    grants: Grants
    attempts: Attempts
    _sessions: dict[str, _BrowserSession] = field(default_factory=dict)
    _pending: dict[str, tuple[_BrowserSession, str]] = field(default_factory=dict)

    async def authorize(self, incoming: Incoming) -> Reply:
        """GET /oauth2/authorize: returns a code if the browser has a session, otherwise the sign-in page."""
        page = read_page_request(incoming)
        if isinstance(page, Reply):
            return page
        request = page.request
        session = self._session(incoming, request)
        if session is not None and request.prompt != "login":
            return self._redirect_with_code(request, session)
        if request.prompt == "none":
            return pages.redirect(request.redirect_url(error="login_required"))
        return pages.redirect(request.page_url("/login"))

    async def login(self, incoming: Incoming) -> Reply:
        """GET and POST /login."""
        page = read_page_request(incoming)
        if isinstance(page, Reply):
            return page
        if incoming.method == "GET":
            return sign_in_page(page, email=page.request.query.get("login_hint", ""))
        if not page.has_valid_csrf_token:
            return sign_in_page(page, error=STALE)
        form = incoming.form()
        if "session" in form:
            return self._choose_password(page, form)
        return self._check_password(page, form)

    async def logout(self, incoming: Incoming) -> Reply:
        """GET /logout: deletes the browser's session. As on Cognito, tokens already issued remain valid."""
        query = incoming.query()
        client = find_client(query.get("client_id", ""))
        if client is None:
            return pages.error("The client does not exist.")
        location = query.get("logout_uri", "")
        if not location and client.may_redirect_to(query.get("redirect_uri", "")):
            location = f"/oauth2/authorize?{urlencode(query)}"
        elif not client.may_log_out_to(location):
            return pages.error("The sign-out address is not registered for this client.")
        name = _cookie_name(client.pool_id)
        self._sessions.pop(incoming.cookies().get(name, ""), None)
        return pages.redirect(location).with_headers(cookie(name, "", seconds=0))

    def _check_password(self, page: PageRequest, form: dict[str, str]) -> Reply:
        email, pool = form.get("username", "").strip(), page.request.client.pool
        found = find_user(pool, email)
        canonical_name, pool_id = str(found["Username"]) if found else email, page.request.client.pool_id
        if self.attempts.is_locked(pool_id, canonical_name):
            return sign_in_page(page, error=_LOCKED, email=email)
        user = found if found and _is_password_right(found, form.get("password", "")) else None
        if user is None:
            self.attempts.record_failure(pool_id, canonical_name)
            return sign_in_page(page, error=_INCORRECT, email=email)
        self.attempts.record_success(pool_id, canonical_name)
        return self._continue_sign_in(page, pool, user, email)

    def _continue_sign_in(self, page: PageRequest, pool: Record, user: Record, email: str) -> Reply:
        """The password was right. What the person must do next depends on the account."""
        if user["UserStatus"] == "UNCONFIRMED":
            return confirm_page(page, email=email, notice="Your address is not confirmed yet.")
        if user["UserStatus"] == "RESET_REQUIRED":
            return reset_page(page, email=email, notice="You must change your password. We have mailed you a code.")
        if user.get("_mfa_enabled") or pool.get("MfaConfiguration") == "ON":
            return sign_in_page(
                page, error="This account needs a second factor, which these pages do not support.", email=email
            )
        if temporary_password_expired(pool, user):
            return sign_in_page(page, error=_EXPIRED, email=email)
        session = _BrowserSession(
            page.request.client.pool_id, user["Username"], attributes_of(user)["sub"], int(clock.now())
        )
        if user["UserStatus"] == "FORCE_CHANGE_PASSWORD":
            token = secrets.token_urlsafe(32)
            self._pending[token] = (session, str(user["_password"]))
            return _password_page(page, token)
        return self._start_session(page.request, session)

    def _choose_password(self, page: PageRequest, form: dict[str, str]) -> Reply:
        token, request = form["session"], page.request
        session, temporary = self._pending.get(token, (None, ""))
        user = request.client.pool["_users"].get(session.username) if session else None
        if session is None or user is None or not self._still_pending(session, request, user, temporary):
            self._pending.pop(token, None)
            return sign_in_page(page, error="That took too long. Please sign in again.")
        if error := password_error(request.client.pool, form):
            return _password_page(page, token, error=error)
        del self._pending[token]
        set_password(user, form["new_password"], status="CONFIRMED")
        return self._start_session(request, replace(session, auth_time=int(clock.now())))

    def _still_pending(self, session: _BrowserSession, request: AuthorizeRequest, user: Record, temporary: str) -> bool:
        fresh = session.auth_time + _PENDING_SECONDS > clock.now() and session.pool_id == request.client.pool_id
        return fresh and _belongs_to(session, user) and may_still_sign_in(user) and has_password(user, temporary)

    def _start_session(self, request: AuthorizeRequest, session: _BrowserSession) -> Reply:
        value = secrets.token_urlsafe(32)
        self._sessions = {key: old for key, old in self._sessions.items() if _is_live(old)}
        self._sessions[value] = session
        session_cookie = cookie(_cookie_name(session.pool_id), value, seconds=_SESSION_SECONDS)
        return self._redirect_with_code(request, session).with_headers(session_cookie)

    def _session(self, incoming: Incoming, request: AuthorizeRequest) -> _BrowserSession | None:
        session = self._sessions.get(incoming.cookies().get(_cookie_name(request.client.pool_id), ""))
        if session is None or session.pool_id != request.client.pool_id or not _is_live(session):
            return None
        user = request.client.pool["_users"].get(session.username)
        known = user is not None and _belongs_to(session, user) and may_still_sign_in(user)
        return session if known else None

    def _redirect_with_code(self, request: AuthorizeRequest, session: _BrowserSession) -> Reply:
        user = request.client.pool["_users"][session.username]
        sign_in = new_sign_in(request.client, user, scope=request.scope, auth_time=session.auth_time)
        code = Code(sign_in, request.redirect_uri, request.nonce, request.challenge, clock.now() + CODE_SECONDS)
        return pages.redirect(request.redirect_url(code=self.grants.new_code(code)))


# ── Pages that several requests lead to ─────────────────────────────────────────────────────────────────────────────


def sign_in_page(page: PageRequest, *, email: str = "", error: str = "", notice: str = "") -> Reply:
    links = [("/forgotPassword", "Forgot your password?")]
    if may_sign_up(page.request.client.pool):
        links.append(("/signup", "New here? Sign up"))
    return page.with_csrf_cookie(
        pages.sign_in(page.form("/login", email=email, error=error, notice=notice, links=links))
    )


def confirm_page(page: PageRequest, *, email: str = "", error: str = "", notice: str = "") -> Reply:
    links = [("/login", "Sign in")]
    form = page.form("/confirmUser", email=email, error=error, notice=notice, links=links)
    return page.with_csrf_cookie(pages.confirm(form, resend=page.request.page_url("/resendcode")))


def reset_page(page: PageRequest, *, email: str = "", error: str = "", notice: str = "") -> Reply:
    links = [("/forgotPassword", "Send another code"), ("/login", "Sign in")]
    form = page.form("/confirmForgotPassword", email=email, error=error, notice=notice, links=links)
    return page.with_csrf_cookie(pages.reset(form))


def password_error(pool: Record, form: dict[str, str], *, field_name: str = "new_password") -> str:
    password = form.get(field_name, "")
    if password != form.get("confirm_password", ""):
        return "The two passwords are different."
    return " ".join(f"{error}." for error in policy_errors(pool, password))


def _password_page(page: PageRequest, token: str, *, error: str = "") -> Reply:
    return page.with_csrf_cookie(pages.new_password(page.form("/login", error=error), session=token))


def _is_password_right(user: Record, password: str) -> bool:
    usable = may_still_sign_in(user) or user.get("UserStatus") in ("UNCONFIRMED", "RESET_REQUIRED")
    disabled = user.get("_provider_disabled") or not user.get("Enabled", True)
    return has_password(user, password) and usable and not disabled


def _belongs_to(session: _BrowserSession, user: Record) -> bool:
    return attributes_of(user)["sub"] == session.sub


def _is_live(session: _BrowserSession) -> bool:
    return session.auth_time + _SESSION_SECONDS > clock.now()


def _cookie_name(pool_id: str) -> str:
    """On AWS each pool has its own domain. Here pools share a host, so each needs its own cookie."""
    return f"cognito_{pool_id}"
