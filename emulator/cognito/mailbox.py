"""The mail that AWS or the portal would have sent. It never leaves this computer.

Everyone who can reach the emulator can read it.
"""

import secrets
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from emulator import clock

_MAX_MAILS = 1000


@dataclass(frozen=True, slots=True)
class Mail:
    """`kind` is the purpose of the mail, `portal` for the portal's own; `sent_at` is in epoch seconds.

    `body` is plain text. `html` is "" for a mail that has only text.
    """

    id: str
    to: str
    sender: str
    subject: str
    body: str
    kind: str
    sent_at: float
    html: str = ""
    message_id: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Mailbox:
    """The mail to all addresses. The oldest mails are dropped when it is full."""

    _mails: deque[Mail] = field(default_factory=lambda: deque(maxlen=_MAX_MAILS))

    def add(
        self, *, to: str, sender: str, subject: str, body: str, kind: str, html: str = "", message_id: str = ""
    ) -> None:
        """A second delivery of one `message_id` is a second mail here."""
        mail_id, now = secrets.token_hex(8), clock.now()
        self._mails.append(Mail(mail_id, to, sender, subject, body, kind, now, html, message_id))

    def newest_first(self, *, to: str = "") -> list[Mail]:
        """All mails, or those to one address in any spelling."""
        wanted = to.strip().casefold()
        return [mail for mail in reversed(self._mails) if not wanted or mail.to.casefold() == wanted]

    def find(self, mail_id: str) -> Mail | None:
        return next((mail for mail in self._mails if mail.id == mail_id), None)

    def empty(self) -> None:
        self._mails.clear()
