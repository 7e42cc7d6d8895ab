"""Takes the portal's own mail by SMTP and puts it into the mailbox, as mail of the kind `portal`.

Every mail is kept as it came: two deliveries of one Message-ID are two mails. Nothing is sent on.
"""

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.smtp import SMTP, Envelope, Session

from emulator.cognito.mail_text import text_of
from emulator.cognito.mailbox import Mailbox
from emulator.faults import Switchboard
from emulator.state.changes import tracker
from emulator.wire import AwsError, Dropped

_OPERATION = "SMTP.Send"
_MAX_BYTES = 5 * 1024 * 1024
_KIND = "portal"


@dataclass
class Inbox:
    """What aiosmtpd calls when a mail has arrived. It names the method."""

    mailbox: Mailbox
    faults: Switchboard

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        try:
            fault = await self.faults.apply(_OPERATION, signed=False)
        except AwsError as failure:
            return f"451 4.3.0 {failure.message}"
        self._keep(envelope)
        tracker.call_answered(_OPERATION)
        if isinstance(fault, Dropped) and isinstance(server.transport, asyncio.WriteTransport):
            # The mail has arrived, and its sender cannot know.
            server.transport.abort()
        return "250 2.0.0 The mail is in the mailbox."

    def _keep(self, envelope: Envelope) -> None:
        content = envelope.content
        raw = content if isinstance(content, bytes) else str(content or "").encode()
        mail = message_from_bytes(raw, policy=default)
        html = _part(mail, "html")
        for address in envelope.rcpt_tos:
            self.mailbox.add(
                to=address,
                sender=_header(mail, "From") or envelope.mail_from or "",
                subject=_header(mail, "Subject"),
                body=_part(mail, "plain") or text_of(html),
                kind=_KIND,
                html=html,
                message_id=_header(mail, "Message-ID"),
            )


async def listen_for_mail(inbox: Inbox, sockets: Iterable[socket.socket]) -> list[asyncio.Server]:
    """Starts to answer on these sockets. The caller closes the servers."""
    loop = asyncio.get_running_loop()

    def connection() -> SMTP:
        return SMTP(
            inbox, hostname="localhost", ident="emulator", data_size_limit=_MAX_BYTES, enable_SMTPUTF8=True, loop=loop
        )

    return [await loop.create_server(connection, sock=opened) for opened in sockets]


def _header(mail: EmailMessage, name: str) -> str:
    return " ".join(str(mail.get(name, "")).split())


def _part(mail: EmailMessage, kind: str) -> str:
    """A part of this kind as text; "" if there is none or it cannot be read."""
    part = mail.get_body(preferencelist=(kind,))
    try:
        return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""
    except (LookupError, ValueError):
        return ""
