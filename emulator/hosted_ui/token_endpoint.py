"""/oauth2/token, /oauth2/revoke, /oauth2/userInfo, and the discovery and JWKS documents.

Follows the endpoint pages of the Cognito Developer Guide, errors included.
"""

import base64
import hashlib
import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator import clock, engine
from emulator.cognito.grants import Code, Grants, Unusable
from emulator.cognito.pools import Client, Record, attributes_of, client_credentials, find_client, find_pool
from emulator.cognito.token_trigger import Overrides, Source, run_token_trigger
from emulator.cognito.tokens import (
    IssuedTokens,
    SignIn,
    attributes_in_scope,
    is_revoked,
    issue,
    issuer,
    unreadable_scope,
    verified_claims,
)
from emulator.wire import AwsError, Incoming, Reply, json_reply

log = logging.getLogger(__name__)

_NO_STORE = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))


@dataclass(eq=False)
class OAuthError(Exception):
    code: str
    status: int = 400


@dataclass
class TokenEndpoint:
    grants: Grants

    async def token(self, incoming: Incoming) -> Reply:
        try:
            return await self._grant(incoming, incoming.form())
        except OAuthError as failure:
            return _json({"error": failure.code}, failure.status)

    async def revoke(self, incoming: Incoming) -> Reply:
        """Also answers 200 for an unknown or already revoked token."""
        try:
            self._revoke(incoming, incoming.form())
        except OAuthError as failure:
            return _json({"error": failure.code}, failure.status)
        return Reply(200, b"", _NO_STORE)

    def _revoke(self, incoming: Incoming, form: Mapping[str, str]) -> None:
        client = _authenticate_client(incoming, form, status=401)
        if not form.get("token") or not client.record.get("EnableTokenRevocation", True):
            raise OAuthError("invalid_request")
        if verified_claims(form["token"]) is not None:
            raise OAuthError("unsupported_token_type")
        owner = self.grants.owner(form["token"])
        if owner is not None and owner.client_id == client.id:
            self.grants.revoke(form["token"])

    async def _grant(self, incoming: Incoming, form: Mapping[str, str]) -> Reply:
        kind = form.get("grant_type")
        client = _authenticate_client(incoming, form)
        if kind == "authorization_code":
            return await self._exchange_code(client, form)
        if kind == "refresh_token":
            return await self._refresh(client, form)
        raise OAuthError("unsupported_grant_type" if kind else "invalid_request")

    async def _exchange_code(self, client: Client, form: Mapping[str, str]) -> Reply:
        value, redirect_uri = _required(form, "code"), _required(form, "redirect_uri")
        code = self.grants.find_code(value)
        if code is None or code.sign_in.client_id != client.id or code.redirect_uri != redirect_uri:
            raise OAuthError("invalid_grant")
        if not _is_verifier_right(code, form.get("code_verifier", "")):
            raise OAuthError("invalid_grant")
        self.grants.use_code(value)
        user = _user_of(client, code)
        if unreadable_scope(client, code.sign_in.scope):
            raise OAuthError("invalid_grant")
        changes = await _run_trigger(client, user, code.sign_in, "TokenGeneration_HostedAuth")
        issued = issue(client, user, code.sign_in, overrides=changes, nonce=code.nonce)
        return _tokens(issued, self.grants.new_refresh_token(code.sign_in, client.seconds("refresh")))

    async def _refresh(self, client: Client, form: Mapping[str, str]) -> Reply:
        refreshed = self.grants.refresh(_required(form, "refresh_token"), client)
        if isinstance(refreshed, Unusable):
            raise OAuthError("invalid_grant")
        sign_in = refreshed.sign_in
        user = client.pool["_users"].get(sign_in.username)
        if user is None or not user.get("Enabled", True) or attributes_of(user).get("sub") != sign_in.sub:
            raise OAuthError("invalid_grant")
        changes = await _run_trigger(client, user, sign_in, "TokenGeneration_RefreshTokens")
        return _tokens(issue(client, user, sign_in, overrides=changes), refreshed.successor)


async def _run_trigger(client: Client, user: Record, sign_in: SignIn, source: Source) -> Overrides:
    """A failure of the stack's function is logged and not shown to the client."""
    try:
        return await run_token_trigger(client, user, source=source, scope=sign_in.scope)
    except AwsError as failure:
        log.warning("no tokens for %s: %s", sign_in.username, failure)
        raise OAuthError("invalid_grant") from failure


def _required(form: Mapping[str, str], name: str) -> str:
    """An empty value counts as a missing one."""
    if not form.get(name):
        raise OAuthError("invalid_request")
    return form[name]


def _authenticate_client(incoming: Incoming, form: Mapping[str, str], *, status: int = 400) -> Client:
    identifier, secret = client_credentials(incoming, form)
    client = find_client(identifier)
    if client is None or not client.accepts_secret(secret):
        raise OAuthError("invalid_client", status)
    return client


def _is_verifier_right(code: Code, verifier: str) -> bool:
    """PKCE, S256 only. If the code was requested without a challenge, a verifier is refused too."""
    if not code.challenge:
        return not verifier
    digest = hashlib.sha256(verifier.encode()).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"="), code.challenge.encode())


def _user_of(client: Client, code: Code) -> Record:
    user: Record | None = client.pool["_users"].get(code.sign_in.username)
    ended = code.sign_in.origin_jti in engine.cognito._revoked_tokens
    if user is None or ended or not user.get("Enabled", True) or attributes_of(user).get("sub") != code.sign_in.sub:
        raise OAuthError("invalid_grant")
    return user


def _tokens(issued: IssuedTokens, refresh_token: str | None) -> Reply:
    given = {"id_token": issued.id_token, "access_token": issued.access_token, "refresh_token": refresh_token}
    present: dict[str, Any] = {name: token for name, token in given.items() if token is not None}
    return _json({**present, "expires_in": issued.seconds, "token_type": "Bearer"})


async def user_info(incoming: Incoming) -> Reply:
    scheme, _, token = incoming.headers.get("authorization", "").partition(" ")
    claims = verified_claims(token.strip()) if scheme.lower() == "bearer" else None
    if claims is None or claims.get("token_use") != "access":
        return _json({"error": "invalid_request", "error_description": "Bad OAuth2 request at UserInfo Endpoint"}, 400)
    client = find_client(str(claims.get("client_id")))
    user = client.pool["_users"].get(claims.get("username")) if client else None
    stale = user is None or attributes_of(user)["sub"] != claims.get("sub") or claims.get("exp", 0) <= clock.now()
    if client is None or user is None or stale or is_revoked(user, claims):
        text = "Access token is expired, disabled, or deleted, or the user has globally signed out."
        challenge = f'Bearer error="invalid_token", error_description="{text}"'
        return _json({"error": "invalid_token"}, 401).with_headers(("WWW-Authenticate", challenge))
    if "openid" not in str(claims.get("scope", "")).split():
        return _json({"error": "insufficient_scope"}, 403)
    attributes = attributes_in_scope(client, user, str(claims["scope"]))
    return _json({**attributes, "sub": claims["sub"], "username": user["Username"]})


def jwks(pool_id: str) -> Reply | None:
    if find_pool(pool_id) is None:
        return None
    keys = [engine.cognito._pool_signing_key(pool_id, use)[1] for use in engine.cognito._POOL_KEY_USES]
    return json_reply({"keys": keys}, content_type="application/json")


def discovery(pool_id: str, base: str) -> Reply | None:
    """`base` is the emulator's address. On AWS the endpoints are on the sign-in domain and the issuer is elsewhere."""
    if find_pool(pool_id) is None:
        return None
    document = {
        "issuer": issuer(pool_id),
        "jwks_uri": f"{base}/{pool_id}/.well-known/jwks.json",
        "authorization_endpoint": f"{base}/oauth2/authorize",
        "token_endpoint": f"{base}/oauth2/token",
        "userinfo_endpoint": f"{base}/oauth2/userInfo",
        "revocation_endpoint": f"{base}/oauth2/revoke",
        "end_session_endpoint": f"{base}/logout",
        "response_types_supported": ["code", "token"],
        "scopes_supported": ["openid", "email", "phone", "profile"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }
    return json_reply(document, content_type="application/json")


def _json(data: Mapping[str, Any], status: int = 200) -> Reply:
    return json_reply(data, status, "application/json").with_headers(*_NO_STORE)
