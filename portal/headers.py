"""Headers on every answer: the content security policy, and no caching of what belongs to a person."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse


class Headers:
    """The setting has the name and meaning it has in Django 6, which brings a middleware of its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.policy = "; ".join(f"{name} {value}" for name, value in settings.SECURE_CSP.items())

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Content-Security-Policy"] = self.policy
        response["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
        # The browser's Back must show nothing of a session that has ended.
        response.setdefault("Cache-Control", "no-store")
        return response
