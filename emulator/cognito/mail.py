"""The mail of a user pool: invitations, and codes that confirm an address or reset a password.

The text comes from the pool's templates or from Cognito's defaults, unless a CustomMessage trigger replaces it. Mail is
delivered only to the emulator's mailbox.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from emulator import engine
from emulator.cognito import triggers
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
        """`to` replaces the user's current address. Raises `AwsError` if the trigger fails."""
        subject, body = engine.cognito._resolve_verification_template(pool)
        own = (pool.get("VerificationMessageTemplate") or {}).get("EmailMessage") or pool.get(
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
        subject, body, _ = engine.cognito._resolve_invite_template(pool)
        event = triggers.Event(pool, "CustomMessage_AdminCreateUser", username, attributes, metadata=metadata)
        wording = await triggers.wording(event, with_username=True)
        return MailTemplate(wording.subject or subject, wording.body or body, "invitation")

    def deliver(self, pool: Record, user: Record, template: MailTemplate, secret: str, *, to: str = "") -> None:
        """Sends nothing to a user without an address."""
        attributes = attributes_of(user)
        address = to or attributes.get("email", "")
        if not address:
            return
        name = str(engine.cognito._template_username(pool, user["Username"], attributes))
        sender, _, _ = engine.cognito._resolve_email_sender(pool)
        self.mailbox.add(
            to=address,
            sender=str(sender),
            subject=_expand(template.subject, name, secret),
            body=_expand(template.body, name, secret),
            kind=template.kind,
        )


def _expand(words: str, name: str, secret: str) -> str:
    return str(engine.cognito._expand_template(words, name, secret))
