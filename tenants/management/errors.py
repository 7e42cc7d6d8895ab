"""Errors of a command, as one line at the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError
from django.db import Error

from tenants.domain.errors import PortalError

_DEMO = "Beside a running demo, enter first: set -a; . var/demo.env; set +a"


@contextmanager
def in_one_line() -> Iterator[None]:
    """Raises CommandError for what `one_line` has words for."""
    try:
        yield
    except Exception as error:
        line = one_line(error)
        if not line:
            raise
        raise CommandError(line) from error


def one_line(error: Exception) -> str:
    """For a PortalError, missing settings, and an error of the database, the shared cache or a file; "" for others."""
    if isinstance(error, PortalError):
        return error.for_operators
    if isinstance(error, ImproperlyConfigured):
        return f"{_settings(str(error))}. {_DEMO}"
    if isinstance(error, Error):
        return f"The database does not answer as it should: {_first_line(error)}"
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        return f"{error.filename or 'A file'}: {error.strerror or error}"
    return ""


def _settings(message: str) -> str:
    """The problems behind each other, without what each setting is for."""
    first, *problems = message.strip().splitlines()
    named = "; ".join(problem.strip().partition(" (")[0] for problem in problems)
    return f"{first} {named}".strip().removesuffix(".")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
