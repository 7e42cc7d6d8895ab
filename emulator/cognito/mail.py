"""What a user pool mails: an invitation, a code to confirm an address, a code to choose another password.

The words are the pool's templates or Cognito's own, unless a CustomMessage trigger says otherwise. They go to the
mailbox and nowhere else.
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
class Letter:
    """Words with placeholders: `{####}` is the code or password, `{username}` the name to sign in with."""

    subject: str
    body: str
    kind: str


@dataclass
class Post:
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
        """`to` is another address than the user's present one. Raises `AwsError` where the trigger fails."""
        subject, body = engine.cognito._resolve_verification_template(pool)
        own = (pool.get("VerificationMessageTemplate") or {}).get("EmailMessage") or pool.get(
            "EmailVerificationMessage"
        )
        if kind == "forgot-password" and not own:
            body = _RESET_BODY
        attributes = triggers.attributes_in_events(user)
        event = triggers.Event(pool, _SOURCES[kind], user["Username"], attributes, client, metadata)
        wording = await triggers.wording(event, with_username=False)
        letter = Letter(wording.subject or subject, wording.body or body, kind)
        self.deliver(pool, user, letter, code, to=to)

    async def invitation(
        self, pool: Record, username: str, attributes: Mapping[str, str], metadata: Mapping[str, str] | None
    ) -> Letter:
        """Worded before the user exists: where the trigger fails nobody is made."""
        subject, body, _ = engine.cognito._resolve_invite_template(pool)
        event = triggers.Event(pool, "CustomMessage_AdminCreateUser", username, attributes, metadata=metadata)
        wording = await triggers.wording(event, with_username=True)
        return Letter(wording.subject or subject, wording.body or body, "invitation")

    def deliver(self, pool: Record, user: Record, letter: Letter, secret: str, *, to: str = "") -> None:
        """Somebody without an address gets nothing."""
        attributes = attributes_of(user)
        address = to or attributes.get("email", "")
        if not address:
            return
        name = str(engine.cognito._template_username(pool, user["Username"], attributes))
        sender, _, _ = engine.cognito._resolve_email_sender(pool)
        self.mailbox.post(
            to=address,
            sender=str(sender),
            subject=_filled(letter.subject, name, secret),
            body=_filled(letter.body, name, secret),
            kind=letter.kind,
        )


def _filled(words: str, name: str, secret: str) -> str:
    return str(engine.cognito._expand_template(words, name, secret))
