"""Whether this process has just met something. Only then is a copy in the shared cache worth what it costs: most people
read a page for longer than a copy lives.
"""

from __future__ import annotations

import threading
import time

from tenants.domain.once import once

_MOST_HELD = 20_000


class Lately:
    """What was met in the last `seconds`. A thing that was forgotten counts as new."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._met: dict[object, float] = {}
        self._guard = threading.Lock()

    def met_again(self, what: object) -> bool:
        """Whether it was met in the last `seconds`. From now on it was."""
        now = time.monotonic()
        with self._guard:
            before = self._met.get(what, float("-inf"))
            if len(self._met) >= _MOST_HELD:
                self._met.clear()
            self._met[what] = now
        return now - before < self.seconds


@once
def lately(_kind: str, seconds: float) -> Lately:
    """One for each kind of thing, of this process."""
    return Lately(seconds)


forget_lately = lately.forget
