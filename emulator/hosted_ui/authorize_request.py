"""Reads a request to the authorization endpoint and validates it against the client's registration.

Follows "Authorize endpoint" in the Cognito Developer Guide. It never redirects to an unregistered client or address.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from emulator.cognito.pools import Client, find_client

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43,128}", re.ASCII)
_FORWARDED = (
    "client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
    "prompt", "login_hint",
)  # fmt: skip


class UnknownClient(Exception):
    """The client or its redirect address is not registered. The person sees a page instead of a redirect."""


class ErrorRedirect(Exception):
    """An OAuth error that is sent to the client's own address."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


@dataclass(frozen=True, slots=True)
class AuthorizeRequest:
    client: Client
    redirect_uri: str
    scope: str
    state: str
    nonce: str
    challenge: str
    prompt: str
    query: Mapping[str, str]

    def redirect_url(self, **parameters: str) -> str:
        """The client's address with these parameters and the client's `state`."""
        if self.state:
            parameters["state"] = self.state
        separator = "&" if "?" in self.redirect_uri else "?"
        return f"{self.redirect_uri}{separator}{urlencode(parameters)}"

    def page_url(self, path: str) -> str:
        """The address of one of our pages, with the parameters of this request."""
        return f"{path}?{urlencode({name: self.query[name] for name in _FORWARDED if name in self.query})}"

    @property
    def return_origin(self) -> str:
        parts = urlsplit(self.redirect_uri)
        return f"{parts.scheme}://{parts.netloc}"


def parse_authorize_request(query: Mapping[str, str]) -> AuthorizeRequest:
    """Raises `UnknownClient` or `ErrorRedirect`."""
    client = find_client(query.get("client_id", ""))
    if client is None:
        raise UnknownClient("The client does not exist.")
    if not client.may_redirect_to(query.get("redirect_uri", "")):
        raise UnknownClient("The redirect address is not registered for this client.")
    request = AuthorizeRequest(
        client=client,
        redirect_uri=query["redirect_uri"],
        scope=query.get("scope") or " ".join(client.scopes),
        state=query.get("state", ""),
        nonce=query.get("nonce", ""),
        challenge=query.get("code_challenge", ""),
        prompt=query.get("prompt", ""),
        query=query,
    )
    if error := _error(request):
        raise ErrorRedirect(request.redirect_url(error=error))
    return request


def _error(request: AuthorizeRequest) -> str | None:
    query = request.query
    if query.get("response_type") not in ("code", "token"):
        return "invalid_request"
    if query["response_type"] != "code" or not request.client.uses_code_flow():
        return "unauthorized_client"
    if not set(request.scope.split()) <= set(request.client.scopes):
        return "invalid_scope"
    challenged = bool(request.challenge or query.get("code_challenge_method"))
    if challenged and (query.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(request.challenge)):
        return "invalid_request"
    return None
