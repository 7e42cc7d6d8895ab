"""The mail of a user pool: invitations, and codes that confirm an address or reset a password.

The text comes from Cognito's defaults or, if the pool sends through SES, from the pool's own templates. A CustomMessage
trigger replaces either. Mail is delivered only to the emulator's mailbox.
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from emulator import engine
from emulator.cognito import triggers
from emulator.cognito.mail_limits import MailLimits, sends_through_ses
from emulator.cognito.mail_text import looks_like_html, text_of
from emulator.cognito.mailbox import Mailbox
from emulator.cognito.pools import Client, Record, attributes_of

Kind = Literal["sign-up", "resend", "forgot-password", "update-attribute", "verify-attribute"]

_SOURCES: dict[Kind, str] = {
    "sign-up": "CustomMessage_SignUp",
    "resend": "CustomMessage_ResendCode",
    "forgot-password": "CustomMessage_ForgotPassword",
    "update-attribute": "CustomMessage_UpdateUserAttribute",
    "verify-attribute": "CustomMessage_VerifyUserAttribute",
}
_RESET_BODY = "Your password reset code is {####}"


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """Text with placeholders: `{####}` is the code or password, `{username}` the name to sign in with."""

    subject: str
    body: str
    kind: str


@dataclass
class Mailer:
    mailbox: Mailbox
    limits: MailLimits

    async def send_code(
        self,
        client: Client | None,
        pool: Record,
        user: Record,
        code: str,
        kind: Kind,
        *,
        to: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """`to` replaces the user's current address. Raises `AwsError` if the trigger or the delivery fails."""
        texts = _own_texts(pool)
        subject, body = engine.cognito._resolve_verification_template(texts)
        own = (texts.get("VerificationMessageTemplate") or {}).get("EmailMessage") or texts.get(
            "EmailVerificationMessage"
        )
        if kind == "forgot-password" and not own:
            body = _RESET_BODY
        attributes = triggers.attributes_in_events(user)
        event = triggers.Event(pool, _SOURCES[kind], user["Username"], attributes, client, metadata)
        wording = await triggers.wording(event, with_username=False)
        template = MailTemplate(wording.subject or subject, wording.body or body, kind)
        self.deliver(pool, user, template, code, to=to)

    async def invitation(
        self, pool: Record, username: str, attributes: Mapping[str, str], metadata: Mapping[str, str] | None
    ) -> MailTemplate:
        """Prepares the mail before the user exists, so that no user is created if the trigger fails."""
        subject, body, _ = engine.cognito._resolve_invite_template(_own_texts(pool))
        event = triggers.Event(pool, "CustomMessage_AdminCreateUser", username, attributes, metadata=metadata)
        wording = await triggers.wording(event, with_username=True)
        return MailTemplate(wording.subject or subject, wording.body or body, "invitation")

    def deliver(self, pool: Record, user: Record, template: MailTemplate, secret: str, *, to: str = "") -> None:
        """Sends nothing to a user without an address. Raises `AwsError` if the mail cannot be sent."""
        attributes = attributes_of(user)
        address = to or attributes.get("email", "")
        if not address:
            return
        name = str(engine.cognito._template_username(pool, user["Username"], attributes))
        sender, _, _ = engine.cognito._resolve_email_sender(pool)
        self.limits.count(pool)
        is_html = looks_like_html(template.body)
        body = _expand_html(template.body, name, secret) if is_html else _expand(template.body, name, secret)
        self.mailbox.add(
            to=address,
            sender=str(sender),
            subject=_expand(template.subject, name, secret),
            body=text_of(body) if is_html else body,
            html=body if is_html else "",
            kind=template.kind,
        )


def _own_texts(pool: Record) -> Record:
    """The pool, if its own texts count."""
    return pool if sends_through_ses(pool) else {}


def _expand_html(words: str, name: str, secret: str) -> str:
    # AWS does not document whether it escapes them. A password with an & would be unreadable otherwise.
    return _expand(words, html.escape(name), html.escape(secret))


def _expand(words: str, name: str, secret: str) -> str:
    return str(engine.cognito._expand_template(words, name, secret))
