"""A browser at the emulator's sign-in pages, together with the client that it signs in to."""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import parse_qs, urlsplit

import requests

from tests.emulator.world import (
    ACME_OWNER,
    PASSWORD,
    REDIRECT,
    Person,
    Stack,
)


@dataclass
class Browser:
    """A browser together with its client: a session with cookies, and a PKCE verifier."""

    stack: Stack
    http: requests.Session = field(default_factory=requests.Session)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def url(self, path: str) -> str:
        return f"{self.stack.emulator.endpoint_url}{path}"

    def query(self, **changes: str) -> dict[str, str]:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.stack.client_id,
            "redirect_uri": REDIRECT,
            "state": "the state",
            "nonce": "the nonce",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in {**query, **changes}.items() if value}

    def authorize(self, **changes: str) -> requests.Response:
        return self.http.get(
            self.url("/oauth2/authorize"), params=self.query(**changes), allow_redirects=False, timeout=10
        )

    def page(self, **changes: str) -> requests.Response:
        return self.http.get(self.url(self.authorize(**changes).headers["Location"]), timeout=10)

    def submit(self, page: requests.Response, **typed: str) -> requests.Response:
        fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        action = re.search(r'action="([^"]+)"', page.text)
        assert action is not None
        where = self.url(unescape(action[1]))
        return self.http.post(where, data={**fields, **typed}, allow_redirects=False, timeout=10)

    def sign_in(self, person: Person = ACME_OWNER, **changes: str) -> str:
        """Returns the authorization code."""
        return code_in(self.submit(self.page(**changes), username=person.email, password=PASSWORD))

    def token(self, auth: tuple[str, str] | None = None, **form: str) -> requests.Response:
        client = auth or (self.stack.client_id, self.stack.secret())
        return self.http.post(self.url("/oauth2/token"), data=form, auth=client, timeout=10)

    def exchange(self, code: str, **changes: str) -> requests.Response:
        form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT, "code_verifier": self.verifier}
        return self.token(**{**form, "code": code, **changes})

    def refresh(self, token: str) -> requests.Response:
        return self.token(grant_type="refresh_token", refresh_token=token)


def redirect_parameters(answer: requests.Response) -> dict[str, str]:
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(REDIRECT)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def code_in(answer: requests.Response) -> str:
    back = redirect_parameters(answer)
    assert back["state"] == "the state"
    return back["code"]
