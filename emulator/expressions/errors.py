"""The one error of this package, and the two ways in which AWS words a refused value."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum

_OLDER: ContextVar[bool] = ContextVar("older_words", default=False)


class Fault(Enum):
    """What kind of mistake it is. Some operations word some kinds differently."""

    KEY = "a use of an attribute that the table's keys do not allow"
    OTHER = "a mistake that shows without a table"


class Invalid(ValueError):
    """AWS answers this with ValidationException and this text."""

    def __init__(self, text: str, fault: Fault = Fault.OTHER) -> None:
        super().__init__(text)
        self.fault = fault


def invalid_parameter(text: str) -> Invalid:
    return Invalid(f"One or more parameter values were invalid: {text}")


@contextmanager
def older_words() -> Iterator[None]:
    """Scan, BatchWriteItem and transactions word refused values as all operations did until 2026."""
    token = _OLDER.set(True)
    try:
        yield
    finally:
        _OLDER.reset(token)


def has_older_words() -> bool:
    return _OLDER.get()
