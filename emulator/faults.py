"""Faults that tests switch on, and a count of calls: which calls fail, how, and how often.

Only a holder of root's secret can switch a fault on. `docs/local-aws.md` lists the switches.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import UnionType
from typing import Any, Literal, get_args

from emulator.wire import AwsError, Dropped

Kind = Literal[
    "throttling", "server-error", "expired-credentials", "latency", "dropped-connection", "undelivered-mail",
    "daily-mail-limit",
]  # fmt: skip

# The step of an operation that sends a mail. Only a fault of this name affects it, and it is not counted as a call.
SENDING_MAIL = "Mail.Send"
DAILY_MAIL_LIMIT = (
    "Exceeded daily email limit for the operation or the account. If a higher limit is required, please configure "
    "your user pool to use your own Amazon SES configuration for sending email from your user pool."
)

_MEMBERS: dict[str, type | UnionType] = {
    "operation": str, "fault": str, "code": str | None, "message": str, "status": int, "count": int | None,
    "rate": int | float, "delay_seconds": int | float, "drop": bool,
}  # fmt: skip
_EXPIRED = "The security token included in the request is expired"
# Keyed by the first part of the operation's name. "" is for all other services, which use the query protocol.
_CODES: Mapping[str, Mapping[str, tuple[str, str, int]]] = {
    "throttling": {
        "DynamoDB": ("ThrottlingException", "Rate of requests exceeds the allowed throughput.", 400),
        "CognitoIdentityProvider": ("TooManyRequestsException", "Rate exceeded", 400),
        "CognitoIdentity": ("TooManyRequestsException", "Rate exceeded", 400),
        "oauth2": ("too_many_requests", "Rate exceeded", 429),
        "ExecuteApi": ("TooManyRequestsException", "Too Many Requests", 429),
        "S3": ("SlowDown", "Please reduce your request rate.", 503),
        "": ("Throttling", "Rate exceeded", 400),
    },
    "server-error": {
        "DynamoDB": ("InternalServerError", "The request processing has failed because of an unknown error.", 500),
        "CognitoIdentityProvider": ("InternalErrorException", "Internal error.", 500),
        "CognitoIdentity": ("InternalErrorException", "Internal error.", 500),
        "oauth2": ("server_error", "Internal error.", 500),
        "ExecuteApi": ("InternalServerErrorException", "Internal Server Error", 500),
        "S3": ("InternalError", "We encountered an internal error. Please try again.", 500),
        "": ("InternalFailure", "The request processing has failed because of an unknown error.", 500),
    },
    "expired-credentials": {
        "DynamoDB": ("ExpiredTokenException", _EXPIRED, 400),
        "CognitoIdentityProvider": ("ExpiredTokenException", _EXPIRED, 400),
        "CognitoIdentity": ("ExpiredTokenException", _EXPIRED, 400),
        "ExecuteApi": ("ForbiddenException", "Forbidden", 403),
        "S3": ("ExpiredToken", "The provided token has expired.", 400),
        "": ("ExpiredToken", _EXPIRED, 403),
    },
    "undelivered-mail": {"": ("CodeDeliveryFailureException", "Unable to deliver the message.", 400)},
    "daily-mail-limit": {"": ("LimitExceededException", DAILY_MAIL_LIMIT, 400)},
}


@dataclass(slots=True)
class Fault:
    """Affects calls of `operation`: "DynamoDB.Query", "DynamoDB.*" or "*".

    `rate` is the fraction of the calls that are affected, evenly spread. `count` is how many more are affected, None
    for no limit. `fault` gives the error that the service would send; `code`, `message` and `status` give one
    literally. Without either, the call is only delayed.
    """

    operation: str
    fault: Kind | None = None
    code: str | None = None
    message: str = "A test switched this fault on."
    status: int = 400
    count: int | None = 1
    rate: float = 1.0
    delay_seconds: float = 0.0
    drop: bool = False
    _accumulated_rate: float = 0.0

    def is_due(self) -> bool:
        """Counts one call, and says whether the fault affects it."""
        self._accumulated_rate += self.rate
        # Allows for rounding: three times a third must reach 1.
        if self.count == 0 or self._accumulated_rate < 1 - 1e-9:
            return False
        self._accumulated_rate -= 1
        if self.count is not None:
            self.count -= 1
        return True

    def error(self, operation: str) -> AwsError | None:
        if self.code is not None:
            return AwsError(self.code, self.message, self.status)
        words = _CODES.get(self.fault or "")
        if words is None:
            return None
        code, message, status = words.get(operation.partition(".")[0], words[""])
        return AwsError(code, message, status, coral=self.fault == "expired-credentials")


def parse_fault(data: Mapping[str, Any]) -> Fault:
    """Raises ValueError for an unknown member or one of the wrong type."""
    if not isinstance(data, dict) or set(data) - set(_MEMBERS) or not isinstance(data.get("operation"), str):
        raise ValueError(f"A fault needs an operation. It may have {sorted(_MEMBERS)}.")
    for name, value in data.items():
        if not isinstance(value, _MEMBERS[name]) or (isinstance(value, bool) and name != "drop"):
            raise ValueError(f"{name} has the wrong type.")
    if data.get("fault") not in (None, *get_args(Kind)):
        raise ValueError(f"The faults are {', '.join(get_args(Kind))}.")
    if data.get("fault") == "undelivered-mail" and data["operation"] != SENDING_MAIL:
        raise ValueError(f"A mail cannot be delivered in the operation {SENDING_MAIL}, after the user was made.")
    fault = Fault(**({"count": None, **data} if "rate" in data else data))
    fault.drop = fault.drop or fault.fault == "dropped-connection"
    if fault.fault == "latency" and not fault.delay_seconds:
        raise ValueError("Latency needs delay_seconds.")
    if not 0 < fault.rate <= 1 or fault.delay_seconds < 0 or (fault.count or 0) < 0:
        raise ValueError("rate must be above 0 and at most 1; other numbers must not be negative.")
    return fault


class Switchboard:
    """The active faults, one per operation, and how often each operation was called."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}
        self.calls: Counter[str] = Counter()

    def switch_on(self, fault: Fault) -> None:
        self._faults[fault.operation] = fault

    def active_faults(self) -> list[dict[str, Any]]:
        faults = [fault for fault in self._faults.values() if fault.count != 0]
        return [{name: value for name, value in asdict(fault).items() if name in _MEMBERS} for fault in faults]

    def clear(self) -> None:
        self._faults.clear()

    async def apply(self, operation: str, *, signed: bool = True) -> Dropped | None:
        """Counts the call and applies the closest fault: waits, raises `AwsError`, or returns `Dropped`.

        Expired credentials do not affect an unsigned call.
        """
        self.calls[operation] += 1
        fault = self._closest_fault(operation) if self._faults else None
        if fault is None or (fault.fault == "expired-credentials" and not signed) or not fault.is_due():
            return None
        if fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        if fault.drop:
            return Dropped()
        if error := fault.error(operation):
            raise error
        return None

    def check_mail(self) -> None:
        """Raises `AwsError` if a fault affects the next mail."""
        fault = self._faults.get(SENDING_MAIL)
        if fault is not None and fault.is_due() and (error := fault.error(SENDING_MAIL)):
            raise error

    def _closest_fault(self, operation: str) -> Fault | None:
        names = (operation, f"{operation.partition('.')[0]}.*", "*")
        return next((self._faults[name] for name in names if name in self._faults), None)
