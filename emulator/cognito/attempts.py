"""Limits how often someone may try passwords and codes, and ask for mail. Counts by the name that was typed.

So an unknown name is limited exactly like a known one. Follows "Lockout for failed sign-in attempts" and the quotas on
codes in the Cognito Developer Guide.
"""

from dataclasses import dataclass, field

from emulator import clock
from emulator.wire import AwsError

_MAX_FAILURES = 5
_LONGEST_LOCK = 15 * 60
_FORGET_SECONDS = 15 * 60
_HOUR = 3600
# Old entries are deleted when there are more names than this.
_CLEANUP_SIZE = 10_000
# Per person and hour.
_ALLOWED_PER_HOUR = {
    "ConfirmSignUp": 15,
    "ResendConfirmationCode": 5,
    "ForgotPassword": 5,
    "ConfirmForgotPassword": 5,
    "VerifyUserAttribute": 15,
    "GetUserAttributeVerificationCode": 5,
    "ChangePassword": 5,
}


@dataclass
class _Failures:
    """`last` and `locked_until` are epoch seconds."""

    count: int = 0
    last: float = 0.0
    locked_until: float = 0.0


@dataclass
class Attempts:
    _passwords: dict[str, _Failures] = field(default_factory=dict)
    _uses: dict[str, list[float]] = field(default_factory=dict)

    def check_password_allowed(self, pool_id: str, name: str) -> None:
        """Raises `AwsError` during a lock-out. An attempt refused here is not counted."""
        if self.is_locked(pool_id, name):
            raise AwsError("NotAuthorizedException", "Password attempts exceeded")

    def is_locked(self, pool_id: str, name: str) -> bool:
        failures = self._passwords.get(_key(pool_id, name))
        return failures is not None and clock.now() < failures.locked_until

    def record_failure(self, pool_id: str, name: str) -> None:
        """From the fifth failure on, n failures lock the name for 2^(n-5) seconds, at most 15 minutes."""
        now = clock.now()
        if len(self._passwords) > _CLEANUP_SIZE:
            self._passwords = {key: old for key, old in self._passwords.items() if now - old.last < 2 * _FORGET_SECONDS}
        failures = self._passwords.setdefault(_key(pool_id, name), _Failures())
        if now - failures.last > _FORGET_SECONDS:
            failures.count = 0
        failures.count, failures.last = failures.count + 1, now
        if failures.count >= _MAX_FAILURES:
            failures.locked_until = now + min(2 ** (failures.count - _MAX_FAILURES), _LONGEST_LOCK)

    def record_success(self, pool_id: str, name: str) -> None:
        self._passwords.pop(_key(pool_id, name), None)

    def count_use(self, operation: str, pool_id: str, name: str) -> None:
        """Counts one use. Raises `AwsError` if the hourly limit is reached."""
        now, key = clock.now(), f"{operation} {_key(pool_id, name)}"
        recent = [moment for moment in self._uses.get(key, []) if now - moment < _HOUR]
        if len(recent) >= _ALLOWED_PER_HOUR[operation]:
            raise AwsError("LimitExceededException", "Attempt limit exceeded, please try after some time.")
        if len(self._uses) > _CLEANUP_SIZE:
            self._uses = {other: uses for other, uses in self._uses.items() if now - uses[-1] < _HOUR}
        self._uses[key] = [*recent, now]

    def reset(self, operation: str, pool_id: str, name: str) -> None:
        self._uses.pop(f"{operation} {_key(pool_id, name)}", None)


def _key(pool_id: str, name: str) -> str:
    return f"{pool_id}/{name.strip().casefold()}"
