"""A request to a hosted page: the client's authorization request, and the CSRF token that protects the page's form."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from emulator.cognito.pools import Record
from emulator.hosted_ui import pages
from emulator.hosted_ui.authorize_request import AuthorizeRequest, ErrorRedirect, UnknownClient, parse_authorize_request
from emulator.hosted_ui.pages.fields import Problem
from emulator.wire import Incoming, Reply

CSRF_SECONDS = 3600
STALE = Problem("This page was open for too long. Please try again.")


@dataclass(frozen=True, slots=True)
class PageRequest:
    incoming: Incoming
    request: AuthorizeRequest
    csrf: str

    @property
    def has_valid_csrf_token(self) -> bool:
        """Whether this browser got the form from one of our pages."""
        given, wanted = self.incoming.form().get("_csrf", ""), self.incoming.cookies().get(_cookie_of(self.request), "")
        same = hmac.compare_digest(given.encode(errors="replace"), wanted.encode(errors="replace"))
        return bool(wanted) and same

    def form(
        self,
        path: str,
        *,
        email: str = "",
        problems: Sequence[Problem] = (),
        notice: str = "",
        links: pages.Links = (),
    ) -> pages.Form:
        """The form of a page that posts to `path`. `links` are paths of our other pages, with their labels."""
        return pages.Form(
            action=self.request.page_url(path),
            return_origin=self.request.return_origin,
            csrf=self.csrf,
            email=email,
            problems=problems,
            notice=notice,
            rules=password_rules(self.request.client.pool),
            links=[(self.request.page_url(where), words) for where, words in links],
        )

    def with_csrf_cookie(self, reply: Reply) -> Reply:
        """Adds the cookie that is compared with the form's token."""
        return reply.with_headers(cookie(_cookie_of(self.request), self.csrf, seconds=CSRF_SECONDS))


def read_page_request(incoming: Incoming) -> PageRequest | Reply:
    """Returns an error page or a redirect if the client's request is invalid."""
    try:
        request = parse_authorize_request(incoming.query())
    except UnknownClient as failure:
        return pages.error(str(failure))
    except ErrorRedirect as back:
        return pages.redirect(back.location)
    return PageRequest(incoming, request, incoming.cookies().get(_cookie_of(request)) or secrets.token_urlsafe(24))


def _cookie_of(request: AuthorizeRequest) -> str:
    """A cookie for each sign-in: tabs that open at the same moment would overwrite a shared one."""
    return f"XSRF-TOKEN-{hashlib.sha256(request.page_url('').encode()).hexdigest()[:16]}"


def cookie(name: str, value: str, *, seconds: int) -> tuple[str, str]:
    return "Set-Cookie", f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax"


def password_rules(pool: Record) -> str:
    policy = (pool.get("Policies") or {}).get("PasswordPolicy") or {}
    wanted = {
        "RequireLowercase": "a lowercase letter",
        "RequireUppercase": "an uppercase letter",
        "RequireNumbers": "a digit",
        "RequireSymbols": "a symbol",
    }
    parts = [words for rule, words in wanted.items() if policy.get(rule, True) in (True, "true")]
    length = f"At least {policy.get('MinimumLength', 8)} characters"
    return f"{length}, with {', '.join(parts)}." if parts else f"{length}."
