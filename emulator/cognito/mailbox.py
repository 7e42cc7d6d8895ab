"""The mail that AWS would have sent. It never leaves this computer; everyone who can reach the emulator can read it."""

import secrets
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from emulator import clock

_MAX_MAILS = 1000


@dataclass(frozen=True, slots=True)
class Mail:
    """`kind` is the purpose of the mail; `sent_at` is in epoch seconds."""

    id: str
    to: str
    sender: str
    subject: str
    body: str
    kind: str
    sent_at: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Mailbox:
    """The mail to all addresses. The oldest mails are dropped when it is full."""

    _mails: deque[Mail] = field(default_factory=lambda: deque(maxlen=_MAX_MAILS))

    def add(self, *, to: str, sender: str, subject: str, body: str, kind: str) -> None:
        self._mails.append(Mail(secrets.token_hex(8), to, sender, subject, body, kind, clock.now()))

    def newest_first(self, *, to: str = "") -> list[Mail]:
        """All mails, or those to one address in any spelling."""
        wanted = to.strip().casefold()
        return [mail for mail in reversed(self._mails) if not wanted or mail.to.casefold() == wanted]

    def find(self, mail_id: str) -> Mail | None:
        return next((mail for mail in self._mails if mail.id == mail_id), None)

    def empty(self) -> None:
        self._mails.clear()
