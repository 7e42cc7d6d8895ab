"""Whose credentials sign a call.

The records client is one, long-lived and shared by all threads; a context variable says who it signs for at the
moment of signing. With nobody bound it raises. It never looks for the process's own credentials, so there is nothing
to fall back to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from botocore.credentials import Credentials as BotocoreCredentials
from botocore.credentials import ReadOnlyCredentials

from tenants.domain.credentials import Credentials

_bound: ContextVar[ReadOnlyCredentials | None] = ContextVar("credentials_of_the_person", default=None)


class NobodyBound(RuntimeError):
    """A call reached the signer outside `signing_as`: a mistake in this program, and nothing was sent."""


@contextmanager
def signing_as(credentials: Credentials) -> Iterator[None]:
    """Sign with these credentials in this context. A new thread starts with nobody bound, and so cannot sign."""
    frozen = ReadOnlyCredentials(
        credentials.access_key_id, credentials.secret_access_key, credentials.session_token, None
    )
    token = _bound.set(frozen)
    try:
        yield
    finally:
        _bound.reset(token)


class PersonsCredentials(BotocoreCredentials):
    """What botocore holds instead of a key pair: the bound person's, asked for at every signature, retries included."""

    def __init__(self) -> None:
        super().__init__(access_key="", secret_key="", method="signing-as")

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        frozen = _bound.get()
        if frozen is None:
            raise NobodyBound("the records client was used with no person's credentials bound")
        return frozen


class PersonsCredentialsProvider:
    """Takes the place of botocore's chain of environment, files and instance metadata."""

    def load_credentials(self) -> PersonsCredentials:
        return PersonsCredentials()
