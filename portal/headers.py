"""Headers on every response: the content security policy, and no caching of personal pages."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse


class Headers:
    """Reads SECURE_CSP, which has the same name and meaning as in Django 6. Django 6 brings its own middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.policy = "; ".join(f"{name} {value}" for name, value in settings.SECURE_CSP.items())

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Content-Security-Policy"] = self.policy
        response["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
        # After sign-out, the browser's Back button must not show earlier pages.
        response.setdefault("Cache-Control", "no-store")
        return response
