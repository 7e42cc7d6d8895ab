"""Signing in, refreshing and revoking through the user pool API.

The engine runs the flow, and its tokens are replaced by ours. So a refresh token works the same from the API and from
the hosted pages, and the pool's PreTokenGeneration trigger applies.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator import clock, engine
from emulator.cognito.attempts import Attempts
from emulator.cognito.grants import Grants, Unusable
from emulator.cognito.passwords import temporary_password_expired
from emulator.cognito.pools import (
    Client,
    Record,
    attributes_of,
    find_client,
    find_user,
    has_password,
    may_still_sign_in,
)
from emulator.cognito.token_trigger import Source, run_token_trigger
from emulator.cognito.tokens import API_SCOPE, SignIn, issue, new_sign_in, verified_claims
from emulator.wire import AwsError, Reply, json_reply

Data = dict[str, Any]

_FLOWS = {
    "USER_PASSWORD_AUTH": "ALLOW_USER_PASSWORD_AUTH",
    "USER_SRP_AUTH": "ALLOW_USER_SRP_AUTH",
    "CUSTOM_AUTH": "ALLOW_CUSTOM_AUTH",
    "ADMIN_USER_PASSWORD_AUTH": "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    "ADMIN_NO_SRP_AUTH": "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    "REFRESH_TOKEN_AUTH": "ALLOW_REFRESH_TOKEN_AUTH",
    "REFRESH_TOKEN": "ALLOW_REFRESH_TOKEN_AUTH",
}
_WITH_PASSWORD = frozenset({"USER_PASSWORD_AUTH", "ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"})
_INCORRECT = "Incorrect username or password."
_EXPIRED = "Temporary password has expired and must be reset by an administrator."


@dataclass
class ApiSignIn:
    grants: Grants
    attempts: Attempts

    async def begin(self, client: Client, data: Data) -> Reply | None:
        """Runs before InitiateAuth and AdminInitiateAuth.

        Returns None if the engine should run the flow. Raises `AwsError`.
        """
        flow, parameters = str(data.get("AuthFlow")), data.get("AuthParameters") or {}
        _check_flow(client, flow)
        if flow.startswith("REFRESH_TOKEN"):
            return await self._refresh_with_hash(client, parameters, data.get("ClientMetadata"))
        if flow in _WITH_PASSWORD:
            name = str(parameters.get("USERNAME") or "")
            self.check_allowed(client, name)
            user = find_user(client.pool, name)
            if user is not None and has_password(user, str(parameters.get("PASSWORD"))):
                _check_not_expired(client, user)
        return None

    def check_allowed(self, client: Client, name: str) -> None:
        self.attempts.check_password_allowed(client.pool_id, canonical_name(client, name))

    def count_attempt(self, client: Client, name: str, reply: Reply) -> None:
        """Call this after a password was tried."""
        if reply.status == 200:
            self.attempts.record_success(client.pool_id, canonical_name(client, name))
        elif _INCORRECT.encode() in reply.body:
            self.attempts.record_failure(client.pool_id, canonical_name(client, name))

    async def exchange_tokens(self, reply: Reply, *, source: Source, metadata: Mapping[str, str] | None) -> Reply:
        """Replaces the engine's tokens in an answer by ours. Leaves other answers unchanged. Raises `AwsError`."""
        answer = json.loads(reply.body) if reply.status == 200 and b'"AuthenticationResult"' in reply.body else {}
        result = answer.get("AuthenticationResult") or {}
        if "AccessToken" not in result:
            return reply
        claims = engine.cognito._token_claims(result["AccessToken"])
        client = find_client(str(claims["client_id"]))
        user = client.pool["_users"].get(claims["username"]) if client else None
        if client is None or user is None:
            raise AwsError("NotAuthorizedException", _INCORRECT)
        sub = attributes_of(user)["sub"]
        origin, now = str(claims["origin_jti"]), int(clock.now())
        sign_in = SignIn(client.pool_id, client.id, user["Username"], sub, API_SCOPE, origin, now)
        tokens = await self._first_tokens(client, user, sign_in, source, metadata)
        return json_reply({**answer, "AuthenticationResult": {**result, **tokens}})

    async def finish(self, client: Client, user: Record, *, metadata: Mapping[str, str] | None) -> Reply:
        """The tokens of somebody who has passed every challenge. Raises `AwsError`."""
        if not may_still_sign_in(user):
            raise AwsError("NotAuthorizedException", "User is disabled.")
        sign_in = new_sign_in(client, user, scope=API_SCOPE, auth_time=int(clock.now()), hosted=False)
        tokens = await self._first_tokens(client, user, sign_in, "TokenGeneration_Authentication", metadata)
        return json_reply({"AuthenticationResult": {**tokens, "TokenType": "Bearer"}, "ChallengeParameters": {}})

    async def _first_tokens(
        self, client: Client, user: Record, sign_in: SignIn, source: Source, metadata: Mapping[str, str] | None
    ) -> Data:
        changes = await run_token_trigger(client, user, source=source, scope=API_SCOPE, metadata=metadata)
        issued = issue(client, user, sign_in, overrides=changes)
        refresh_token = self.grants.new_refresh_token(sign_in, client.seconds("refresh"))
        tokens = {"AccessToken": issued.access_token, "IdToken": issued.id_token, "RefreshToken": refresh_token}
        return {**tokens, "ExpiresIn": issued.seconds}

    async def refresh(self, client: Client, data: Data) -> Reply:
        """GetTokensFromRefreshToken."""
        if not client.accepts_secret(str(data.get("ClientSecret") or "")):
            raise AwsError("NotAuthorizedException", "Invalid client secret.")
        return await self._refresh_tokens(client, str(data.get("RefreshToken") or ""), data.get("ClientMetadata"))

    async def _refresh_with_hash(self, client: Client, parameters: Data, metadata: Mapping[str, str] | None) -> Reply:
        if client.rotation_grace() is not None:
            text = "Refresh tokens of this client rotate: use GetTokensFromRefreshToken."
            raise AwsError("InvalidParameterException", text)
        value = str(parameters.get("REFRESH_TOKEN") or "")
        owner = self.grants.owner(value)
        if owner is not None:
            _check_hash(client, {owner.username, owner.sub}, parameters.get("SECRET_HASH"))
        return await self._refresh_tokens(client, value, metadata)

    async def _refresh_tokens(self, client: Client, value: str, metadata: Mapping[str, str] | None) -> Reply:
        refreshed = self.grants.refresh(value, client)
        if isinstance(refreshed, Unusable):
            reused = refreshed is Unusable.REUSED
            raise AwsError("RefreshTokenReuseException" if reused else "NotAuthorizedException", refreshed.value)
        sign_in = refreshed.sign_in
        user = client.pool["_users"].get(sign_in.username)
        if user is None or attributes_of(user)["sub"] != sign_in.sub:
            raise AwsError("NotAuthorizedException", "The user has been deleted for the associated refresh token")
        if not user.get("Enabled", True):
            raise AwsError("NotAuthorizedException", "User is disabled.")
        source: Source = "TokenGeneration_RefreshTokens"
        changes = await run_token_trigger(client, user, source=source, scope=sign_in.scope, metadata=metadata)
        issued = issue(client, user, sign_in, overrides=changes)
        result = {"AccessToken": issued.access_token, "IdToken": issued.id_token, "ExpiresIn": issued.seconds}
        extra = {"RefreshToken": refreshed.successor} if refreshed.successor else {}
        return json_reply({"AuthenticationResult": {**result, **extra, "TokenType": "Bearer"}})

    def revoke(self, client: Client, data: Data) -> Reply:
        """RevokeToken. An unknown token is not an error."""
        owner = self.grants.owner(str(data.get("Token")))
        if not client.accepts_secret(str(data.get("ClientSecret") or "")):
            raise AwsError("UnauthorizedException", "Invalid client or client secret.")
        if not client.record.get("EnableTokenRevocation", True):
            raise AwsError("UnsupportedOperationException", "Revoke token feature not enabled for this client")
        if verified_claims(str(data.get("Token"))) is not None:
            raise AwsError("UnsupportedTokenTypeException", "Only a refresh token can be revoked.")
        if owner is not None and owner.client_id != client.id:
            raise AwsError("UnauthorizedException", "Invalid client or client secret.")
        self.grants.revoke(str(data.get("Token")))
        return json_reply({})


def _check_flow(client: Client, flow: str) -> None:
    if _FLOWS.get(flow) not in client.flows():
        text = "is not enabled for the client." if flow == "USER_SRP_AUTH" else "flow not enabled for this client"
        raise AwsError("InvalidParameterException", f"{flow} {text}")
    if flow == "CUSTOM_AUTH" and not (client.pool.get("LambdaConfig") or {}).get("DefineAuthChallenge"):
        raise AwsError("InvalidParameterException", "Custom auth lambda trigger is not configured for the user pool.")


def _check_not_expired(client: Client, user: Record) -> None:
    if temporary_password_expired(client.pool, user):
        raise AwsError("NotAuthorizedException", _EXPIRED)


def _check_hash(client: Client, names: set[str], given: object) -> None:
    """Accepts a secret hash made with any of the user's names."""
    secret = client.record.get("ClientSecret")
    if not secret:
        return
    if not isinstance(given, str) or not given:
        text = f"Client {client.id} is configured with secret but SECRET_HASH was not received"
        raise AwsError("NotAuthorizedException", text)
    for name in names:
        digest = hmac.new(str(secret).encode(), (name + client.id).encode(), hashlib.sha256).digest()
        if hmac.compare_digest(base64.b64encode(digest), given.encode(errors="replace")):
            return
    raise AwsError("NotAuthorizedException", f"Unable to verify secret hash for client {client.id}")


def canonical_name(client: Client, name: str) -> str:
    """The user name of the person, whichever of their names was typed. An unknown name is returned unchanged."""
    user = find_user(client.pool, name)
    return str(user["Username"]) if user else name
