"""Kills workers with -9 at random moments, again and again, until all members are provisioned all the same.

A program of its own, with the settings in its environment: `python -m tests.world.kill_workers --kills 20`. Prints
how many workers were killed while they held members. With `--every N` each is killed at a line instead of a moment:
the first at the N-th line of the portal's own code that it runs, the next at the 2N-th, until one gets to the end.

With `--members N` it makes a world of its own, kills workers until all of these members are provisioned, and then
compares the portal's database, Cognito and the audit trail. The database is `TEST_DATABASE_URL`, which has to be empty,
or else SQLite.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

import django

from portal.environment import BASE

_OURS = str(BASE / "tenants")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--longest", type=float, default=0.8, help="seconds that one lives at most")
    parser.add_argument("--every", type=int, metavar="LINES")
    parser.add_argument("--members", type=int)
    parser.add_argument("--rate", type=float, default=200, help="calls a second and category, with --members")
    options = parser.parse_args()
    if options.members:
        from tests.world.kill_world import kill_and_compare

        kill_and_compare(options)
        return
    django.setup()
    # Once for all workers: one that is killed while it starts proves nothing.
    from tenants.provisioning import wiring

    tools = wiring.tools(threads=4)
    if options.every:
        held = kill_at_lines(tools, every=options.every)[1]
    else:
        held = kill_at_random(tools, workers=options.workers, longest=options.longest, kills=options.kills)[1]
    print(held if let_workers_finish(tools, options.workers) else "the last workers did not get to the end")


def kill_at_random(tools: Any, *, workers: int, longest: float, kills: int | None) -> tuple[int, int]:
    """How many were killed, and how many of those held members. `kills` None: as long as a member is due.

    Goes on until one held members: on a busy machine a worker needs longer to take some, so the next ones live longer.
    """
    chance, killed, held, lives, all_started = random.Random(), 0, 0, {}, set()
    while killed < kills or not held if kills is not None else _something_is_due():
        while len(lives) < workers:
            pid = start_worker(tools)
            lives[pid] = time.monotonic() + chance.uniform(0.05, longest * (1 if held else 1 + killed / 12))
            all_started.add(pid)
        pid = min(lives, key=lambda one: lives[one])
        time.sleep(max(0.0, lives.pop(pid) - time.monotonic()))
        os.kill(pid, signal.SIGKILL)
        killed, held = killed + 1, held + (wait_for_end(pid) > 0)
    for pid in lives:
        os.kill(pid, signal.SIGKILL)
        held += wait_for_end(pid) > 0
    wait_for_their_statements()
    for pid in all_started:
        expire_leases(pid)
    return killed + len(lives), held


def kill_at_lines(tools: Any, *, every: int) -> tuple[int, int]:
    """As `kill_at_random`, until a worker gets to its end before it comes to its line."""
    killed, held = 0, 0
    while True:
        pid = start_worker(tools, threads=1, at_line=(killed + 1) * every)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            return killed, held
        killed, held = killed + 1, held + (expire_leases(pid) > 0)


def let_workers_finish(tools: Any, workers: int) -> bool:
    """Whether all of these last workers got to their end, and none was halted."""
    last = [start_worker(tools) for _ in range(workers)]
    ended = [os.waitpid(pid, 0)[1] for pid in last]
    return not any(ended)


def start_worker(tools: Any, *, threads: int = 4, at_line: int = 0) -> int:
    """Starts a worker in a process of its own, which may share no connection and no thread. Returns its process id."""
    from django.db import connections

    connections.close_all()
    if pid := os.fork():
        return pid
    from tenants.provisioning.worker import Worker

    code = 1
    try:
        worker = Worker(tools, threading.Event(), threads=threads)
        if at_line:
            die_at(at_line)
        worker.work(forever=False)
        code = int(bool(worker.tally.halted))
    finally:
        os._exit(code)


def die_at(line: int) -> None:
    """Kills this process at that line of the portal's own code, counted from now on."""
    left = [line]

    def count_line(frame: FrameType, event: str, _: object) -> Any:
        if event == "call":
            return count_line if frame.f_code.co_filename.startswith(_OURS) else None
        if event == "line":
            left[0] -= 1
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return count_line

    threading.settrace(count_line)
    sys.settrace(count_line)


def wait_for_end(pid: int) -> int:
    """How many members the killed worker held."""
    os.waitpid(pid, 0)
    return expire_leases(pid)


def wait_for_their_statements() -> None:
    """PostgreSQL carries out what a client sent just before it was killed: a lease may be written after its end."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return
    others = "datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {others}")
            if cursor.fetchone() == (0,):
                return
        time.sleep(0.05)


def expire_leases(pid: int) -> int:
    """Ends its members' leases as if time had passed, and not its turn at the suspension list. How many it held."""
    from django.utils import timezone

    from tenants.models import Member

    return Member.objects.filter(leased_by__contains=f"-{pid}-").update(leased_until=timezone.now())


def _something_is_due() -> bool:
    from tenants.models import Member, Provisioning

    return Member.objects.filter(provisioning=Provisioning.DUE).exists()


if __name__ == "__main__":
    main()
