"""How much memory does `manage.py reconcile` take, and how long, with 10,000 users in the pool and with 100,000?

Fills a pool of the emulator and a database (SQLite, or an empty one of `--database`) with the same people, one in a
hundred of them with another role in the pool, one in five hundred unknown to the portal, one in a thousand without a
user. Then the command itself runs, as its own process, for the smaller number and for the larger. Its peak of memory
must not grow with the pool. UserList is set far above Cognito's 30 calls a second, which take a minute for 100,000.

    .venv/bin/python benchmarks/reconciliation.py [--few N] [--many N] [--database URL] [--json] [--check]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections import deque
from dataclasses import asdict, dataclass
from time import perf_counter, sleep
from typing import Any

import _project  # noqa: F401 - before any module of the project
import django
import psutil  # type: ignore[import-untyped]
import urllib3

from emulator.client.process import start
from portal.demo.world import World, build, portal_credentials
from portal.environment import BASE

MOST_RATIO = 1.1
ORG = uuid.UUID("7e57ed00-0000-4000-8000-0000000000ff")
_BATCH = 1000
_LOOK_AGAIN_SECONDS = 0.02
_NO_LIMIT = ",".join(f"{category}=5000" for category in ("UserCreation", "UserUpdate", "UserRead", "UserList"))


@dataclass(frozen=True, slots=True)
class Run:
    users: int
    found: int
    seconds: float
    peak_megabytes: float


def main() -> int:
    options = arguments()
    with start() as emulator, tempfile.TemporaryDirectory() as scratch:
        world = build(emulator=emulator, portal_url="http://localhost:8000")
        set_up(world, options.database or f"sqlite:///{scratch}/portal.sqlite3")
        fill(world, range(options.few))
        few = run()
        fill(world, range(options.few, options.many))
        many = run()
    ratio = many.peak_megabytes / few.peak_megabytes
    found = {"few": asdict(few), "many": asdict(many), "ratio": round(ratio, 3), "met": ratio <= MOST_RATIO}
    print(json.dumps(found) if options.json else as_text(few, many, ratio))
    return 1 if options.check and ratio > MOST_RATIO else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--few", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--database", metavar="URL", help="as DATABASE_URL; everything in it is the benchmark's")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help="exit 1 when memory grows")
    return parser.parse_args()


def set_up(world: World, database: str) -> None:
    """The environment of this process, and so of the command's."""
    placeholders = (BASE / ".ci" / "deploy.env").read_text().splitlines()
    os.environ |= dict(line.split("=", 1) for line in placeholders if "=" in line and not line.startswith("#"))
    os.environ |= {**world.settings, "DJANGO_SETTINGS_MODULE": "portal.settings", "DATABASE_URL": database}
    credentials = portal_credentials(world)
    os.environ |= {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "COGNITO_CALLS_PER_SECOND": _NO_LIMIT,
        "CACHE_URL": "locmemcache://",
    }
    django.setup()
    from django.core.management import call_command

    from portal.demo.members import ensure_members
    from tenants.models import Tenant

    call_command("migrate", verbosity=0)
    ensure_members(world.subs)
    Tenant.objects.create(org_id=ORG, name="A large one", slug="a-large-one")


def fill(world: World, numbers: range) -> None:
    for begin in range(numbers.start, numbers.stop, _BATCH):
        batch = range(begin, min(begin + _BATCH, numbers.stop))
        put_in_the_database(batch, put_in_the_pool(world, batch))


def put_in_the_pool(world: World, numbers: range) -> list[str]:
    """Their subs; those of members without a user are made up."""
    people = {
        number: {
            "email": f"p{number}@large.example",
            "name": f"Person {number}",
            "custom:org": str(ORG),
            "custom:role": "admin" if number % 100 == 1 else "viewer",
        }
        for number in numbers
        if number % 1000 != 2
    }
    answer = urllib3.request(
        "POST",
        f"{world.emulator.endpoint_url}/_emulator/people",
        json={"user_pool_id": world.settings["COGNITO_USER_POOL_ID"], "people": list(people.values())},
        headers={"X-Emulator-Root-Secret": world.emulator.root.secret_access_key},
        timeout=60,
        retries=False,
    )
    if answer.status != 200:
        raise RuntimeError(f"The emulator created no users: {answer.data.decode()}")
    subs = dict(zip(people, answer.json(), strict=True))
    return [subs.get(number, str(uuid.uuid4())) for number in numbers]


def put_in_the_database(numbers: range, subs: list[str]) -> None:
    from django.utils import timezone

    from tenants.models import Member, Person, Tenant

    seen: dict[str, Any] = {
        "seen_at": timezone.now(),
        "seen_org": str(ORG),
        "seen_role": "viewer",
        "seen_enabled": True,
        "seen_status": "FORCE_CHANGE_PASSWORD",
    }
    known = [(number, sub) for number, sub in zip(numbers, subs, strict=True) if number % 500 != 3]
    people = Person.objects.bulk_create(
        Person(email=f"p{number}@large.example", name=f"Person {number}", sub=sub) for number, sub in known
    )
    tenant = Tenant.objects.get(org_id=ORG)
    Member.objects.bulk_create(
        Member(person=person, tenant=tenant, role="viewer", provisioning="settled", due_at=None, **seen)
        for person in people
    )


def run() -> Run:
    command = [sys.executable, str(BASE / "manage.py"), "reconcile", "--json"]
    began, peak = perf_counter(), 0
    with tempfile.TemporaryFile("w+") as out, subprocess.Popen(command, cwd=BASE, stdout=out) as process:
        # The peak that wait4 reports for a child includes the memory of its parent at the fork.
        while process.poll() is None:
            peak = max(peak, _bytes_in_use(process.pid))
            sleep(_LOOK_AGAIN_SECONDS)
        seconds = perf_counter() - began
        out.seek(0)
        last = deque(out, maxlen=1).pop()
    if process.returncode != 3:
        raise RuntimeError(f"The command ended with {process.returncode}.")
    summary = json.loads(last)
    return Run(summary["users"], summary["found"], round(seconds, 1), round(peak / 1e6, 1))


def _bytes_in_use(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def as_text(few: Run, many: Run, ratio: float) -> str:
    lines = [
        f"{one.users:9,} users: {one.peak_megabytes:6.1f} MB at most, {one.seconds:6.1f} s, {one.found:,} differences"
        for one in (few, many)
    ]
    verdict = "met" if ratio <= MOST_RATIO else "missed"
    return "\n".join([*lines, f"{ratio:9.3f} times the memory; goal: at most {MOST_RATIO:g}: {verdict}"])


if __name__ == "__main__":
    sys.exit(main())
