"""A function whose answer is made once in a process: clients of AWS, and what is built on them.

For `wiring` modules, and for what else a process has one of. Tests forget all answers when they change settings that
such a function reads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

_Arguments = ParamSpec("_Arguments")
_Value = TypeVar("_Value")


class Once(Generic[_Arguments, _Value]):
    """One value for each set of arguments, the same for every thread. An exception is raised anew and not kept."""

    def __init__(self, make: Callable[_Arguments, _Value]) -> None:
        self.__doc__ = make.__doc__
        self._make = make
        self._made: dict[tuple[object, ...], _Value] = {}
        self._making = threading.Lock()

    def __call__(self, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Value:
        key = (args, *sorted(kwargs.items()))
        try:
            return self._made[key]
        except KeyError:
            return self._made_now(key, *args, **kwargs)

    def forget(self) -> None:
        """The next call makes a new value."""
        self._made = {}

    def _made_now(self, key: tuple[object, ...], *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Value:
        with self._making:
            made = self._made
            if key not in made:
                made[key] = self._make(*args, **kwargs)
            return made[key]


_all: list[Once[Any, Any]] = []


def once(make: Callable[_Arguments, _Value]) -> Once[_Arguments, _Value]:
    """Decorator. A call takes no lock once its value is made. Arguments must be hashable."""
    function = Once(make)
    _all.append(function)
    return function


def forget_all() -> None:
    """For tests: as if the process had just been started."""
    for function in _all:
        function.forget()
