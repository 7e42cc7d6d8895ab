"""Kills `migrate` with -9 at one SQL statement after another, each time on the database that the last one left.

A program of its own, with the settings in its environment and an empty database: `python -m tests.world.kill_migrations
--every 7`. The first dies at the seventh statement, the next at the fourteenth, until one gets to the end. Prints how
many were killed. Fails if one of them left a table behind.
"""

from __future__ import annotations

import argparse
import os
import signal
from typing import Any

import django
from django.core.management import call_command
from django.db import connection


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=7, metavar="STATEMENTS")
    every = parser.parse_args().every
    django.setup()
    killed = 0
    while _is_killed(at=(killed + 1) * every):
        killed += 1
        left = connection.introspection.table_names()
        # A process that is forked must not share this connection.
        connection.close()
        assert left == [], f"killed at statement {killed * every}, migrate left {left}"
    print(killed)


def _is_killed(*, at: int) -> bool:
    child = os.fork()
    if not child:
        _migrate_until(at)
    status = os.waitpid(child, 0)[1]
    assert status in {0, signal.SIGKILL}, f"migrate ended with {status} after one was killed"
    return status == signal.SIGKILL


def _migrate_until(statement: int) -> None:
    ends_well = False
    try:
        with connection.execute_wrapper(_Killer(statement)):
            call_command("migrate", verbosity=0)
        ends_well = True
    finally:
        os._exit(0 if ends_well else 1)


class _Killer:
    def __init__(self, statement: int) -> None:
        self.left = statement

    def __call__(self, execute: Any, *arguments: Any) -> Any:
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(*arguments)


if __name__ == "__main__":
    main()
