"""Django's session middleware, for people with several tabs.

One tab signs in or out, which deletes the session that a request of another tab began with. Django would answer that
request with 400 where it changed its session.
"""

from __future__ import annotations

from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse


class SessionSaving(SessionMiddleware):
    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """The answer goes out; the changes of a deleted session are lost with it."""
        try:
            return super().process_response(request, response)
        except SessionInterrupted:
            return response
