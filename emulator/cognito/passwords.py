"""Checks new passwords against the pool's password policy, and whether a temporary password has expired."""

from emulator import clock, engine
from emulator.cognito.pools import Record
from emulator.wire import AwsError

_DAY = 24 * 3600


def policy_errors(pool: Record, password: str) -> list[str]:
    """Everything that the password lacks, in words for the person."""
    errors: list[str] = engine.cognito._password_policy_errors(pool, password)
    return errors


def check_new_password(pool: Record, password: str, *, prefix: str = "Password did not conform with policy") -> None:
    """Raises `AwsError` with the first thing that the password lacks, in the words of the API."""
    errors = policy_errors(pool, password)
    if errors:
        first = "Password not long enough" if "length" in errors[0] else errors[0]
        raise AwsError("InvalidPasswordException", f"{prefix}: {first}")


def set_password(user: Record, password: str, *, status: str) -> None:
    now = clock.now()
    user.update(_password=password, UserStatus=status, UserLastModifiedDate=now, _password_since=now)


def temporary_password_expired(pool: Record, user: Record) -> bool:
    if user["UserStatus"] != "FORCE_CHANGE_PASSWORD":
        return False
    policy = (pool.get("Policies") or {}).get("PasswordPolicy") or {}
    days = int(policy.get("TemporaryPasswordValidityDays") or 7)
    since = float(user.get("_password_since") or user["UserCreateDate"])
    return clock.now() >= since + days * _DAY


def new_temporary_password(pool: Record) -> str:
    """A random password that meets the pool's policy."""
    password = str(engine.cognito._generate_temp_password())
    while policy_errors(pool, password):
        password += str(engine.cognito._generate_temp_password())
    return password
