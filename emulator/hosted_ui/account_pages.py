"""The hosted pages for accounts: sign up, confirm, resend a code, reset a forgotten password.

A page reads the same whether or not the typed name exists. If a function of the stack fails, the browser returns to the
client without the details, which are in the emulator's log.
"""

import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from emulator.cognito.accounts import Accounts, NewAccount, may_sign_up
from emulator.cognito.attributes import check_creation
from emulator.cognito.pools import Client, Record, find_user
from emulator.cognito.users import check_name
from emulator.hosted_ui import pages
from emulator.hosted_ui.browser_sessions import BrowserSessions
from emulator.hosted_ui.page_request import STALE, PageRequest, read_page_request
from emulator.hosted_ui.pages.fields import CONFIRM, FORGOT, RESET, Problem, missing_values, sign_up_fields
from emulator.hosted_ui.sign_in_pages import confirm_page, password_problems, reset_page, sign_in_page
from emulator.wire import AwsError, Incoming, Reply

log = logging.getLogger(__name__)

_LAMBDA_ERRORS = frozenset({
    "UserLambdaValidationException", "UnexpectedLambdaException", "InvalidLambdaResponseException",
})  # fmt: skip
# These errors are shown, and at which field. Others would reveal something about an account: "expired" instead of
# "wrong" would say that a code was sent.
_PUBLIC_ERRORS = {"LimitExceededException": "", "InvalidPasswordException": "new_password"}
_BAD_CODE = "This code is wrong or has expired."


@dataclass
class AccountPages:
    accounts: Accounts
    sessions: BrowserSessions

    async def sign_up(self, incoming: Incoming) -> Reply:
        """GET and POST /signup."""
        page = read_page_request(incoming)
        if isinstance(page, Reply):
            return page
        if not may_sign_up(page.request.client.pool):
            return pages.error("Only an administrator can create accounts here.")
        if incoming.method == "GET":
            return _sign_up_page(page)
        form = incoming.form()
        if not page.has_valid_csrf_token:
            return _sign_up_page(page, problems=[STALE])
        if problems := _sign_up_problems(page.request.client, form):
            return _sign_up_page(page, problems=problems)
        return await self._create_account(page, form)

    async def _create_account(self, page: PageRequest, form: dict[str, str]) -> Reply:
        email, client = form.get("username", "").strip(), page.request.client
        new = NewAccount(email, form.get("password", ""), _typed_attributes(client.pool, form))
        try:
            user = await self.accounts.sign_up(client, new)
        except AwsError as failure:
            problem = Problem(failure.message, "username")
            return _redirect_if_trigger_failed(page, failure) or _sign_up_page(page, problems=[problem])
        if user["UserStatus"] == "CONFIRMED":
            return sign_in_page(page, email=email, notice="Your account was created. Sign in.")
        waiting = self.sessions.wait_for_confirmation(client.pool_id, user)
        return confirm_page(page, email=email, notice="We have mailed you a code.", waiting=waiting)

    async def confirm(self, incoming: Incoming) -> Reply:
        """GET and POST /confirmUser. A browser that proved the password before goes on signed in."""
        page = read_page_request(incoming)
        if isinstance(page, Reply) or incoming.method == "GET":
            return page if isinstance(page, Reply) else confirm_page(page)
        form, client = incoming.form(), page.request.client
        email, waiting = form.get("username", "").strip(), form.get("waiting", "")
        if not page.has_valid_csrf_token:
            return confirm_page(page, email=email, problems=[STALE], waiting=waiting)
        if missing := missing_values(CONFIRM, form):
            return confirm_page(page, email=email, problems=missing, waiting=waiting)
        try:
            await self.accounts.confirm_sign_up(client, email, form.get("code", "").strip())
        except AwsError as failure:
            return _redirect_if_trigger_failed(page, failure) or confirm_page(
                page, email=email, problems=[_public_problem(failure)], waiting=waiting
            )
        user = find_user(client.pool, email)
        signed_in = self.sessions.start_confirmed(page.request, waiting, user["Username"]) if user else None
        return signed_in or sign_in_page(page, email=email, notice="Your address is confirmed. Sign in.")

    async def resend(self, incoming: Incoming) -> Reply:
        """POST /resendcode."""
        page = read_page_request(incoming)
        if isinstance(page, Reply):
            return page
        form = incoming.form()
        email, waiting = form.get("username", "").strip(), form.get("waiting", "")
        if not page.has_valid_csrf_token:
            return confirm_page(page, email=email, problems=[STALE], waiting=waiting)
        problems: Reply | Sequence[Problem] = missing_values(FORGOT, form)
        if not problems:
            problems = await _problems_to_show(page, self.accounts.resend_code(page.request.client, email))
        if isinstance(problems, Reply):
            return problems
        notice = "" if problems else "If this address still needs confirming, another code has been mailed."
        return confirm_page(page, email=email, problems=problems, notice=notice, waiting=waiting)

    async def forgot(self, incoming: Incoming) -> Reply:
        """GET and POST /forgotPassword."""
        page = read_page_request(incoming)
        if isinstance(page, Reply) or incoming.method == "GET":
            return page if isinstance(page, Reply) else _forgot_page(page)
        email = incoming.form().get("username", "").strip()
        if not page.has_valid_csrf_token:
            return _forgot_page(page, email=email, problems=[STALE])
        problems: Reply | Sequence[Problem] = missing_values(FORGOT, incoming.form())
        if not problems:
            problems = await _problems_to_show(page, self.accounts.forgot_password(page.request.client, email))
        if isinstance(problems, Reply):
            return problems
        if problems:
            return _forgot_page(page, email=email, problems=problems)
        return reset_page(page, email=email, notice="If this address has an account, a code has been mailed to it.")

    async def reset(self, incoming: Incoming) -> Reply:
        """GET and POST /confirmForgotPassword."""
        page = read_page_request(incoming)
        if isinstance(page, Reply) or incoming.method == "GET":
            return page if isinstance(page, Reply) else reset_page(page)
        form, client = incoming.form(), page.request.client
        email = form.get("username", "").strip()
        if not page.has_valid_csrf_token:
            return reset_page(page, email=email, problems=[STALE])
        if problems := [*missing_values(RESET, form), *password_problems(client.pool, form)]:
            return reset_page(page, email=email, problems=problems)
        code, password = form.get("code", "").strip(), form.get("new_password", "")
        try:
            await self.accounts.confirm_forgot_password(client, email, code, password)
        except AwsError as failure:
            return _redirect_if_trigger_failed(page, failure) or reset_page(
                page, email=email, problems=[_public_problem(failure)]
            )
        return sign_in_page(page, email=email, notice="Your password has been changed. Sign in with it.")


def _sign_up_problems(client: Client, form: dict[str, str]) -> list[Problem]:
    """All that can be said of what was typed without a look at the accounts."""
    attributes = _typed_attributes(client.pool, form)
    missing = missing_values(sign_up_fields(attributes), form)
    problems = [*missing, *password_problems(client.pool, form, name="password")]
    email = form.get("username", "").strip()
    if email and all(attributes.values()):
        try:
            check_creation(client.pool, check_name(client.pool, email, attributes), client=client)
        except AwsError as failure:
            return [Problem(failure.message, "username"), *problems]
    return problems


async def _problems_to_show(page: PageRequest, sending: Awaitable[object]) -> Reply | Sequence[Problem]:
    """Only "too many requests" is shown. Other errors would reveal whether the user exists."""
    try:
        await sending
    except AwsError as failure:
        return _redirect_if_trigger_failed(page, failure) or (
            [_public_problem(failure)] if failure.code == "LimitExceededException" else []
        )
    return []


def _redirect_if_trigger_failed(page: PageRequest, failure: AwsError) -> Reply | None:
    """Returns to the client if a function of the stack failed."""
    if failure.code not in _LAMBDA_ERRORS:
        return None
    log.warning("%s", failure)
    trigger = failure.message.partition(" ")[0]
    return pages.redirect(page.request.redirect_url(error="invalid_request", error_description=f"{trigger} failed"))


def _public_problem(failure: AwsError) -> Problem:
    if failure.code not in _PUBLIC_ERRORS:
        return Problem(_BAD_CODE, "code")
    return Problem(failure.message, _PUBLIC_ERRORS[failure.code])


def _forgot_page(page: PageRequest, *, email: str = "", problems: Sequence[Problem] = ()) -> Reply:
    form = page.form("/forgotPassword", email=email, problems=problems, links=[("/login", "Sign in")])
    return page.with_csrf_cookie(pages.forgot(form))


def _sign_up_page(page: PageRequest, *, problems: Sequence[Problem] = ()) -> Reply:
    typed = page.incoming.form()
    links = [("/login", "Have an account? Sign in"), ("/confirmUser", "Have a code? Confirm your address")]
    form = page.form("/signup", email=typed.get("username", "").strip(), problems=problems, links=links)
    return page.with_csrf_cookie(pages.sign_up(form, more=_typed_attributes(page.request.client.pool, typed)))


def _typed_attributes(pool: Record, form: dict[str, str]) -> dict[str, str]:
    return {name: form.get(name, "").strip() for name in _required_attributes(pool)}


def _required_attributes(pool: Record) -> list[str]:
    """The pool's required attributes, without the address that serves as the user name."""
    required = [definition["Name"] for definition in pool["SchemaAttributes"] if definition.get("Required")]
    return [name for name in required if name not in ("sub", *(pool.get("UsernameAttributes") or []))]
