"""The hosted pages to sign in, choose a new password, and sign out. They return only a code to the client.

The pages do not reveal whether a user exists: every refused name and password gets the same answer.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from emulator import clock
from emulator.cognito.accounts import may_sign_up
from emulator.cognito.attempts import Attempts
from emulator.cognito.passwords import policy_errors, set_password, temporary_password_expired
from emulator.cognito.pools import Record, find_client, find_user, has_password, may_still_sign_in
from emulator.hosted_ui import pages
from emulator.hosted_ui.authorize_request import AuthorizeRequest
from emulator.hosted_ui.browser_sessions import BrowserSession, BrowserSessions, new_session
from emulator.hosted_ui.page_request import STALE, PageRequest, read_page_request
from emulator.hosted_ui.pages.fields import (
    CHOOSE_PASSWORD,
    SIGN_IN,
    Problem,
    missing_values,
    new_password_problems,
)
from emulator.hosted_ui.second_factor_pages import SecondFactorPages
from emulator.wire import Incoming, Reply

_PENDING_SECONDS = 300
# Reported for a client with the custom flow only. The form is shown, and refused when it is sent.
_NO_FLOW = Problem("Invalid parameter in request")
_INCORRECT = Problem("Incorrect username or password.")
_LOCKED = Problem("Password attempts exceeded. Wait a moment, then try again.")
# The first sentence is Cognito's.
_EXPIRED = Problem(
    "Temporary password has expired and must be reset by an administrator. "
    "Ask the person who invited you to send the invitation again."
)
_TOO_LATE = Problem("That took too long. Please sign in again.")


@dataclass
class SignInPages:
    sessions: BrowserSessions
    attempts: Attempts
    second_factor: SecondFactorPages
    _pending: dict[str, tuple[BrowserSession, str]] = field(default_factory=dict)

    async def authorize(self, incoming: Incoming) -> Reply:
        """GET /oauth2/authorize: returns a code if the browser has a session, otherwise the sign-in page."""
        page = read_page_request(incoming)
        if isinstance(page, Reply):
            return page
        request = page.request
        session = self.sessions.find(incoming, request)
        if session is not None and request.prompt != "login":
            return self.sessions.redirect_with_code(request, session)
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
            return sign_in_page(page, problems=[STALE])
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
        return pages.redirect(location).with_headers(self.sessions.end(incoming, client.pool_id))

    def _check_password(self, page: PageRequest, form: dict[str, str]) -> Reply:
        email, pool = form.get("username", "").strip(), page.request.client.pool
        if not page.request.client.takes_passwords_on_pages():
            return sign_in_page(page, problems=[_NO_FLOW], email=email)
        if missing := missing_values(SIGN_IN, form):
            return sign_in_page(page, problems=missing, email=email)
        found = find_user(pool, email)
        canonical_name, pool_id = str(found["Username"]) if found else email, page.request.client.pool_id
        if self.attempts.is_locked(pool_id, canonical_name):
            return sign_in_page(page, problems=[_LOCKED], email=email)
        user = found if found and _is_password_right(found, form.get("password", "")) else None
        if user is None:
            self.attempts.record_failure(pool_id, canonical_name)
            return sign_in_page(page, problems=[_INCORRECT], email=email)
        self.attempts.record_success(pool_id, canonical_name)
        return self._continue_sign_in(page, pool, user, email)

    def _continue_sign_in(self, page: PageRequest, pool: Record, user: Record, email: str) -> Reply:
        """The password was right. What the person must do next depends on the account."""
        if user["UserStatus"] == "UNCONFIRMED":
            waiting = self.sessions.wait_for_confirmation(page.request.client.pool_id, user)
            return confirm_page(page, email=email, notice="Your address is not confirmed yet.", waiting=waiting)
        if user["UserStatus"] == "RESET_REQUIRED":
            return reset_page(page, email=email, notice="You must change your password. We have mailed you a code.")
        if temporary_password_expired(pool, user):
            return sign_in_page(page, problems=[_EXPIRED], email=email)
        session = new_session(page.request.client.pool_id, user)
        if user["UserStatus"] == "FORCE_CHANGE_PASSWORD":
            token = secrets.token_urlsafe(32)
            self._pending[token] = (session, str(user["_password"]))
            return _password_page(page, token)
        return self._after_password(page, session, user)

    def _choose_password(self, page: PageRequest, form: dict[str, str]) -> Reply:
        token, request = form["session"], page.request
        session, temporary = self._pending.get(token, (None, ""))
        user = request.client.pool["_users"].get(session.username) if session else None
        if session is None or user is None or not self._still_pending(session, request, user, temporary):
            self._pending.pop(token, None)
            return sign_in_page(page, problems=[_TOO_LATE])
        problems = [*missing_values(CHOOSE_PASSWORD, form), *password_problems(request.client.pool, form)]
        if problems:
            return _password_page(page, token, problems=problems)
        del self._pending[token]
        set_password(user, form["new_password"], status="CONFIRMED")
        return self._after_password(page, replace(session, auth_time=int(clock.now())), user)

    def _after_password(self, page: PageRequest, session: BrowserSession, user: Record) -> Reply:
        return self.second_factor.ask(page, session, user) or self.sessions.start(page.request, session)

    def _still_pending(self, session: BrowserSession, request: AuthorizeRequest, user: Record, temporary: str) -> bool:
        fresh = session.auth_time + _PENDING_SECONDS > clock.now() and session.pool_id == request.client.pool_id
        return fresh and session.belongs_to(user) and may_still_sign_in(user) and has_password(user, temporary)


# ── Pages that several requests lead to ─────────────────────────────────────────────────────────────────────────────


def sign_in_page(page: PageRequest, *, email: str = "", problems: Sequence[Problem] = (), notice: str = "") -> Reply:
    links = [("/forgotPassword", "Forgot your password?")]
    if may_sign_up(page.request.client.pool):
        links.append(("/signup", "New here? Sign up"))
    return page.with_csrf_cookie(
        pages.sign_in(page.form("/login", email=email, problems=problems, notice=notice, links=links))
    )


def confirm_page(
    page: PageRequest, *, email: str = "", problems: Sequence[Problem] = (), notice: str = "", waiting: str = ""
) -> Reply:
    """`waiting` is the token of a browser that goes on signed in once the address is confirmed."""
    links = [("/login", "Sign in")]
    form = page.form("/confirmUser", email=email, problems=problems, notice=notice, links=links)
    return page.with_csrf_cookie(pages.confirm(form, resend=page.request.page_url("/resendcode"), waiting=waiting))


def reset_page(page: PageRequest, *, email: str = "", problems: Sequence[Problem] = (), notice: str = "") -> Reply:
    links = [("/forgotPassword", "Send another code"), ("/login", "Sign in")]
    form = page.form("/confirmForgotPassword", email=email, problems=problems, notice=notice, links=links)
    return page.with_csrf_cookie(pages.reset(form))


def password_problems(pool: Record, form: dict[str, str], *, name: str = "new_password") -> list[Problem]:
    """All that is wrong with a new password and its repetition."""
    return new_password_problems(policy_errors(pool, form.get(name, "")), form, name=name)


def _password_page(page: PageRequest, token: str, *, problems: Sequence[Problem] = ()) -> Reply:
    return page.with_csrf_cookie(pages.new_password(page.form("/login", problems=problems), session=token))


def _is_password_right(user: Record, password: str) -> bool:
    usable = may_still_sign_in(user) or user.get("UserStatus") in ("UNCONFIRMED", "RESET_REQUIRED")
    disabled = user.get("_provider_disabled") or not user.get("Enabled", True)
    return has_password(user, password) and usable and not disabled
