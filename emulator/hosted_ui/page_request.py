"""What every sign-in page begins with: the request that brought the person here, and a form that is really theirs."""

import hmac
import secrets
from dataclasses import dataclass

from emulator.cognito.pools import Record
from emulator.hosted_ui import pages
from emulator.hosted_ui.authorize_request import AuthorizeRequest, ErrorRedirect, UnknownClient, parse_authorize_request
from emulator.wire import Incoming, Reply

CSRF_COOKIE = "XSRF-TOKEN"
CSRF_SECONDS = 3600
STALE = "This page had been open for too long. Please try again."


@dataclass(frozen=True, slots=True)
class PageRequest:
    incoming: Incoming
    request: AuthorizeRequest
    csrf: str

    @property
    def has_valid_csrf_token(self) -> bool:
        """Whether the form was one of ours, shown to this browser."""
        given, wanted = self.incoming.form().get("_csrf", ""), self.incoming.cookies().get(CSRF_COOKIE, "")
        same = hmac.compare_digest(given.encode(errors="replace"), wanted.encode(errors="replace"))
        return bool(wanted) and same

    def form(
        self, path: str, *, email: str = "", error: str = "", notice: str = "", links: pages.Links = ()
    ) -> pages.Form:
        """For a page that posts to this path. `links` lead to further pages of ours, by their paths."""
        return pages.Form(
            action=self.request.page_url(path),
            return_origin=self.request.return_origin,
            csrf=self.csrf,
            email=email,
            error=error,
            notice=notice,
            rules=password_rules(self.request.client.pool),
            links=[(self.request.page_url(where), words) for where, words in links],
        )

    def with_csrf_cookie(self, reply: Reply) -> Reply:
        """The page, with the cookie by which its form is known again."""
        return reply.with_headers(cookie(CSRF_COOKIE, self.csrf, seconds=CSRF_SECONDS))


def read_page_request(incoming: Incoming) -> PageRequest | Reply:
    """A page or a redirect where the client did not ask as it should have."""
    try:
        request = parse_authorize_request(incoming.query())
    except UnknownClient as failure:
        return pages.error(str(failure))
    except ErrorRedirect as back:
        return pages.redirect(back.location)
    return PageRequest(incoming, request, incoming.cookies().get(CSRF_COOKIE) or secrets.token_urlsafe(24))


def cookie(name: str, value: str, *, seconds: int) -> tuple[str, str]:
    return "Set-Cookie", f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax"


def password_rules(pool: Record) -> str:
    policy = (pool.get("Policies") or {}).get("PasswordPolicy") or {}
    wanted = {
        "RequireLowercase": "a small letter",
        "RequireUppercase": "a capital",
        "RequireNumbers": "a digit",
        "RequireSymbols": "a symbol",
    }
    parts = [words for rule, words in wanted.items() if policy.get(rule, True) in (True, "true")]
    length = f"At least {policy.get('MinimumLength', 8)} characters"
    return f"{length}, with {', '.join(parts)}." if parts else f"{length}."
