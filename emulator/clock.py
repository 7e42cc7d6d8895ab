"""The emulator's time. Everything that issues or expires something uses it, so that a test can move the time.

`POST /_emulator/clock` moves it forwards or back by a number of seconds. The age of a signature is measured by the
computer's clock, unless a test asks otherwise: a test can let an hour pass and still sign its requests.
"""

import time

_offset = 0.0
_signing_offset = 0.0


def now() -> float:
    """Epoch seconds."""
    return time.time() + _offset


def signing_now() -> float:
    """Epoch seconds for checking the date of a signature."""
    return time.time() + _signing_offset


def offset() -> float:
    return _offset


def move_to_offset(seconds: float, *, signatures: bool = False) -> None:
    """Sets the difference between `now` and the computer's clock, in seconds. 0 resets it."""
    global _offset, _signing_offset
    _offset = float(seconds)
    _signing_offset = _offset if signatures else 0.0
