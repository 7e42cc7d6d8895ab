"""Refuses over plain http what carries a credential, where the portal is served over https.

A redirect would hide the mistake: the client would go on to send its token or its form in the clear, each time, before
it asks again over https. Pages without a credential are redirected by Django's SecurityMiddleware.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware

from tenants.pages.routes import route_at

# A token, a sign-in code, and the keys of links from mails belong to these addresses.
_WITH_CREDENTIALS = frozenset({"/metrics", "/oidc/callback/", "/recovery/<key>/", "/organisation/closing/<key>/"})


class PlainHttp:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.security = SecurityMiddleware(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        would_redirect = self.security.process_request(request) is not None
        return _refusal() if would_redirect and _carries_credential(request) else self.get_response(request)


def _carries_credential(request: HttpRequest) -> bool:
    is_form = request.method not in {"GET", "HEAD"}
    own = (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, "__Host-")
    has_cookie = any(name.startswith(own) for name in request.COOKIES)
    return is_form or has_cookie or "Authorization" in request.headers or _is_for_credentials(request.path_info)


def _is_for_credentials(path: str) -> bool:
    """With a slash too many or too few, too: the credential is on its way all the same."""
    bare = path.rstrip("/")
    return not {route_at(bare), route_at(f"{bare}/")}.isdisjoint(_WITH_CREDENTIALS)


def _refusal() -> HttpResponse:
    words = "This is served over https only. What was sent may have been read on the way: replace it if it is secret.\n"
    return HttpResponse(words, status=403, content_type="text/plain; charset=utf-8")
