"""Calls Cognito's OAuth endpoints: exchange a code, renew tokens, revoke them.

https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import requests

from tenants.domain.errors import Misconfigured, PortalError, SessionEnded, SignInFailed, Throttled, Unreachable

_TIMEOUT = (2, 5)
_SERVICE = "Sign-in (Cognito)"


@dataclass(frozen=True, slots=True)
class Tokens:
    """Unverified. `refresh_token` is "" if the endpoint sent none: without rotation, the old one stays valid."""

    id_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """`domain` is the URL of the sign-in domain, without a trailing slash."""

    domain: str
    client_id: str
    client_secret: str = field(repr=False)

    def trade_code(self, *, code: str, redirect_uri: str, code_verifier: str) -> Tokens:
        """Raises SignInFailed for a used, expired or foreign code; Misconfigured; Throttled; Unreachable."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": code_verifier,
        }
        return self._tokens(form, refused=SignInFailed)

    def renew(self, refresh_token: str) -> Tokens:
        """Raises SessionEnded if the refresh token is expired or revoked; Misconfigured; Throttled; Unreachable."""
        return self._tokens({"grant_type": "refresh_token", "refresh_token": refresh_token}, refused=SessionEnded)

    def revoke(self, refresh_token: str) -> None:
        """Ends the refresh token and the tokens issued from it. An already revoked one is no error.

        Raises Throttled, Unreachable, or Misconfigured if Cognito refuses this client.
        """
        response = self._post("/oauth2/revoke", {"token": refresh_token})
        if response.status_code != requests.codes.ok:
            raise _unexpected("/oauth2/revoke", response)

    def _tokens(self, form: Mapping[str, str], *, refused: type[SignInFailed | SessionEnded]) -> Tokens:
        response = self._post("/oauth2/token", form)
        body = _json(response)
        if body.get("error") == "invalid_grant":
            raise refused("the token endpoint answered invalid_grant")
        if response.status_code != requests.codes.ok:
            raise _unexpected("/oauth2/token", response)
        id_token = body.get("id_token")
        if not isinstance(id_token, str):
            raise refused("the token endpoint gave no ID token")
        return Tokens(id_token=id_token, refresh_token=str(body.get("refresh_token") or ""))

    def _post(self, path: str, form: Mapping[str, str]) -> requests.Response:
        try:
            response = requests.post(
                f"{self.domain}{path}",
                data={**form, "client_id": self.client_id},
                auth=(self.client_id, self.client_secret),
                timeout=_TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise Unreachable(_SERVICE, f"{path}: {type(error).__name__}") from error
        failure = _passing_error(path, response.status_code)
        if failure:
            raise failure
        return response


def _unexpected(path: str, response: requests.Response) -> Misconfigured:
    """Not the person's fault: the client's id or secret, the redirect address or the flow does not match Cognito's."""
    return Misconfigured(f"{path} answered {response.status_code} {_json(response).get('error', '')}".strip())


def _passing_error(path: str, status: int) -> PortalError | None:
    if status == 429:
        return Throttled(_SERVICE, f"{path} answered 429")
    return Unreachable(_SERVICE, f"{path} answered {status}") if status >= 500 else None


def _json(response: requests.Response) -> Mapping[str, object]:
    try:
        body = response.json()
    except requests.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
