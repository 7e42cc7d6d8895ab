"""Headers on every response without exception: the content security policy, and no caching of personal pages.

The outermost middleware but the log, so that nothing is answered outside it. `BARE` is for what the server itself
writes, when no request reaches Django.
"""

from collections.abc import Callable, Mapping

from django.conf import settings
from django.http import HttpRequest, HttpResponse

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # After sign-out, the browser's Back button must not show earlier pages.
    "Cache-Control": "no-store",
}
BARE = {**_ALWAYS, "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"}


class Headers:
    """Reads SECURE_CSP, which has the same name and meaning as in Django 6. Django 6 brings its own middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.policy = _in_one_line(settings.SECURE_CSP)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Content-Security-Policy"] = self._policy_of(response)
        for name, value in _ALWAYS.items():
            response.setdefault(name, value)
        return response

    def _policy_of(self, response: HttpResponse) -> str:
        """A page that asks AWS by itself names the origins in `connect_to`: its scripts reach those and no other."""
        origins: list[str] = getattr(response, "connect_to", [])
        return _in_one_line({**settings.SECURE_CSP, "connect-src": " ".join(origins)}) if origins else self.policy


def _in_one_line(policy: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in policy.items())
