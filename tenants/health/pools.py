"""Whether Cognito's pools are still there, for readiness. Asked twice a minute at most, and never waited for long."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

ASK_AGAIN_SECONDS = 30.0
_WAIT_SECONDS = 0.5


class Asked:
    """What `ask` answered last; False until it has answered. `ask` may take long and must not raise."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        self._ask = ask
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pools")
        self._running: Future[bool] | None = None
        self._asked_at = 0.0
        self._last = False

    def answer(self) -> bool:
        now = time.monotonic()
        if self._running is None or (self._running.done() and now - self._asked_at >= ASK_AGAIN_SECONDS):
            self._running, self._asked_at = self._thread.submit(self._ask), now
        wait([self._running], timeout=_WAIT_SECONDS)
        if self._running.done():
            self._last = self._running.result()
        return self._last
