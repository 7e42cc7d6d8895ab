"""The second factor through the user pool API: the challenges after a password, enrolment, preferences, and a reset.

The engine asks only those who are enrolled, and only after some of its flows. Here nobody gets tokens before the pool's
rule is met.
"""

import base64
import json
import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from emulator.cognito import second_factor
from emulator.cognito.api_sign_in import ApiSignIn, canonical_name
from emulator.cognito.pools import Client, Record, attributes_of, find_client, find_user
from emulator.cognito.second_factor import CodeChecks
from emulator.wire import AwsError, Reply, json_reply

Data = dict[str, Any]

SETUP, ASK = "MFA_SETUP", second_factor.TOTP
_MAX_SESSIONS = 1000
# Answers to these have met the rule, or their flow is one that has no second factor.
_NO_MORE = frozenset({SETUP, ASK, "CUSTOM_CHALLENGE"})
_INVALID_SESSION = "Invalid session for the user."


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody whose password was right. `secret` is one that they were given and have not proved yet."""

    client_id: str
    sub: str
    kind: str
    secret: str = ""
    has_enrolled: bool = False


@dataclass
class SecondFactorApi:
    sign_in: ApiSignIn
    checks: CodeChecks
    _sessions: dict[str, Waiting] = field(default_factory=dict)

    def knows(self, session: object) -> bool:
        return isinstance(session, str) and session in self._sessions

    def ask_first(self, client: Client, name: str, kind: str, reply: Reply) -> Reply:
        """Replaces the engine's answer by a challenge if the pool asks this person for more than they have given."""
        user = find_user(client.pool, name)
        if reply.status != 200 or user is None or kind in _NO_MORE:
            return reply
        answer = json.loads(reply.body)
        if "AuthenticationResult" not in answer and answer.get("ChallengeName") != ASK:
            return reply
        if second_factor.needs_code(client.pool, user):
            return self._challenge(client, user, ASK, {"FRIENDLY_DEVICE_NAME": "TOTP device"})
        if second_factor.needs_enrolment(client.pool, user):
            return self._challenge(client, user, SETUP, {"MFAS_CAN_SETUP": json.dumps([ASK])})
        return reply

    async def answer(self, client: Client, data: Data) -> Reply:
        """RespondToAuthChallenge for the two challenges that `ask_first` issues."""
        answers, kind = data.get("ChallengeResponses") or {}, str(data["ChallengeName"])
        waiting = self._sessions.pop(str(data.get("Session")), None)
        user = find_user(client.pool, str(answers.get("USERNAME") or ""))
        if waiting is None or user is None or not _belongs(waiting, client, user, kind):
            raise AwsError("NotAuthorizedException", _INVALID_SESSION)
        if kind == ASK:
            self.checks.check(client.pool_id, user, str(answers.get("SOFTWARE_TOKEN_MFA_CODE") or ""))
        elif not waiting.has_enrolled:
            raise AwsError("NotAuthorizedException", _INVALID_SESSION)
        return await self.sign_in.finish(client, user, metadata=data.get("ClientMetadata"))

    async def associate(self, caller: tuple[Client, Record] | None, data: Data) -> Reply:
        """AssociateSoftwareToken, with an access token or the session of MFA_SETUP."""
        if caller is not None:
            client, user = caller
            secret = user["_totp_pending_secret"] = second_factor.begin_enrolment(client.pool)
            return json_reply({"SecretCode": secret})
        waiting, client, _ = self._person_in(data)
        secret = second_factor.begin_enrolment(client.pool)
        del self._sessions[data["Session"]]
        return json_reply({"SecretCode": secret, "Session": self._keep(replace(waiting, secret=secret))})

    async def verify(self, caller: tuple[Client, Record] | None, data: Data) -> Reply:
        """VerifySoftwareToken. A session remains after a wrong code."""
        code = str(data.get("UserCode") or "")
        if caller is not None:
            client, user = caller
            secret = user.get("_totp_pending_secret") or ""
            self.checks.enrol(client.pool_id, user, secret, code, turn_on=False)
            del user["_totp_pending_secret"]
            return json_reply({"Status": "SUCCESS"})
        waiting, client, user = self._person_in(data)
        self.checks.enrol(client.pool_id, user, waiting.secret, code, turn_on=True)
        del self._sessions[data["Session"]]
        enrolled = replace(waiting, secret="", has_enrolled=True)
        return json_reply({"Status": "SUCCESS", "Session": self._keep(enrolled)})

    def _person_in(self, data: Data) -> tuple[Waiting, Client, Record]:
        waiting = self._sessions[data["Session"]]
        client = find_client(waiting.client_id)
        user = find_user(client.pool, waiting.sub) if client else None
        if client is None or user is None or waiting.kind != SETUP:
            raise AwsError("NotAuthorizedException", _INVALID_SESSION)
        return waiting, client, user

    def _challenge(self, client: Client, user: Record, kind: str, more: Data) -> Reply:
        sub = attributes_of(user)["sub"]
        parameters = {"USER_ID_FOR_SRP": canonical_name(client, sub), **more}
        session = self._keep(Waiting(client.id, sub, kind))
        return json_reply({"ChallengeName": kind, "Session": session, "ChallengeParameters": parameters})

    def _keep(self, waiting: Waiting) -> str:
        session = base64.b64encode(secrets.token_bytes(32)).decode()
        self._sessions[session] = waiting
        while len(self._sessions) > _MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return session


async def admin_set_preference(pool: Record, data: Data) -> Reply:
    """AdminSetUserMFAPreference. Only an authenticator can be turned on."""
    return _set_preference(pool, _find(pool, data), data)


async def admin_delete_software_token(pool: Record, data: Data) -> Reply:
    """AdminDeleteSoftwareToken. What AWS answers for a user without one is not documented; here it is no error."""
    second_factor.forget(_find(pool, data))
    return json_reply({})


async def set_preference(client: Client, user: Record, data: Data) -> Reply:
    """SetUserMFAPreference."""
    return _set_preference(client.pool, user, data)


def _set_preference(pool: Record, user: Record, data: Data) -> Reply:
    for kind in ("SMSMfaSettings", "EmailMfaSettings"):
        if (data.get(kind) or {}).get("Enabled"):
            name = kind.removesuffix("MfaSettings").upper()
            raise AwsError("InvalidParameterException", f"User does not have delivery config set to turn on {name}_MFA")
    second_factor.set_preference(pool, user, data.get("SoftwareTokenMfaSettings") or {})
    return json_reply({})


def _find(pool: Record, data: Data) -> Record:
    user = find_user(pool, str(data.get("Username") or ""))
    if user is None:
        raise AwsError("UserNotFoundException", "User does not exist.")
    return user


def _belongs(waiting: Waiting, client: Client, user: Record, kind: str) -> bool:
    return (waiting.client_id, waiting.sub, waiting.kind) == (client.id, attributes_of(user)["sub"], kind)
