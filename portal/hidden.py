"""Secrets as values that print as stars, and the value of a secret that this process does not have.

Settings, tracebacks with locals and error pages show a value by its `repr`. The value itself stays what a library
needs: `str()` and f-strings give the secret.
"""

from __future__ import annotations

from typing import Any, NoReturn

from django.core.exceptions import ImproperlyConfigured

STARS = "********"


class HiddenText(str):
    __slots__ = ()

    def __repr__(self) -> str:
        """Whether there is one is no secret."""
        return repr(STARS if self else "")


class HiddenBytes(bytes):
    """Not even `str()` shows these."""

    def __repr__(self) -> str:
        return repr(STARS.encode())

    __str__ = __repr__


class Missing:
    """Stands for a secret that this process runs without. Every use raises ImproperlyConfigured, never a default."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"({self._name} is missing)"

    def _refuse(self, *_: Any) -> NoReturn:
        raise ImproperlyConfigured(
            f"This needs {self._name}, which this process does not have. docs/settings.md says who needs it."
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            # Python asks for these to find out what a value is.
            raise AttributeError(name)
        self._refuse()

    __str__ = __bytes__ = __format__ = __bool__ = __len__ = __iter__ = __getitem__ = __contains__ = _refuse
    __add__ = __radd__ = __mod__ = _refuse
