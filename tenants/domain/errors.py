"""Every way the portal says no.

Leaves carry what a page or a log needs; `str()` of one is a sentence for the person it happened to. The table in
`tenants.pages.refusals` gives each leaf its status and its page; a test finds a leaf that is missing there.

    PortalError
    ├── SignInNeeded            nobody is signed in
    ├── SessionEnded            somebody was, and their session could not be renewed
    ├── SignInFailed            the sign-in itself went wrong
    ├── NoOrganisation          signed in, but a member of nothing
    ├── MembershipEnded         removed or disabled
    ├── MembershipChanged       Cognito does not say the same as the database yet
    ├── TenantSuspended
    ├── RoleTooLow
    ├── OnlyOperatorsPages      break-glass access opens no others
    ├── DeniedByAws             IAM refused what the person's own credentials asked for
    ├── RecordNotFound
    ├── InvalidInput            the person can mend it
    ├── UserExists              the user pool has a user with this address already
    ├── UserGone                the user pool does not have this user any more
    ├── RefusedByCognito        the user pool does not take this one person as they are
    ├── NotNow                  what was asked for does not fit the state things are in
    ├── Unavailable             worth trying again; nothing was lost
    │   ├── Throttled
    │   └── Unreachable
    └── Misconfigured           only an operator can mend it
"""

from __future__ import annotations


class PortalError(Exception):
    """Root of the tree. The message is fit for a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def for_operators(self) -> str:
        """For pages of operators, the terminal, the log and the audit trail: says why, where the message does not."""
        return self.message


class SignInNeeded(PortalError):
    def __init__(self) -> None:
        super().__init__("Sign in to see this page.")


class SessionEnded(PortalError):
    """`why` is for the log: it may name what the token endpoint answered, never a token."""

    def __init__(self, why: str) -> None:
        super().__init__("Your session has ended. Sign in again and you are back on this page.")
        self.why = why

    @property
    def for_operators(self) -> str:
        return self.why


class SignInFailed(PortalError):
    """`why` is for the log and the page alike; it never holds a token or a code."""

    def __init__(self, why: str) -> None:
        super().__init__("You could not be signed in. Nothing is wrong with your password: start the sign-in again.")
        self.why = why

    @property
    def for_operators(self) -> str:
        return self.why


class NoOrganisation(PortalError):
    def __init__(self) -> None:
        super().__init__("You are signed in, but you are not a member of an organisation yet.")


class MembershipEnded(PortalError):
    def __init__(self, tenant: str) -> None:
        super().__init__(f"You are no longer an active member of {tenant}.")
        self.tenant = tenant


class MembershipChanged(PortalError):
    def __init__(self, tenant: str) -> None:
        super().__init__(
            f"Your membership of {tenant} has been changed, and your sign-in does not know it yet. "
            "Nothing is open to you until it does; try again in a minute."
        )
        self.tenant = tenant


class TenantSuspended(PortalError):
    def __init__(self, tenant: str, state: str) -> None:
        super().__init__(f"{tenant} is {state}, so nobody can work with its records at the moment.")
        self.tenant = tenant
        self.state = state


class RoleTooLow(PortalError):
    def __init__(self, *, have: str, need: tuple[str, ...]) -> None:
        super().__init__(f"This page is for the role {' or '.join(need)}; yours is {have}.")
        self.have = have
        self.need = need


class OnlyOperatorsPages(PortalError):
    def __init__(self) -> None:
        super().__init__(
            "Break-glass access opens the operators’ pages only. Nobody has signed in, so there are no AWS credentials "
            "that records could be read with."
        )


class DeniedByAws(PortalError):
    """AWS refused. `answer` is its own text, word for word; `action` and `resource` are read from it, or ""."""

    def __init__(self, *, code: str, answer: str, action: str, resource: str, aws_request_id: str) -> None:
        super().__init__("AWS refused this request to your credentials.")
        self.code = code
        self.answer = answer
        self.action = action
        self.resource = resource
        self.aws_request_id = aws_request_id

    @property
    def for_operators(self) -> str:
        return self.answer


class RecordNotFound(PortalError):
    """Something of the person's own is not there. Another tenant's thing is never told apart from it."""

    def __init__(self, collection: str, key: str) -> None:
        super().__init__(f"There is no record “{key}” in {collection}.")
        self.collection = collection
        self.key = key


class InvalidInput(PortalError):
    """What a person typed, or an address they followed, cannot be used. `field` names the input, if there is one."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class NotNow(PortalError):
    """The request was understood and may have been right before; `str()` says what is in its way."""


class UserExists(PortalError):
    def __init__(self) -> None:
        super().__init__("Cognito has a user with this e-mail address already.")


class UserGone(PortalError):
    def __init__(self) -> None:
        super().__init__("Cognito does not have this user any more. It was deleted there by somebody else.")


class RefusedByCognito(PortalError):
    """`why` is Cognito's own text, or says the same in plainer words."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Cognito does not accept this person as they are: {why}")
        self.why = why


class Unavailable(PortalError):
    """`service` is one a person has heard of; `retry_after` is in seconds."""

    def __init__(self, service: str, why: str, *, retry_after: int = 5) -> None:
        super().__init__(f"{service} is not answering right now. Nothing was lost; try again in {retry_after} seconds.")
        self.service = service
        self.why = why
        self.retry_after = retry_after

    @property
    def for_operators(self) -> str:
        return f"{self.service}: {self.why}"


class Throttled(Unavailable):
    def __init__(self, service: str, why: str, *, retry_after: int = 5) -> None:
        super().__init__(service, why, retry_after=retry_after)
        self.message = f"{service} is very busy. Nothing was lost; try again in {retry_after} seconds."


class Unreachable(Unavailable):
    pass


class Misconfigured(PortalError):
    """`why` is for the log and the operators; the person only learns that it is not their fault."""

    def __init__(self, why: str) -> None:
        super().__init__("The portal is not set up correctly. Its operators can see why in the log.")
        self.why = why

    @property
    def for_operators(self) -> str:
        return self.why
