"""One mail after the other to the mail server, and what its answer means: taken, refused, later, or away.

Knows no queue. What a server says is kept without addresses, since operators read it.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from email.errors import MessageError
from email.utils import format_datetime
from enum import Enum
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException, SMTPSenderRefused
from typing import TypeAlias

from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from tenants.models import OutgoingMail

# For each answer of the server, and for the connection.
_TIMEOUT_SECONDS = 10
_MOST_CHARACTERS = 300
# "Service not available, closing transmission channel": RFC 5321, 4.2.3.
_CLOSING = 421
Server: TypeAlias = BaseEmailBackend


class Said(Enum):
    """`REFUSED` is for good, `LATER` for this mail alone. `AWAY` would meet any other mail too."""

    TAKEN = "taken"
    REFUSED = "refused"
    LATER = "later"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Answer:
    """`why` is for operators, "" where the mail was taken. `code` is SMTP's, 0 without one."""

    said: Said
    why: str = ""
    code: int = 0


def connect() -> Server | Answer:
    """A connection for some mails, or why the server is away."""
    server: Server = get_connection(timeout=_TIMEOUT_SECONDS)
    try:
        server.open()
    except (SMTPException, OSError) as error:
        return _away(error)
    return server


def close(server: Server) -> None:
    """Does not raise: all mails were answered by then."""
    with suppress(SMTPException, OSError):
        server.close()


def send(server: Server, mail: OutgoingMail) -> Answer:
    try:
        server.send_messages([_message(mail)])
    except SMTPRecipientsRefused as error:
        return _about_the_mail(*next(iter(error.recipients.values())))
    except SMTPSenderRefused as error:
        # No mail would be taken from this sender.
        return _away(error)
    except SMTPResponseException as error:
        return _about_the_mail(error.smtp_code, error.smtp_error)
    except (SMTPException, OSError) as error:
        return _away(error)
    except (MessageError, ValueError) as error:
        return Answer(Said.REFUSED, f"The mail cannot be written: {type(error).__name__}.")
    return Answer(Said.TAKEN)


def _message(mail: OutgoingMail) -> EmailMultiAlternatives:
    # The date too stays the same for every attempt.
    headers = {
        "Message-ID": mail.message_id,
        "Date": format_datetime(mail.created_at),
        "Auto-Submitted": "auto-generated",
    }
    message = EmailMultiAlternatives(mail.subject, mail.text, to=[mail.to], headers=headers)
    message.attach_alternative(mail.html, "text/html")
    return message


def _about_the_mail(code: int, text: bytes | str) -> Answer:
    if code == _CLOSING:
        return Answer(Said.AWAY, _in_words(code, text), code)
    return Answer(Said.REFUSED if code >= 500 else Said.LATER, _in_words(code, text), code)


def _away(error: SMTPException | OSError) -> Answer:
    if isinstance(error, SMTPResponseException):
        return Answer(Said.AWAY, _in_words(error.smtp_code, error.smtp_error), error.smtp_code)
    text = getattr(error, "strerror", "") or str(error) or type(error).__name__
    return Answer(Said.AWAY, _without_addresses(text))


def _in_words(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return _without_addresses(f"{code} {said}")


def _without_addresses(text: str) -> str:
    visible = "".join(character if character.isprintable() else " " for character in text)
    words = re.sub(r"\S*@\S*", "(address)", visible).split()
    return " ".join(words)[:_MOST_CHARACTERS]
