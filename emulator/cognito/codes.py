"""The six-digit codes that are mailed. There is one code per purpose; it expires and can be used once.

Codes are stored in the user's record, so they are deleted with the user.
"""

import hmac
import secrets
from typing import Literal

from emulator import clock
from emulator.cognito.pools import Record
from emulator.wire import AwsError

Purpose = Literal["sign-up", "password", "email", "phone_number"]

_DAY = 24 * 3600
_SECONDS: dict[Purpose, int] = {"sign-up": _DAY, "password": 3600, "email": _DAY, "phone_number": _DAY}


def new_code(user: Record, purpose: Purpose) -> str:
    """Replaces the previous code for this purpose."""
    code = f"{secrets.randbelow(10**6):06d}"
    user.setdefault("_codes", {})[purpose] = {"code": code, "expires_at": clock.now() + _SECONDS[purpose]}
    return code


def check_code(user: Record, purpose: Purpose, given: str) -> None:
    """Raises `AwsError`. A right code stays valid until it is used."""
    issued = user.get("_codes", {}).get(purpose)
    if issued is None or clock.now() >= issued["expires_at"]:
        raise AwsError("ExpiredCodeException", "Invalid code provided, please request a code again.")
    if not hmac.compare_digest(given.encode(), str(issued["code"]).encode()):
        raise wrong_code()


def use_code(user: Record, purpose: Purpose) -> None:
    user.get("_codes", {}).pop(purpose, None)


def wrong_code() -> AwsError:
    return AwsError("CodeMismatchException", "Invalid verification code provided, please try again.")
