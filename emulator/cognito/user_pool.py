"""The user pool API: runs operations here or in the engine, and adds the checks that the engine lacks.

IAM has already decided whether the caller may call the operation. This module checks what the operation may do.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from emulator import engine
from emulator.cognito import second_factor_api
from emulator.cognito.accounts import Accounts, NewAccount, delivery_details, required_text, sends_code_to
from emulator.cognito.administration import Administration
from emulator.cognito.api_sign_in import ApiSignIn, canonical_name
from emulator.cognito.attributes import check_update, parse_attributes
from emulator.cognito.listing import list_users, page_of_groups
from emulator.cognito.own_attributes import OwnAttributes
from emulator.cognito.passwords import check_new_password
from emulator.cognito.pools import Client, Record, attributes_of, check_unprotected, find_client, find_user
from emulator.cognito.second_factor import CodeChecks
from emulator.cognito.second_factor_api import SecondFactorApi
from emulator.cognito.token_trigger import Source
from emulator.cognito.tokens import may_read, verified_claims
from emulator.cognito.triggers import check_supported
from emulator.cognito.users import set_attributes
from emulator.wire import AwsError, Reply, json_reply, refusing

Data = dict[str, Any]

SELF_SERVICE = frozenset(engine.cognito._UNSIGNED_IDP_ACTIONS) | {
    "GetUserAttributeVerificationCode",
    "VerifyUserAttribute",
}

# The engine has no such operation.
ADDED = frozenset({"AdminDeleteSoftwareToken"})

# Users call these for themselves: with an access token, or with a session during a sign-in.
_NEEDS_TOKEN = frozenset({"ChangePassword", "DeleteUser", "GetUser", "GlobalSignOut", "SetUserMFAPreference"})
_NEEDS_TOKEN_OR_SESSION = frozenset({"AssociateSoftwareToken", "VerifySoftwareToken"})

_MAX_CHALLENGES = 1000
# The client id, the user name, and the challenge's name.
Challenge = tuple[str, str, str]


class UserPoolApi:
    def __init__(self, accounts: Accounts, sign_in: ApiSignIn) -> None:
        self._accounts, self._sign_in = accounts, sign_in
        self._own_attributes = OwnAttributes(accounts.mailer, accounts.attempts)
        administration = Administration(accounts, self._own_attributes)
        self._second_factor = SecondFactorApi(sign_in, CodeChecks(accounts.attempts))
        self._challenges: dict[str, Challenge] = {}
        self._client_operations: dict[str, Callable[[Client, Data], Awaitable[Reply]]] = {
            "SignUp": self._sign_up,
            "ConfirmSignUp": self._confirm_sign_up,
            "ResendConfirmationCode": self._resend_code,
            "ForgotPassword": self._forgot_password,
            "ConfirmForgotPassword": self._confirm_forgot_password,
            "GetTokensFromRefreshToken": sign_in.refresh,
            "RevokeToken": self._revoke,
        }
        self._user_operations: dict[str, Callable[[Client, Record, Data], Awaitable[Reply]]] = {
            "UpdateUserAttributes": self._update_attributes,
            "GetUserAttributeVerificationCode": self._send_attribute_code,
            "VerifyUserAttribute": self._verify_attribute,
            "SetUserMFAPreference": second_factor_api.set_preference,
        }
        self._admin_operations: dict[str, Callable[[Record, Data], Awaitable[Reply]]] = {
            "AdminCreateUser": administration.admin_create_user,
            "AdminConfirmSignUp": administration.admin_confirm_sign_up,
            "AdminResetUserPassword": administration.admin_reset_user_password,
            "AdminSetUserPassword": administration.admin_set_user_password,
            "AdminUpdateUserAttributes": administration.admin_update_user_attributes,
            "AdminSetUserMFAPreference": second_factor_api.admin_set_preference,
            "AdminDeleteSoftwareToken": second_factor_api.admin_delete_software_token,
        }

    async def run(self, operation: str, data: Data) -> Reply:
        """Call this within the scope of the request's region. Raises `AwsError` for a refusal."""
        if operation in SELF_SERVICE:
            engine.cognito._pin_unsigned_idp_scope(data)
            self._check_token(operation, data)
        if operation in self._client_operations:
            client = _client(data)
            _check_secret_hash(operation, data)
            return await self._client_operations[operation](client, data)
        if operation in self._user_operations:
            return await self._user_operations[operation](*_caller(data), data)
        if operation in _NEEDS_TOKEN_OR_SESSION:
            return await self._enrol(operation, data)
        if operation in self._admin_operations:
            return await self._admin_operations[operation](_pool(data), data)
        if operation.endswith("InitiateAuth"):
            return await self._initiate_auth(operation, data)
        if operation.endswith("RespondToAuthChallenge"):
            return await self._answer_challenge(operation, data)
        return await self._run_in_engine(operation, data)

    def _check_token(self, operation: str, data: Data) -> None:
        """The engine checks an access token only if the request has one."""
        if "AccessToken" in data:
            _check_access_token(data)
        elif operation in _NEEDS_TOKEN or (
            operation in _NEEDS_TOKEN_OR_SESSION and not self._second_factor.knows(data.get("Session"))
        ):
            raise AwsError("NotAuthorizedException", "Invalid Access Token")

    async def _run_in_engine(self, operation: str, data: Data) -> Reply:
        if operation == "ListUsers":
            return list_users(_pool(data), data)
        if operation == "AdminListGroupsForUser":
            return page_of_groups(data, await _dispatch_to_engine(operation, data))
        if operation == "DeleteUserPool":
            check_unprotected(_pool(data))
        if operation in ("CreateUserPool", "UpdateUserPool"):
            _check_triggers(data)
        if operation == "ChangePassword":
            client, user = _caller(data)
            self._accounts.attempts.count_use("ChangePassword", client.pool_id, user["Username"])
        reply = await _dispatch_to_engine(operation, data)
        _keep_rotation(operation, data, reply.status)
        return reply if operation != "GetUser" else _remove_unreadable(data, reply)

    # ── Signing in ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _initiate_auth(self, operation: str, data: Data) -> Reply:
        client = _client(data)
        reply = await self._sign_in.begin(client, data)
        if reply is not None:
            return reply
        name = str((data.get("AuthParameters") or {}).get("USERNAME") or "")
        reply = await _dispatch_to_engine(operation, data)
        if "PASSWORD" in str(data.get("AuthFlow")):
            self._sign_in.count_attempt(client, name, reply)
        reply = self._second_factor.ask_first(client, name, "", reply)
        self._remember_challenge(client, data, reply)
        source: Source = "TokenGeneration_Authentication"
        return await self._sign_in.exchange_tokens(reply, source=source, metadata=data.get("ClientMetadata"))

    async def _answer_challenge(self, operation: str, data: Data) -> Reply:
        client = _client(data)
        answers, kind = data.get("ChallengeResponses") or {}, str(data.get("ChallengeName"))
        name = str(answers.get("USERNAME") or "")
        if kind in (second_factor_api.SETUP, second_factor_api.ASK):
            _check_secret_hash(operation, data)
            return await self._second_factor.answer(client, data)
        chosen = self._check_answer(client, data, answers, kind)
        if kind == "PASSWORD_VERIFIER":
            self._sign_in.check_allowed(client, name)
        reply = await _dispatch_to_engine(operation, data)
        if kind == "PASSWORD_VERIFIER":
            self._sign_in.count_attempt(client, name, reply)
        user = find_user(client.pool, name)
        if reply.status == 200 and user is not None:
            set_attributes(user, chosen)
        reply = self._second_factor.ask_first(client, name, kind, reply)
        self._remember_challenge(client, data, reply)
        new = kind == "NEW_PASSWORD_REQUIRED"
        source: Source = "TokenGeneration_NewPasswordChallenge" if new else "TokenGeneration_Authentication"
        return await self._sign_in.exchange_tokens(reply, source=source, metadata=data.get("ClientMetadata"))

    def _remember_challenge(self, client: Client, data: Data, reply: Reply) -> None:
        """The engine accepts an answer to a challenge that it never issued, so issued challenges are stored here."""
        if reply.status != 200 or b'"ChallengeName"' not in reply.body:
            return
        answer = json.loads(reply.body)
        # An SRP challenge has no session. Its secret block identifies it.
        shown = answer.get("Session") or (answer.get("ChallengeParameters") or {}).get("SECRET_BLOCK")
        if not shown:
            return
        name = str((data.get("AuthParameters") or data.get("ChallengeResponses") or {}).get("USERNAME") or "")
        self._challenges[shown] = (client.id, canonical_name(client, name), str(answer["ChallengeName"]))
        while len(self._challenges) > _MAX_CHALLENGES:
            del self._challenges[next(iter(self._challenges))]

    def _check_answer(self, client: Client, data: Data, answers: Data, kind: str) -> dict[str, str]:
        """Returns the attributes sent with the answer. User, client and challenge must match those that were issued."""
        shown = answers.get("PASSWORD_CLAIM_SECRET_BLOCK") if kind == "PASSWORD_VERIFIER" else data.get("Session")
        asked = self._challenges.pop(str(shown), None)
        if asked != (client.id, canonical_name(client, str(answers.get("USERNAME") or "")), kind):
            raise AwsError("NotAuthorizedException", "Invalid session for the user.")
        given = {
            name.removeprefix("userAttributes."): str(value)
            for name, value in answers.items()
            if name.startswith("userAttributes.")
        }
        if given and kind != "NEW_PASSWORD_REQUIRED":
            raise AwsError("InvalidParameterException", "Attributes can be set only with a new password.")
        check_update(client.pool, given, client=client)
        if (new_password := answers.get("NEW_PASSWORD")) is not None:
            check_new_password(client.pool, str(new_password), prefix="Password does not conform to policy")
        return given

    async def _enrol(self, operation: str, data: Data) -> Reply:
        caller = _caller(data) if "AccessToken" in data else None
        if operation == "AssociateSoftwareToken":
            return await self._second_factor.associate(caller, data)
        return await self._second_factor.verify(caller, data)

    async def _revoke(self, client: Client, data: Data) -> Reply:
        return self._sign_in.revoke(client, data)

    # ── People's own accounts ────────────────────────────────────────────────────────────────────────────────────────

    async def _sign_up(self, client: Client, data: Data) -> Reply:
        new = NewAccount(
            required_text(data, "Username"),
            required_text(data, "Password"),
            parse_attributes(data.get("UserAttributes")),
            parse_attributes(data.get("ValidationData")) or None,
        )
        user = await self._accounts.sign_up(client, new, metadata=data.get("ClientMetadata"))
        confirmed = user["UserStatus"] == "CONFIRMED"
        attributes, sends = attributes_of(user), not confirmed and sends_code_to(client.pool, user)
        sent = {"CodeDeliveryDetails": delivery_details(attributes["email"])} if sends else {}
        return json_reply({"UserConfirmed": confirmed, "UserSub": attributes["sub"], **sent})

    async def _confirm_sign_up(self, client: Client, data: Data) -> Reply:
        name, code = required_text(data, "Username"), required_text(data, "ConfirmationCode")
        await self._accounts.confirm_sign_up(client, name, code, metadata=data.get("ClientMetadata"))
        return json_reply({})

    async def _resend_code(self, client: Client, data: Data) -> Reply:
        sent = await self._accounts.resend_code(
            client, required_text(data, "Username"), metadata=data.get("ClientMetadata")
        )
        return json_reply({"CodeDeliveryDetails": sent})

    async def _forgot_password(self, client: Client, data: Data) -> Reply:
        sent = await self._accounts.forgot_password(
            client, required_text(data, "Username"), metadata=data.get("ClientMetadata")
        )
        return json_reply({"CodeDeliveryDetails": sent})

    async def _confirm_forgot_password(self, client: Client, data: Data) -> Reply:
        name, code, password = (required_text(data, member) for member in ("Username", "ConfirmationCode", "Password"))
        metadata = data.get("ClientMetadata")
        await self._accounts.confirm_forgot_password(client, name, code, password, metadata=metadata)
        return json_reply({})

    async def _update_attributes(self, client: Client, user: Record, data: Data) -> Reply:
        values, metadata = parse_attributes(data.get("UserAttributes")), data.get("ClientMetadata")
        sent = await self._own_attributes.update(client, user, values, metadata=metadata)
        return json_reply({"CodeDeliveryDetailsList": sent})

    async def _send_attribute_code(self, client: Client, user: Record, data: Data) -> Reply:
        name, metadata = required_text(data, "AttributeName"), data.get("ClientMetadata")
        return json_reply(
            {"CodeDeliveryDetails": await self._own_attributes.send_code(client, user, name, metadata=metadata)}
        )

    async def _verify_attribute(self, client: Client, user: Record, data: Data) -> Reply:
        self._own_attributes.verify(client, user, required_text(data, "AttributeName"), required_text(data, "Code"))
        return json_reply({})


def _check_triggers(data: Data) -> None:
    try:
        check_supported(data.get("LambdaConfig"))
    except ValueError as failure:
        raise AwsError("InvalidParameterException", str(failure)) from failure


async def _dispatch_to_engine(operation: str, data: Data) -> Reply:
    with refusing(operation, "InvalidParameterException", "A parameter of the request is invalid."):
        status, headers, body = await engine.cognito._dispatch_idp(operation, data)
    if status == 400 and b'"InvalidAction"' in body:
        raise AwsError("UnknownOperationException", f"{operation} is not served here.")
    return Reply(status, body, tuple(headers.items()))


def _client(data: Mapping[str, Any]) -> Client:
    client = find_client(str(data.get("ClientId") or ""))
    if client is None or data.get("UserPoolId", client.pool_id) != client.pool_id:
        raise AwsError("ResourceNotFoundException", f"User pool client {data.get('ClientId')} does not exist.")
    return client


def _pool(data: Mapping[str, Any]) -> Record:
    pool = engine.cognito._user_pools.get(data.get("UserPoolId"))
    if pool is None:
        raise AwsError("ResourceNotFoundException", f"User pool {data.get('UserPoolId')} does not exist.")
    found: Record = pool
    return found


def _check_secret_hash(operation: str, data: Data) -> None:
    _raise_engine_error(engine.cognito._validate_client_secret_hash(operation, data))


def _check_access_token(data: Data) -> None:
    token = data["AccessToken"]
    if not isinstance(token, str) or verified_claims(token) is None:
        raise AwsError("NotAuthorizedException", "Invalid Access Token")
    _raise_engine_error(engine.cognito._access_token_error(data))


def _raise_engine_error(refusal: tuple[int, Any, bytes] | None) -> None:
    if refusal is not None:
        stated = json.loads(refusal[2])
        raise AwsError(stated["__type"], stated["message"])


def _caller(data: Data) -> tuple[Client, Record]:
    claims = verified_claims(data.get("AccessToken")) or {}
    client = find_client(str(claims.get("client_id")))
    user = client.pool["_users"].get(claims.get("username")) if client else None
    if client is None or user is None or attributes_of(user)["sub"] != claims.get("sub"):
        raise AwsError("NotAuthorizedException", "Invalid Access Token")
    return client, user


def _remove_unreadable(data: Data, reply: Reply) -> Reply:
    if reply.status != 200:
        return reply
    client, _ = _caller(data)
    answer = json.loads(reply.body)
    entries = answer["UserAttributes"]
    answer["UserAttributes"] = [entry for entry in entries if entry["Name"] == "sub" or may_read(client, entry["Name"])]
    return json_reply(answer)


def _keep_rotation(operation: str, data: Data, status: int) -> None:
    """The engine ignores this member of CreateUserPoolClient and UpdateUserPoolClient."""
    if status != 200 or not operation.endswith("UserPoolClient") or "RefreshTokenRotation" not in data:
        return
    if operation == "UpdateUserPoolClient":
        _client(data).record["RefreshTokenRotation"] = dict(data["RefreshTokenRotation"])
    elif operation == "CreateUserPoolClient":
        newest = max(_pool(data)["_clients"].values(), key=lambda client: client["CreationDate"])
        newest["RefreshTokenRotation"] = dict(data["RefreshTokenRotation"])
