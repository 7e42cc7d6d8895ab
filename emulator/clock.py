"""What time it is here. Everything that grants or ends something asks this clock, so that a test can move it.

Moved on purpose only (`POST /_emulator/clock`), by as many seconds as it is told, forwards or back. The age of a
signature is judged by the computer's own clock unless that is asked for too: a test that lets an hour pass goes on
signing.
"""

import time

_offset = 0.0
_signing_offset = 0.0


def now() -> float:
    """Epoch seconds."""
    return time.time() + _offset


def signing_now() -> float:
    """Epoch seconds by which the date of a signature is judged."""
    return time.time() + _signing_offset


def offset() -> float:
    return _offset


def move_to_offset(seconds: float, *, signatures: bool = False) -> None:
    """From here on `now` differs from the computer's clock by this much. 0 puts it right."""
    global _offset, _signing_offset
    _offset = float(seconds)
    _signing_offset = _offset if signatures else 0.0
