"""A real SMTP server on loopback that keeps what it took, and answers as a test tells it to."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

SENDER = "Tenant portal <portal@platform.example>"


@dataclass
class Taken:
    to: str
    message: EmailMessage

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"])

    def body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert part is not None
        return str(part.get_content())


@dataclass
class MailServer:
    """`to` answers for a recipient, `about` for a whole mail: by address, such as "550 no such user".

    `once_taken` is called when a mail is safe with the server and the sender does not know it yet.
    """

    port: int
    to: dict[str, str] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    sender: str = "250 OK"
    once_taken: Callable[[], None] = lambda: None
    taken: list[Taken] = field(default_factory=list)
    connections: int = 0
    _controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
        self._controller = None

    async def handle_EHLO(  # noqa: N802 - named by aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802 - named by aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        envelope.mail_from = address
        return self.sender

    async def handle_RCPT(  # noqa: N802 - named by aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        answer = self.to.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - named by aiosmtpd
        (to,) = envelope.rcpt_tos
        answer = self.about.get(to, "250 OK")
        if answer == "hang up":
            assert server.transport is not None
            server.transport.close()
        elif answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.taken.append(Taken(to, message_from_bytes(envelope.content, policy=default)))  # type: ignore[arg-type]
            self.once_taken()
        return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
