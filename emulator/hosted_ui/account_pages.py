"""The sign-in domain's pages for accounts: sign up, confirm, another code, a forgotten password.

What a page says after a name was typed is the same whether anybody has that name. What goes wrong in a function of
the stack goes back to the client without its details; they are in the emulator's log.
"""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass

from emulator.cognito.accounts import Accounts, NewAccount, may_sign_up
from emulator.cognito.pools import Record
from emulator.hosted_ui import pages
from emulator.hosted_ui.page_request import STALE, Visit, begin
from emulator.hosted_ui.sign_in_pages import confirm_page, password_error, reset_page, sign_in_page
from emulator.wire import AwsError, Incoming, Reply

log = logging.getLogger(__name__)

_LAMBDA_ERRORS = frozenset({
    "UserLambdaValidationException", "UnexpectedLambdaException", "InvalidLambdaResponseException",
})  # fmt: skip
# What a person is told as it is. Everything else would say something about somebody's account: even whether a code
# is wrong or too old, since nobody's code can be too old.
_SAID = frozenset({"LimitExceededException", "InvalidPasswordException"})
_BAD_CODE = "That code is not right, or it is not good any more."


@dataclass
class HostedAccounts:
    accounts: Accounts

    async def sign_up(self, incoming: Incoming) -> Reply:
        """GET and POST /signup."""
        visit = begin(incoming)
        if isinstance(visit, Reply):
            return visit
        if not may_sign_up(visit.request.client.pool):
            return pages.error("Nobody signs up here by themselves.")
        if incoming.method == "GET":
            return _sign_up_page(visit)
        form = incoming.form()
        error = "" if visit.is_genuine else STALE
        error = error or password_error(visit.request.client.pool, form, field_name="password")
        return _sign_up_page(visit, error=error) if error else await self._signed_up(visit, form)

    async def _signed_up(self, visit: Visit, form: dict[str, str]) -> Reply:
        email, client = form.get("username", "").strip(), visit.request.client
        attributes = {name: form.get(name, "").strip() for name in _asked_for(client.pool)}
        new = NewAccount(email, form.get("password", ""), attributes)
        try:
            user = await self.accounts.sign_up(client, new)
        except AwsError as failure:
            return _ended(visit, failure) or _sign_up_page(visit, error=failure.message)
        if user["UserStatus"] == "CONFIRMED":
            return sign_in_page(visit, email=email, notice="Your account is there. Sign in.")
        return confirm_page(visit, email=email, notice="A code has been mailed to you.")

    async def confirm(self, incoming: Incoming) -> Reply:
        """GET and POST /confirmUser."""
        visit = begin(incoming)
        if isinstance(visit, Reply) or incoming.method == "GET":
            return visit if isinstance(visit, Reply) else confirm_page(visit)
        form = incoming.form()
        email = form.get("username", "").strip()
        if not visit.is_genuine:
            return confirm_page(visit, email=email, error=STALE)
        try:
            await self.accounts.confirm_sign_up(visit.request.client, email, form.get("code", "").strip())
        except AwsError as failure:
            return _ended(visit, failure) or confirm_page(visit, email=email, error=_wording(failure))
        return sign_in_page(visit, email=email, notice="Your address is confirmed. Sign in.")

    async def resend(self, incoming: Incoming) -> Reply:
        """POST /resendcode."""
        visit = begin(incoming)
        if isinstance(visit, Reply):
            return visit
        email = incoming.form().get("username", "").strip()
        if not visit.is_genuine:
            return confirm_page(visit, email=email, error=STALE)
        refusal = await _quietly(visit, self.accounts.resend_code(visit.request.client, email))
        if isinstance(refusal, Reply):
            return refusal
        notice = "" if refusal else "If that address waits to be confirmed, another code has been mailed."
        return confirm_page(visit, email=email, error=refusal, notice=notice)

    async def forgot(self, incoming: Incoming) -> Reply:
        """GET and POST /forgotPassword."""
        visit = begin(incoming)
        if isinstance(visit, Reply) or incoming.method == "GET":
            return visit if isinstance(visit, Reply) else _forgot_page(visit)
        email = incoming.form().get("username", "").strip()
        if not visit.is_genuine:
            return _forgot_page(visit, email=email, error=STALE)
        refusal = await _quietly(visit, self.accounts.forgot_password(visit.request.client, email))
        if isinstance(refusal, Reply):
            return refusal
        if refusal:
            return _forgot_page(visit, email=email, error=refusal)
        return reset_page(visit, email=email, notice="If that address has an account, a code has been mailed to it.")

    async def reset(self, incoming: Incoming) -> Reply:
        """GET and POST /confirmForgotPassword."""
        visit = begin(incoming)
        if isinstance(visit, Reply) or incoming.method == "GET":
            return visit if isinstance(visit, Reply) else reset_page(visit)
        form, client = incoming.form(), visit.request.client
        email = form.get("username", "").strip()
        error = password_error(client.pool, form) if visit.is_genuine else STALE
        if error:
            return reset_page(visit, email=email, error=error)
        code, password = form.get("code", "").strip(), form.get("new_password", "")
        try:
            await self.accounts.choose_forgotten_password(client, email, code, password)
        except AwsError as failure:
            return _ended(visit, failure) or reset_page(visit, email=email, error=_wording(failure))
        return sign_in_page(visit, email=email, notice="Your password has been changed. Sign in with it.")


async def _quietly(visit: Visit, asking: Awaitable[object]) -> Reply | str:
    """What may be said of a mail that was asked for: nothing, unless it was asked for too often."""
    try:
        await asking
    except AwsError as failure:
        return _ended(visit, failure) or (_wording(failure) if failure.code == "LimitExceededException" else "")
    return ""


def _ended(visit: Visit, failure: AwsError) -> Reply | None:
    """Back to the client, where a function of the stack failed."""
    if failure.code not in _LAMBDA_ERRORS:
        return None
    log.warning("%s", failure)
    trigger = failure.message.partition(" ")[0]
    return pages.redirect(visit.request.returning(error="invalid_request", error_description=f"{trigger} failed"))


def _wording(failure: AwsError) -> str:
    return failure.message if failure.code in _SAID else _BAD_CODE


def _forgot_page(visit: Visit, *, email: str = "", error: str = "") -> Reply:
    form = visit.form("/forgotPassword", email=email, error=error, links=[("/login", "Sign in")])
    return visit.shown(pages.forgot(form))


def _sign_up_page(visit: Visit, *, error: str = "") -> Reply:
    typed = visit.incoming.form()
    links = [("/login", "Have an account? Sign in"), ("/confirmUser", "Have a code? Confirm your address")]
    form = visit.form("/signup", email=typed.get("username", "").strip(), error=error, links=links)
    asked = _asked_for(visit.request.client.pool)
    more = {name: (name.replace("_", " ").capitalize(), typed.get(name, "")) for name in asked}
    return visit.shown(pages.sign_up(form, more=more))


def _asked_for(pool: Record) -> list[str]:
    """The required attributes, without the address that is the name to sign in with."""
    required = [definition["Name"] for definition in pool["SchemaAttributes"] if definition.get("Required")]
    return [name for name in required if name not in ("sub", *(pool.get("UsernameAttributes") or []))]
