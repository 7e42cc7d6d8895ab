"""Whether Cognito sends another mail: the daily limit of a pool without SES, and faults that tests switch on.

There is no daily limit until somebody sets one. AWS's is 50 mails (`DAILY_MAILS`).
"""

from dataclasses import dataclass, field

from emulator import clock
from emulator.cognito.pools import Record
from emulator.faults import DAILY_MAIL_LIMIT, Switchboard
from emulator.wire import AwsError

DAILY_MAILS = 50
_DAY = 24 * 3600


@dataclass
class MailLimits:
    """`per_day` is the limit of each pool without SES; None for no limit."""

    faults: Switchboard
    per_day: int | None = None
    # By pool: the day (UTC, counted from the epoch), and how many mails were sent on it.
    _sent: dict[str, tuple[int, int]] = field(default_factory=dict)

    def begin(self, per_day: int | None) -> None:
        """Sets the limit and begins to count anew."""
        self.per_day = per_day
        self._sent.clear()

    def count(self, pool: Record) -> None:
        """Counts a mail. Raises `AwsError` if it cannot be sent; what the operation did before stays."""
        self.faults.check_mail()
        if sends_through_ses(pool):
            return
        today, pool_id = int(clock.now() // _DAY), str(pool["Id"])
        day, sent = self._sent.get(pool_id, (today, 0))
        sent = sent if day == today else 0
        if self.per_day is not None and sent >= self.per_day:
            raise AwsError("LimitExceededException", DAILY_MAIL_LIMIT)
        self._sent[pool_id] = (today, sent + 1)


def sends_through_ses(pool: Record) -> bool:
    return (pool.get("EmailConfiguration") or {}).get("EmailSendingAccount") == "DEVELOPER"


def parse_limit(data: object) -> int | None:
    """Raises ValueError."""
    limit = data.get("per_day", "") if isinstance(data, dict) else ""
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        raise ValueError("per_day must be a number of mails, or null for no limit.")
    return limit
