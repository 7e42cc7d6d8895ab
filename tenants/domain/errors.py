"""Every error of the application.

Leaves carry what a page or a log needs; `str()` of a leaf is a sentence for the person who meets it. The table in
`tenants.pages.refusals` gives each leaf its status and its page; a test finds a missing leaf.

    PortalError
    ├── SignInNeeded            nobody is signed in
    ├── SessionEnded            the session could not be renewed
    ├── SignInFailed            the sign-in itself failed
    ├── NoOrganisation          signed in, but not a member of any tenant
    ├── ArrivalNeeded           the owner of a sign-up, whose tenant is made on the page /welcome/
    ├── MembershipEnded         removed or disabled
    ├── MembershipChanged       Cognito and the database still differ
    ├── TenantSuspended
    ├── RoleTooLow
    ├── NotAllowed              the table of permissions says no
    ├── OnlyOperatorsPages      break-glass access opens only operators' pages
    ├── DeniedByAws             IAM refused a request signed with the person's credentials
    ├── RecordNotFound
    ├── RecordChanged           a record is no longer as the person saw it, so nothing was written
    ├── InvalidInput            the person can correct it
    ├── UserExists              the user pool already has a user with this address
    ├── UserGone                the user pool no longer has this user
    ├── RefusedByCognito        the user pool refuses this person's data
    ├── NotInvited              the user has a password of their own, so Cognito sends no invitation again
    ├── UndeliverableMail       the user pool could not deliver the invitation
    ├── MailLimitReached        the user pool sends no more mails today
    ├── NotNow                  the present state does not allow it
    ├── Unavailable             passes; nothing was lost
    │   ├── Throttled
    │   └── Unreachable
    └── Misconfigured           only an operator can correct it
"""

from __future__ import annotations

from typing import ClassVar


class PortalError(Exception):
    """Root of the tree. The message is fit for a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def for_operators(self) -> str:
        """For operators' pages, the terminal and the audit trail: adds the reason if the message has none."""
        return self.message

    @property
    def for_log(self) -> str:
        """The reason, where it never holds a person's words, address or key of a record. Otherwise ""."""
        return ""


class SignInNeeded(PortalError):
    def __init__(self) -> None:
        super().__init__("Sign in to see this page.")


class SessionEnded(PortalError):
    """`why` is for the log: it may contain the token endpoint's error, never a token."""

    def __init__(self, why: str) -> None:
        super().__init__("Your session has ended. Sign in again to return to this page.")
        self.why = why

    @property
    def for_operators(self) -> str:
        return self.why

    @property
    def for_log(self) -> str:
        return self.why


class SignInFailed(PortalError):
    """`why` is for the log and the page; it never contains a token or a code."""

    def __init__(self, why: str) -> None:
        super().__init__("You could not be signed in. Nothing is wrong with your password: start the sign-in again.")
        self.why = why

    @property
    def for_operators(self) -> str:
        return self.why

    @property
    def for_log(self) -> str:
        return self.why


class NoOrganisation(PortalError):
    def __init__(self) -> None:
        super().__init__("You are signed in, but you are not a member of an organisation yet.")


class ArrivalNeeded(PortalError):
    """The token carries an organisation that the portal has no tenant of yet."""

    def __init__(self) -> None:
        super().__init__("Your organisation is not set up yet. Nothing was done; set it up first, then try again.")


class MembershipEnded(PortalError):
    def __init__(self, tenant: str) -> None:
        super().__init__(f"You are no longer an active member of {tenant}.")
        self.tenant = tenant


class MembershipChanged(PortalError):
    def __init__(self, tenant: str) -> None:
        super().__init__(
            f"Your membership of {tenant} has changed, and your sign-in has to be updated first. "
            "Until then you cannot open any page. Try again in a minute."
        )
        self.tenant = tenant


class TenantSuspended(PortalError):
    """`state` is any but active, and `role` the person's: owners read whom to write to, the others ask an owner."""

    def __init__(self, tenant: str, state: str, *, role: str = "") -> None:
        super().__init__(f"{tenant} is {state}, so nobody can use its records at the moment.")
        self.tenant = tenant
        self.state = state
        self.role = role


class RoleTooLow(PortalError):
    def __init__(self, *, have: str, need: tuple[str, ...]) -> None:
        super().__init__(f"This page is for the role {' or '.join(need)}; yours is {have}.")
        self.have = have
        self.need = need


class NotAllowed(PortalError):
    """`domain.permissions` says no. The message says why."""


class OnlyOperatorsPages(PortalError):
    def __init__(self) -> None:
        super().__init__(
            "Break-glass access opens only the operators’ pages. Nobody has signed in, so there are no AWS credentials "
            "to read records with."
        )


class DeniedByAws(PortalError):
    """`answer` is AWS's own text, word for word; `action` and `resource` are parsed from it, or ""."""

    def __init__(self, *, code: str, answer: str, action: str, resource: str, aws_request_id: str) -> None:
        super().__init__("AWS refused this request, which was signed with your credentials.")
        self.code = code
        self.answer = answer
        self.action = action
        self.resource = resource
        self.aws_request_id = aws_request_id

    @property
    def for_operators(self) -> str:
        return self.answer

    @property
    def for_log(self) -> str:
        """Without the resource, which can hold the path that a person asked for."""
        return f"{self.code} {self.action}".strip()


class RecordNotFound(PortalError):
    """A record in the person's own reach does not exist. Another tenant's record looks just the same."""

    def __init__(self, collection: str, key: str) -> None:
        super().__init__(f"There is no record “{key}” in {collection}.")
        self.collection = collection
        self.key = key


class RecordChanged(PortalError):
    """`at` is the place of the record in its transaction, from 0: which of the writes found another record."""

    def __init__(self, *, at: int = 0) -> None:
        super().__init__("This record has changed since you opened it. Nothing was saved.")
        self.at = at


class InvalidInput(PortalError):
    """A person's input or a followed address cannot be used. `field` names the input, "" for none.

    `attribute` names the attribute of a record that it is about, which may be called as a field is.
    """

    def __init__(self, message: str, *, field: str = "", attribute: str = "") -> None:
        super().__init__(message)
        self.field, self.attribute = field, attribute


class NotNow(PortalError):
    """The request is valid, but the present state does not allow it. `str()` says why."""


class UserExists(PortalError):
    def __init__(self) -> None:
        super().__init__("Cognito already has a user with this e-mail address. Use another address.")


class UserGone(PortalError):
    def __init__(self) -> None:
        super().__init__("Cognito no longer has this user: somebody deleted it there. Nothing was changed.")


class RefusedByCognito(PortalError):
    """`why` is Cognito's own text, or says the same in plainer words."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Cognito does not accept this person’s data: {why}")
        self.why = why


class NotInvited(PortalError):
    """`why` is Cognito's own text."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Cognito does not send this person another invitation: {why}")
        self.why = why


class UndeliverableMail(PortalError):
    """`why` is Cognito's own text. The user it was meant for is there."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The invitation could not be delivered: {why}")
        self.why = why


class MailLimitReached(PortalError):
    """The text is the same for all members, so that the members who wait for the mails can be found by it."""

    WHY: ClassVar[str] = (
        "Cognito sends no more mails today: its daily limit is reached. Without Amazon SES, Cognito sends 50 a day. "
        "Set the stack's parameters MailSource and MailIdentityArn to send with Amazon SES. Invitations go out by "
        "themselves once Cognito sends mails again."
    )

    def __init__(self) -> None:
        super().__init__("Invitations are not being sent at the moment. They go out by themselves later.")

    @property
    def for_operators(self) -> str:
        return self.WHY


class Unavailable(PortalError):
    """`service` is a name fit for a person; `retry_after` is in seconds."""

    def __init__(self, service: str, why: str, *, retry_after: int = 5) -> None:
        super().__init__(f"{service} is not answering right now. Nothing was lost; try again in {retry_after} seconds.")
        self.service = service
        self.why = why
        self.retry_after = retry_after

    @property
    def for_operators(self) -> str:
        return f"{self.service}: {self.why}"

    @property
    def for_log(self) -> str:
        return self.for_operators


class Throttled(Unavailable):
    def __init__(self, service: str, why: str, *, retry_after: int = 5) -> None:
        super().__init__(service, why, retry_after=retry_after)
        self.message = f"{service} is very busy. Nothing was lost; try again in {retry_after} seconds."


class Unreachable(Unavailable):
    pass


class Misconfigured(PortalError):
    """`why` is for the log and the operators only."""

    def __init__(self, why: str) -> None:
        super().__init__("The portal is not set up correctly. Its operators can see why in the log.")
        self.why = why

    @property
    def for_operators(self) -> str:
        return self.why

    @property
    def for_log(self) -> str:
        return self.why
