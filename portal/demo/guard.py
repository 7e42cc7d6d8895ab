"""Ends the demo's processes if the demo itself is killed: a process cannot do that for itself after SIGKILL.

The demo writes `+<group>` to standard input for each process group that it starts and `-<group>` once it has ended.
The end of the input is the end of the demo. Writes an empty line once no signal can end it. Standard library only, and
run by its path.
"""

import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

_SAVE_SECONDS = 10


def main() -> None:
    # Only the end of the demo ends this process.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    print(flush=True)
    groups: set[int] = set()
    for line in sys.stdin:
        sign, group = line[0], int(line[1:])
        if sign == "+":
            groups.add(group)
        else:
            groups.discard(group)
    end(groups)


def end(groups: Iterable[int]) -> None:
    for group in groups:
        # A stopped process does not act on SIGTERM.
        for number in (signal.SIGCONT, signal.SIGTERM):
            _send(group, number)
    deadline = time.monotonic() + _SAVE_SECONDS
    while time.monotonic() < deadline and any(_send(group, 0) for group in groups):
        time.sleep(0.1)
    for group in groups:
        _send(group, signal.SIGKILL)


def _send(group: int, number: int) -> bool:
    """False if no process is left in the group."""
    with suppress(ProcessLookupError):
        os.killpg(group, number)
        return True
    return False


if __name__ == "__main__":
    main()
