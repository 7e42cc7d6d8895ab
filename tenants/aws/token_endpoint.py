"""Calls Cognito's OAuth endpoints: exchange a code, renew tokens, revoke them.

https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import requests

from tenants.aws.bounded_http import Answer, NoAnswer, call
from tenants.domain.errors import Misconfigured, PortalError, SessionEnded, Throttled, Unreachable
from tenants.domain.strict_json import NotStrict, read_json_object

_SERVICE = "Sign-in (Cognito)"
_OK, _TOO_MANY = 200, 429
_ERRORS = {"invalid_client", "invalid_grant", "invalid_request", "unauthorized_client", "unsupported_grant_type"}


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

    def trade_code(self, *, code: str, redirect_uri: str, code_verifier: str) -> Tokens | None:
        """None for a used, expired or foreign code. Raises Misconfigured; Throttled; Unreachable."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": code_verifier,
        }
        return self._tokens(form)

    def renew(self, refresh_token: str) -> Tokens:
        """Raises SessionEnded if the refresh token is expired or revoked; Misconfigured; Throttled; Unreachable."""
        tokens = self._tokens({"grant_type": "refresh_token", "refresh_token": refresh_token})
        if tokens is None:
            raise SessionEnded("the token endpoint answered invalid_grant")
        return tokens

    def revoke(self, refresh_token: str) -> None:
        """Ends the refresh token and the tokens issued from it. An already revoked one is no error.

        Raises Throttled, Unreachable, or Misconfigured if Cognito refuses this client.
        """
        answer = self._post("/oauth2/revoke", {"token": refresh_token})
        if answer.status != _OK:
            raise _unexpected("/oauth2/revoke", answer)

    def _tokens(self, form: Mapping[str, str]) -> Tokens | None:
        answer = self._post("/oauth2/token", form)
        if answer.status != _OK:
            if _error_in(answer) == "invalid_grant":
                return None
            raise _unexpected("/oauth2/token", answer)
        try:
            body = read_json_object(answer.body)
        except NotStrict as error:
            raise Unreachable(_SERVICE, f"/oauth2/token: {error}") from error
        id_token, refresh_token = body.get("id_token"), body.get("refresh_token", "")
        if not isinstance(id_token, str) or not isinstance(refresh_token, str):
            raise Unreachable(_SERVICE, "/oauth2/token gave no tokens")
        return Tokens(id_token=id_token, refresh_token=refresh_token)

    def _post(self, path: str, form: Mapping[str, str]) -> Answer:
        request = requests.Request(
            "POST",
            f"{self.domain}{path}",
            data={**form, "client_id": self.client_id},
            auth=(self.client_id, self.client_secret),
        )
        try:
            answer = call(request.prepare())
        except NoAnswer as error:
            raise Unreachable(_SERVICE, f"{path}: {error}") from error
        if answer.status == _TOO_MANY:
            raise Throttled(_SERVICE, f"{path} answered {_TOO_MANY}")
        return answer


def _unexpected(path: str, answer: Answer) -> PortalError:
    """An error of OAuth is not the person's fault: the client's id or secret, its address or its flow is wrong.

    Anything else is no answer of Cognito's: it is down, or something before it answers.
    """
    error = _error_in(answer)
    if error and 400 <= answer.status < 500:
        return Misconfigured(f"{path} answered {answer.status} {error}")
    return Unreachable(_SERVICE, f"{path} answered {answer.status}")


def _error_in(answer: Answer) -> str:
    """The error of OAuth, "" where there is none that is known."""
    try:
        error = read_json_object(answer.body).get("error")
    except NotStrict:
        return ""
    return error if isinstance(error, str) and error in _ERRORS else ""
