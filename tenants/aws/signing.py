"""Chooses the credentials that sign a call.

All threads share one long-lived records client. At the moment of signing it takes the credentials from a context
variable, and raises if none are bound. It never falls back to the process's own credentials.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from botocore.credentials import Credentials as BotocoreCredentials
from botocore.credentials import ReadOnlyCredentials

from tenants.domain.credentials import Credentials

_bound: ContextVar[ReadOnlyCredentials | None] = ContextVar("credentials_of_the_person", default=None)


class NoCredentialsBound(RuntimeError):
    """A call outside `signing_as`: a mistake in this program. Nothing was sent."""


@contextmanager
def signing_as(credentials: Credentials) -> Iterator[None]:
    """Signs with these credentials in this context. A new thread has none bound, so it cannot sign."""
    frozen = ReadOnlyCredentials(
        credentials.access_key_id, credentials.secret_access_key, credentials.session_token, None
    )
    token = _bound.set(frozen)
    try:
        yield
    finally:
        _bound.reset(token)


def bound_credentials() -> ReadOnlyCredentials:
    """Raises NoCredentialsBound outside `signing_as`."""
    frozen = _bound.get()
    if frozen is None:
        raise NoCredentialsBound("no credentials are bound to sign this call with")
    return frozen


class PersonsCredentials(BotocoreCredentials):
    """botocore asks it at every signature, retries included, and gets the credentials bound then."""

    def __init__(self) -> None:
        super().__init__(access_key="", secret_key="", method="signing-as")

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return bound_credentials()


class PersonsCredentialsProvider:
    """Replaces botocore's chain of environment, files and instance metadata."""

    def load_credentials(self) -> PersonsCredentials:
        return PersonsCredentials()
