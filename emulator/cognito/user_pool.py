"""The user pool API: the engine's operations, with the checks that AWS makes and the engine does not.

Whoever may call an operation has been decided before; here it is whether the operation may do this.
"""

import json
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from emulator import engine
from emulator.cognito.attributes import check_creation, check_update, written
from emulator.cognito.grants import Grants
from emulator.cognito.pools import Client, Record, attributes_of, find_client, find_user
from emulator.cognito.tokens import issue, readable, verified_claims
from emulator.wire import AwsError, Reply, json_reply

Data = dict[str, Any]

SELF_SERVICE = frozenset(engine.cognito._UNSIGNED_IDP_ACTIONS)

_MOST_CHALLENGES = 1000
_MOST_WRONG_CODES = 5
_FLOWS = {
    "USER_PASSWORD_AUTH": ("ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"),
    "USER_SRP_AUTH": ("ALLOW_USER_SRP_AUTH",),
    "CUSTOM_AUTH": ("ALLOW_CUSTOM_AUTH", "CUSTOM_AUTH_FLOW_ONLY"),
    "ADMIN_USER_PASSWORD_AUTH": ("ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"),
    "ADMIN_NO_SRP_AUTH": ("ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"),
    "REFRESH_TOKEN_AUTH": ("ALLOW_REFRESH_TOKEN_AUTH",),
    "REFRESH_TOKEN": ("ALLOW_REFRESH_TOKEN_AUTH",),
}


class UserPoolApi:
    def __init__(self, grants: Grants) -> None:
        self._grants = grants
        self._challenges: dict[str, tuple[str, str]] = {}
        self._wrong_codes: Counter[tuple[str, str]] = Counter()
        self._before: dict[str, Callable[[Data], Reply | None]] = {
            "SignUp": _before_sign_up,
            "AdminCreateUser": _before_admin_create_user,
            "AdminUpdateUserAttributes": _before_admin_update,
            "UpdateUserAttributes": _before_update,
            "InitiateAuth": _before_initiate_auth,
            "AdminInitiateAuth": _before_initiate_auth,
            "RespondToAuthChallenge": self._before_challenge_answer,
            "AdminRespondToAuthChallenge": self._before_challenge_answer,
            "GetTokensFromRefreshToken": self._refresh,
            "RevokeToken": self._revoke,
            "ListUsers": _before_list_users,
            "ConfirmSignUp": self._before_code,
            "ConfirmForgotPassword": self._before_code,
        }

    async def run(self, operation: str, data: Data) -> Reply:
        """In the scope of the request's region. Raises `AwsError` for a refusal."""
        if operation in SELF_SERVICE:
            engine.cognito._pin_unsigned_idp_scope(data)
            _check_access_token(data)
        before = self._before.get(operation)
        reply = before(data) if before else None
        if reply is not None:
            return reply
        status, headers, body = await engine.cognito._dispatch_idp(operation, data)
        reply = Reply(status, body, tuple(headers.items()))
        self._remember_challenge(data, reply)
        self._count_wrong_codes(operation, data, reply)
        _replace_known_code(operation, data)
        _keep_rotation(operation, data)
        return reply if operation != "GetUser" else _readable_only(data, reply)

    def _remember_challenge(self, data: Data, reply: Reply) -> None:
        """The engine does not check the challenge sessions it hands out; whoever answers one must show one."""
        if reply.status != 200 or b'"Session"' not in reply.body:
            return
        answer = json.loads(reply.body)
        if answer.get("Session") and answer.get("ChallengeName"):
            username = (data.get("AuthParameters") or data.get("ChallengeResponses") or {}).get("USERNAME", "")
            self._challenges[answer["Session"]] = (str(data.get("ClientId")), str(username))
            while len(self._challenges) > _MOST_CHALLENGES:
                del self._challenges[next(iter(self._challenges))]

    def _before_code(self, data: Data) -> None:
        if self._wrong_codes[_client(data).id, str(data.get("Username"))] >= _MOST_WRONG_CODES:
            raise AwsError("LimitExceededException", "Attempt limit exceeded, please try after some time.")

    def _count_wrong_codes(self, operation: str, data: Data, reply: Reply) -> None:
        who = str(data.get("ClientId")), str(data.get("Username"))
        if operation in _CODES:
            self._wrong_codes.pop(who, None)
        elif operation.startswith("Confirm") and b"CodeMismatchException" in reply.body:
            self._wrong_codes[who] += 1

    def _before_challenge_answer(self, data: Data) -> None:
        asked = self._challenges.pop(str(data.get("Session")), None)
        username = (data.get("ChallengeResponses") or {}).get("USERNAME", "")
        if asked is None or asked != (str(data.get("ClientId")), str(username)):
            raise AwsError("NotAuthorizedException", "Invalid session for the user.")
        given = {
            name.removeprefix("userAttributes."): str(value)
            for name, value in data["ChallengeResponses"].items()
            if name.startswith("userAttributes.")
        }
        client = _client(data)
        check_update(client.pool, given, client=client)
        new_password = data["ChallengeResponses"].get("NEW_PASSWORD")
        if new_password is not None and engine.cognito._password_policy_errors(client.pool, str(new_password)):
            raise AwsError("InvalidPasswordException", "Password does not conform to policy.")

    def _refresh(self, data: Data) -> Reply | None:
        """Tokens for a refresh token of the hosted pages. The engine knows only those that it issued itself."""
        token = str(data.get("RefreshToken"))
        if self._grants.owner(token) is None:
            return None
        client = _client(data)
        if not client.accepts_secret(str(data.get("ClientSecret") or "")):
            raise AwsError("NotAuthorizedException", "Invalid client secret.")
        refreshed = self._grants.refreshed(token, client)
        user = client.pool["_users"].get(refreshed[0].username) if refreshed else None
        if refreshed is None or user is None or not user.get("Enabled", True):
            raise AwsError("NotAuthorizedException", "Invalid Refresh Token")
        sign_in, successor = refreshed
        issued = issue(client, user, sign_in)
        result = {"AccessToken": issued.access_token, "IdToken": issued.id_token, "ExpiresIn": issued.seconds}
        extra = {"RefreshToken": successor} if successor else {}
        return json_reply({"AuthenticationResult": {**result, **extra, "TokenType": "Bearer"}})

    def _revoke(self, data: Data) -> Reply | None:
        owner = self._grants.owner(str(data.get("Token")))
        if owner is None:
            return None
        client = _client(data)
        if not client.accepts_secret(str(data.get("ClientSecret") or "")) or owner.client_id != client.id:
            raise AwsError("UnauthorizedException", "Invalid client or client secret.")
        self._grants.revoke(str(data["Token"]))
        return json_reply({})


def _client(data: Mapping[str, Any]) -> Client:
    client = find_client(str(data.get("ClientId") or ""))
    if client is None:
        raise AwsError("ResourceNotFoundException", f"User pool client {data.get('ClientId')} does not exist.")
    return client


def _pool(data: Mapping[str, Any]) -> Record:
    pool = engine.cognito._user_pools.get(data.get("UserPoolId"))
    if pool is None:
        raise AwsError("ResourceNotFoundException", f"User pool {data.get('UserPoolId')} does not exist.")
    found: Record = pool
    return found


def _check_access_token(data: Data) -> None:
    """Every operation that takes an access token needs a good one; the engine checks one only if it is there."""
    if "AccessToken" not in data:
        return
    token = data["AccessToken"]
    if not isinstance(token, str) or verified_claims(token) is None:
        raise AwsError("NotAuthorizedException", "Invalid Access Token")
    refusal = engine.cognito._access_token_error(data)
    if refusal is not None:
        stated = json.loads(refusal[2])
        raise AwsError(stated["__type"], stated["message"])


def _caller(data: Data) -> tuple[Client, Record]:
    claims = verified_claims(data.get("AccessToken")) or {}
    client = find_client(str(claims.get("client_id")))
    user = client.pool["_users"].get(claims.get("username")) if client else None
    if client is None or user is None:
        raise AwsError("NotAuthorizedException", "Invalid Access Token")
    return client, user


def _before_sign_up(data: Data) -> None:
    client = _client(data)
    if (client.pool.get("AdminCreateUserConfig") or {}).get("AllowAdminCreateUserOnly") in (True, "true"):
        raise AwsError("NotAuthorizedException", "SignUp is not permitted for this user pool")
    _check_new_user(client.pool, data, client)


def _before_admin_create_user(data: Data) -> None:
    if str(data.get("MessageAction") or "").upper() != "RESEND":
        _check_new_user(_pool(data), data, None)


def _check_new_user(pool: Record, data: Data, client: Client | None) -> None:
    values = written(data.get("UserAttributes"))
    username = str(data.get("Username") or "")
    alias = engine.cognito._username_alias_attribute(pool, username)
    check_creation(pool, {**({alias: username} if alias else {}), **values}, client=client)
    if find_user(pool, username) is not None:
        raise AwsError(
            "UsernameExistsException", "User account already exists" if client is None else "User already exists"
        )


def _before_admin_update(data: Data) -> None:
    check_update(_pool(data), written(data.get("UserAttributes")), client=None)


def _before_update(data: Data) -> None:
    client, user = _caller(data)
    values = written(data.get("UserAttributes"))
    check_update(client.pool, values, client=client)
    settings = client.pool.get("UserAttributeUpdateSettings") or {}
    verified_first = set(settings.get("AttributesRequireVerificationBeforeUpdate") or [])
    kept = [entry for entry in data["UserAttributes"] if entry["Name"] not in verified_first]
    changed = {name for name in ("email", "phone_number") if name in values and name not in verified_first}
    present = attributes_of(user)
    reset = [{"Name": f"{name}_verified", "Value": "false"} for name in changed if present.get(name) != values[name]]
    data["UserAttributes"] = [*kept, *reset]


def _before_initiate_auth(data: Data) -> None:
    client, flow = _client(data), str(data.get("AuthFlow"))
    allowing = _FLOWS.get(flow, ())
    if not set(allowing) & set(client.record.get("ExplicitAuthFlows") or []):
        raise AwsError("InvalidParameterException", f"{flow} flow not enabled for this client")
    if flow == "CUSTOM_AUTH" and not (client.pool.get("LambdaConfig") or {}).get("DefineAuthChallenge"):
        raise AwsError("InvalidParameterException", "Custom auth lambda trigger is not configured for the user pool.")
    if flow.startswith("REFRESH_TOKEN") and client.rotation_grace() is not None:
        raise AwsError(
            "InvalidParameterException", "Refresh tokens of this client rotate: use GetTokensFromRefreshToken."
        )


def _before_list_users(data: Data) -> None:
    if "custom:" in str(data.get("Filter") or ""):
        raise AwsError("InvalidParameterException", "Custom attributes cannot be searched.")


def _readable_only(data: Data, reply: Reply) -> Reply:
    if reply.status != 200:
        return reply
    client, _ = _caller(data)
    answer = json.loads(reply.body)
    entries = answer["UserAttributes"]
    answer["UserAttributes"] = [entry for entry in entries if entry["Name"] == "sub" or readable(client, entry["Name"])]
    return json_reply(answer)


_CODES = {
    "SignUp": "_confirmation_code",
    "ResendConfirmationCode": "_confirmation_code",
    "ForgotPassword": "_reset_code",
    "AdminResetUserPassword": "_reset_code",
}


def _replace_known_code(operation: str, data: Data) -> None:
    """The engine's codes are constants that anybody can read in its source."""
    member = _CODES.get(operation)
    if member is None:
        return
    pool = _pool(data) if "UserPoolId" in data else _client(data).pool
    user = find_user(pool, str(data.get("Username") or ""))
    if user is not None and user.get(member):
        user[member] = f"{secrets.randbelow(10**6):06d}"


def _keep_rotation(operation: str, data: Data) -> None:
    """The engine drops this member of Create- and UpdateUserPoolClient."""
    if not operation.endswith("UserPoolClient") or "RefreshTokenRotation" not in data:
        return
    if operation == "UpdateUserPoolClient":
        _client(data).record["RefreshTokenRotation"] = dict(data["RefreshTokenRotation"])
    elif operation == "CreateUserPoolClient":
        newest = max(_pool(data)["_clients"].values(), key=lambda client: client["CreationDate"])
        newest["RefreshTokenRotation"] = dict(data["RefreshTokenRotation"])
