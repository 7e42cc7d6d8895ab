"""The second factor: who needs one, who has one, and whether a code is right. An authenticator is the only kind here.

The secret, the list of factors and the preferred one are in the engine's record of the user.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator import clock
from emulator.cognito.attempts import Attempts
from emulator.cognito.pools import Record
from emulator.cognito.totp import matching_step, new_secret
from emulator.wire import AwsError

TOTP = "SOFTWARE_TOKEN_MFA"
WRONG_CODE = "Invalid code received for user"
USED_CODE = "Your software token has already been used once."
TOO_MANY = "Attempt limit exceeded, please try after some time."
_NOT_ENABLED = "Software Token MFA has not been enabled by the userPool"


def has_authenticator(user: Mapping[str, Any]) -> bool:
    return bool(user.get("_totp_secret"))


def needs_code(pool: Mapping[str, Any], user: Mapping[str, Any]) -> bool:
    """With OPTIONAL, only of those for whom it is turned on."""
    return pool.get("MfaConfiguration", "OFF") != "OFF" and TOTP in (user.get("_mfa_enabled") or [])


def needs_enrolment(pool: Mapping[str, Any], user: Mapping[str, Any]) -> bool:
    return pool.get("MfaConfiguration") == "ON" and not needs_code(pool, user)


def begin_enrolment(pool: Mapping[str, Any]) -> str:
    """A new secret, which counts once a code proves that an authenticator has it."""
    if not (pool.get("SoftwareTokenMfaConfiguration") or {}).get("Enabled"):
        raise AwsError("SoftwareTokenMFANotFoundException", _NOT_ENABLED)
    return new_secret()


def forget(user: Record) -> None:
    """What AdminDeleteSoftwareToken does. Nothing happens to sessions and tokens."""
    user.pop("_totp_secret", None)
    user.pop("_totp_step", None)
    _turn_off(user)


def set_preference(pool: Mapping[str, Any], user: Record, settings: Mapping[str, Any]) -> None:
    """SoftwareTokenMfaSettings of both API calls. Keeps the secret; where MFA is ON, nothing turns it off."""
    if settings.get("Enabled"):
        if not has_authenticator(user):
            raise AwsError("InvalidParameterException", "User has not verified software token mfa")
        _turn_on(user, preferred=bool(settings.get("PreferredMfa")))
    elif "Enabled" in settings and pool.get("MfaConfiguration") != "ON":
        _turn_off(user)


def _turn_on(user: Record, *, preferred: bool) -> None:
    user["_mfa_enabled"] = [TOTP]
    if preferred:
        user["_preferred_mfa"] = TOTP


def _turn_off(user: Record) -> None:
    user.update(_mfa_enabled=[], _preferred_mfa="")


@dataclass
class CodeChecks:
    """Checks codes and counts wrong ones: from the fifth on, a person's codes are refused for longer each time.

    Wrong codes do not lock the password. AWS documents a limit and not its numbers; these are the password's.
    """

    attempts: Attempts

    def check(self, pool_id: str, user: Record, code: str) -> None:
        """Raises `AwsError` for a wrong code, and for one that was used: each works once."""
        step = self._right_step(pool_id, user, str(user.get("_totp_secret") or ""), code)
        if step <= int(user.get("_totp_step") or 0):
            raise AwsError("ExpiredCodeException", USED_CODE)
        user["_totp_step"] = step

    def enrol(self, pool_id: str, user: Record, secret: str, code: str, *, turn_on: bool) -> None:
        """Replaces an earlier authenticator. Raises `AwsError`.

        `turn_on`: codes are asked for from now on. With an access token people say that in a call of its own.
        """
        try:
            step = self._right_step(pool_id, user, secret, code)
        except AwsError as failure:
            if failure.code != "CodeMismatchException":
                raise
            raise AwsError("EnableSoftwareTokenMFAException", "Code mismatch") from failure
        user.update(_totp_secret=secret, _totp_step=step)
        if turn_on:
            _turn_on(user, preferred=True)

    def _right_step(self, pool_id: str, user: Record, secret: str, code: str) -> int:
        counted = f"{user['Username']} code"
        if self.attempts.is_locked(pool_id, counted):
            raise AwsError("LimitExceededException", TOO_MANY)
        step = matching_step(secret, code, now=clock.now()) if secret else None
        if step is None:
            self.attempts.record_failure(pool_id, counted)
            raise AwsError("CodeMismatchException", WRONG_CODE)
        self.attempts.record_success(pool_id, counted)
        return step
