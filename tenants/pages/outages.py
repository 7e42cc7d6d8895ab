"""Whether the database or the shared cache is away, as the cause of an error that nothing else has handled."""

from __future__ import annotations

from collections.abc import Iterator

import redis
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError

# PostgreSQL's code for a change that a read-only copy, or one that recovers, is asked for.
_READ_ONLY = "25006"


def outage_behind(error: BaseException | None) -> str:
    """One line about it, for the log; "" if something else is wrong."""
    for cause in _causes(error):
        if isinstance(cause, OperationalError | InterfaceError | redis.RedisError) or _is_read_only(cause):
            why = str(cause).strip().partition("\n")[0]
            return f"{type(cause).__name__}: {why}"[:500]
    return ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and the ones that it was raised for or while handling."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_read_only(error: BaseException) -> bool:
    return isinstance(error, DatabaseError) and getattr(error.__cause__, "sqlstate", None) == _READ_ONLY
