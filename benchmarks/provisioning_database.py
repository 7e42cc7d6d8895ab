"""How many members a second can workers write down, if Cognito had no limit?

Measures the database and the audit trail, whose entries are made one after the other. Cognito is a stub in the worker's
own process that answers after a few milliseconds; everything else is the real worker, each in a process of its own, on
SQLite or on the database that is given. Also counts the queries a member costs.

    .venv/bin/python benchmarks/provisioning_database.py [--members 2000] [--workers 1 4 8] [--database URL] [--json]
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import _project  # noqa: F401 - before any module of the project
from _workers import give_members, set_up

from tenants.domain.user_plan import Change, Create, Seen

_ANSWERS_AFTER_SECONDS = 0.005
_NO_LIMIT = 90_000.0


@dataclass(frozen=True, slots=True)
class Run:
    database: str
    workers: int
    members: int
    members_a_second: float


class Stub:
    """A user pool without users that creates every user it is asked for."""

    def perform(self, change: Change, seen: Seen | None) -> Seen | None:
        time.sleep(_ANSWERS_AFTER_SECONDS)
        if not isinstance(change, Create):
            return seen
        user = change.desired
        return Seen(str(uuid.uuid4()), user.email, user.name, user.org, user.role, True, "CONFIRMED")

    def look(self, _: str) -> None:
        return None

    def listed(self) -> frozenset[str]:
        return frozenset()


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        set_up(options.database or f"sqlite:///{scratch}/portal.sqlite3", rate=_NO_LIMIT)
        silence_logs()
        runs = [measure(workers, options.members) for workers in options.workers]
        queries = count_queries(options.members // 4)
    if options.json:
        print(json.dumps({"runs": [asdict(run) for run in runs], "queries_a_member": queries}, indent=2))
        return 0
    for run in runs:
        print(f"{run.database}, {run.workers} at once: {run.members_a_second:.0f} members a second")
    print(f"{queries:.1f} queries a member")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--members", type=int, default=2_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 8], metavar="N")
    parser.add_argument("--database", metavar="URL", help="as DATABASE_URL; everything in it is the benchmark's")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def silence_logs() -> None:
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(Path(os.devnull).open("w"))  # noqa: SIM115 - for as long as the process lasts


def measure(workers: int, members: int) -> Run:
    from django.db import connection, connections

    give_members(f"{uuid.uuid4().hex[:8]}.example", members)
    connections.close_all()
    began = time.perf_counter()
    pids = [worker_in_a_process() for _ in range(workers)]
    ended = [os.waitpid(pid, 0)[1] for pid in pids]
    seconds = time.perf_counter() - began
    if any(ended):
        raise RuntimeError(f"The workers ended with {ended}.")
    return Run(connection.vendor, workers, members, round(members / seconds, 1))


def worker_in_a_process() -> int:
    if pid := os.fork():
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def work() -> None:
    from django.conf import settings

    from tenants.provisioning.dispatcher import Tools
    from tenants.provisioning.pace import Pacer
    from tenants.provisioning.worker import Worker

    stub: Any = Stub()
    worker = Worker(Tools(stub, stub, Pacer(settings.COGNITO_CALLS_PER_SECOND)), threading.Event())
    worker.work(forever=False)


def count_queries(members: int) -> float:
    from django.db import connection

    give_members(f"{uuid.uuid4().hex[:8]}.example", members)
    counted = [0]

    def count(execute: Any, *arguments: Any) -> Any:
        counted[0] += 1
        return execute(*arguments)

    with connection.execute_wrapper(count):
        work()
    return round(counted[0] / members, 2)


if __name__ == "__main__":
    sys.exit(main())
