"""Kills the worker's work on sign-ups or invitations with -9 at one line after the other, until it gets to its end.

A program of its own, with the settings in its environment: `python -m tests.world.kill_jobs sign-ups --every 9`. The
first is killed at the 9th line of the portal's own code that it runs, the next at the 18th, and so on. Prints how many
were killed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import django

from tests.world.kill_workers import die_at


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("job", choices=["sign-ups", "invitations"])
    parser.add_argument("--every", type=int, required=True, metavar="LINES")
    options = parser.parse_args()
    django.setup()
    from tenants.provisioning import wiring

    tools, killed = wiring.tools(threads=1), 0
    work = _on_invitations if options.job == "invitations" else _on_sign_ups
    while _is_killed(partial(work, tools), at_line=(killed + 1) * options.every):
        _end_leases()
        killed += 1
    print(killed)


def _on_sign_ups(tools: Any) -> int:
    from tenants.provisioning.sign_ups import expire, process

    return process(tools) + expire(tools)


def _on_invitations(_: Any) -> int:
    from tenants.members.joining import take_in

    return take_in()


def _is_killed(work: Callable[[], int], *, at_line: int) -> bool:
    from django.db import connections

    connections.close_all()
    if pid := os.fork():
        return os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    code = 1
    try:
        die_at(at_line)
        while work():
            pass
        code = 0
    finally:
        os._exit(code)


def _end_leases() -> None:
    """As if time had passed."""
    from django.utils import timezone

    from tenants.models import Lease, SignUp

    now = timezone.now()
    SignUp.objects.exclude(leased_until=None).update(leased_until=now - timedelta(seconds=1))
    Lease.objects.update(until=now)


if __name__ == "__main__":
    main()
