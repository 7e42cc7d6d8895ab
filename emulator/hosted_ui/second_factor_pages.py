"""The hosted pages that ask for the code of an authenticator, and that set one up first where there is none.

As on AWS, the second factor comes after the password, and after the choice of a new one. Only the page that sets an
authenticator up shows its secret: no address and no log has it.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from emulator import clock
from emulator.cognito import second_factor
from emulator.cognito.pools import Record, attributes_of, may_still_sign_in
from emulator.cognito.second_factor import CodeChecks
from emulator.cognito.totp import otpauth_uri
from emulator.hosted_ui import pages
from emulator.hosted_ui.browser_sessions import BrowserSession, BrowserSessions
from emulator.hosted_ui.page_request import STALE, PageRequest, read_page_request
from emulator.hosted_ui.pages.fields import CODE, Problem, missing_values
from emulator.wire import AwsError, Incoming, Reply

PATH = "/mfa"
# AWS does not document how long its pages wait. The same as for a new password.
_SECONDS = 300
_TOO_LATE = Problem("That took too long. Please sign in again.")


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A browser that has proved the password. `secret` is one that is being set up, "" where one is set up already."""

    session: BrowserSession
    secret: str = ""


@dataclass
class SecondFactorPages:
    sessions: BrowserSessions
    checks: CodeChecks
    _waiting: dict[str, _Waiting] = field(default_factory=dict)

    def ask(self, page: PageRequest, session: BrowserSession, user: Record) -> Reply | None:
        """The page that comes next; None where the pool asks this person for nothing more."""
        pool = page.request.client.pool
        if second_factor.needs_code(pool, user):
            return self._page(page, self._keep(_Waiting(session)), user)
        if second_factor.needs_enrolment(pool, user):
            return self._page(page, self._keep(_Waiting(session, second_factor.begin_enrolment(pool))), user)
        return None

    async def answer(self, incoming: Incoming) -> Reply:
        """POST /mfa. GET begins again: only a password leads here."""
        page = read_page_request(incoming)
        if isinstance(page, Reply) or incoming.method == "GET":
            return page if isinstance(page, Reply) else pages.redirect(page.request.page_url("/login"))
        form = incoming.form()
        token = form.get("session", "")
        found = self._find(token, page)
        if found is None:
            self._waiting.pop(token, None)
            return _begin_again(page)
        waiting, user = found
        if not page.has_valid_csrf_token:
            return self._page(page, token, user, problems=[STALE])
        if missing := missing_values([CODE], form):
            return self._page(page, token, user, problems=missing)
        try:
            self._check(page.request.client.pool_id, waiting, user, form.get("code", "").strip())
        except AwsError as failure:
            shown = second_factor.WRONG_CODE if failure.code == "EnableSoftwareTokenMFAException" else failure.message
            return self._page(page, token, user, problems=[Problem(shown, "code")])
        del self._waiting[token]
        return self.sessions.start(page.request, replace(waiting.session, auth_time=int(clock.now())))

    def _check(self, pool_id: str, waiting: _Waiting, user: Record, code: str) -> None:
        if waiting.secret:
            self.checks.enrol(pool_id, user, waiting.secret, code, turn_on=True)
        else:
            self.checks.check(pool_id, user, code)

    def _find(self, token: str, page: PageRequest) -> tuple[_Waiting, Record] | None:
        """None also where the account is not as it was: somebody else enrolled it, or its authenticator was deleted."""
        waiting, pool = self._waiting.get(token), page.request.client.pool
        if waiting is None or waiting.session.pool_id != page.request.client.pool_id:
            return None
        user = pool["_users"].get(waiting.session.username)
        if user is None or not waiting.session.belongs_to(user) or not may_still_sign_in(user):
            return None
        if not waiting.session.is_live(_SECONDS) or second_factor.needs_code(pool, user) == bool(waiting.secret):
            return None
        return waiting, user

    def _keep(self, waiting: _Waiting) -> str:
        token = secrets.token_urlsafe(32)
        live = {key: old for key, old in self._waiting.items() if old.session.is_live(_SECONDS)}
        self._waiting = {**live, token: waiting}
        return token

    def _page(self, page: PageRequest, token: str, user: Record, *, problems: Sequence[Problem] = ()) -> Reply:
        form = page.form(PATH, problems=problems, links=[("/login", "Begin again")])
        secret = self._waiting[token].secret
        if not secret:
            return page.with_csrf_cookie(pages.code(form, session=token))
        address = attributes_of(user).get("email") or str(user["Username"])
        uri = otpauth_uri(secret, account=address, issuer=str(page.request.client.pool["Name"]))
        return page.with_csrf_cookie(pages.enrol(form, session=token, secret=secret, uri=uri))


def _begin_again(page: PageRequest) -> Reply:
    form = page.form("/login", problems=[_TOO_LATE])
    return page.with_csrf_cookie(pages.sign_in(form))
