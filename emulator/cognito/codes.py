"""The six digits that are mailed: one at a time for each purpose, good for a while, used once.

Kept in the user's own record, so that they go with the user.
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
    """The one before it is good no more."""
    code = f"{secrets.randbelow(10**6):06d}"
    user.setdefault("_codes", {})[purpose] = {"code": code, "expires_at": clock.now() + _SECONDS[purpose]}
    return code


def check_code(user: Record, purpose: Purpose, given: str) -> None:
    """Raises `AwsError`. A code that is right stays good until it is used."""
    issued = user.get("_codes", {}).get(purpose)
    if issued is None or clock.now() >= issued["expires_at"]:
        raise AwsError("ExpiredCodeException", "Invalid code provided, please request a code again.")
    if not hmac.compare_digest(given.encode(), str(issued["code"]).encode()):
        raise wrong_code()


def use_code(user: Record, purpose: Purpose) -> None:
    user.get("_codes", {}).pop(purpose, None)


def wrong_code() -> AwsError:
    return AwsError("CodeMismatchException", "Invalid verification code provided, please try again.")
