"""Errors of a command, as one line at the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import CommandError
from django.db import Error

from tenants.domain.errors import PortalError


@contextmanager
def in_one_line() -> Iterator[None]:
    """Raises CommandError for a PortalError, and for an error of the database or of a file."""
    try:
        yield
    except PortalError as error:
        raise CommandError(error.for_operators) from error
    except Error as error:
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CommandError(f"The database does not answer as it should: {why}") from error
    except OSError as error:
        raise CommandError(f"{error.filename or 'A file'}: {error.strerror or error}") from error
