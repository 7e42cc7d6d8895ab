"""How much of Cognito's limit do 1, 4 and 8 workers use, and is every user created once and whole?

Starts each worker, `manage.py provision --watch`, as a process, adds new members, and waits until all of them are in
the emulator's user pool, which says when each was created. The limit is set above Cognito's 50 creations a second to
save time; the workers work in the same way. Then one more run must find nothing to do.

    .venv/bin/python benchmarks/provisioning.py [--members 10000] [--rate 100] [--workers 1 4 8] [--database URL]
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import _project  # noqa: F401 - before any module of the project
import urllib3
from _workers import give_members, set_up

from emulator.client.process import start
from emulator.client.seeding import clients
from portal.demo.world import World, build, portal_credentials
from portal.environment import BASE

LEAST_SHARE = 0.97
_CREATE = "CognitoIdentityProvider.AdminCreateUser"
_READS = ("Get", "List", "Describe")
_MOST_SECONDS_TO_START = 60


@dataclass(frozen=True, slots=True)
class Run:
    """`share` of the limit that was used, `busiest_second` the most creations in any second, `half_made` the members
    that do not match their user. `again` counts the changes that one more run made."""

    workers: int
    members: int
    rate: float
    seconds: float
    share: float
    busiest_second: int
    asked_for: int
    made: int
    throttled: int
    half_made: int
    again: int

    @property
    def is_right(self) -> bool:
        everybody = self.asked_for == self.made == self.members
        return everybody and not (self.throttled or self.half_made or self.again)


def main() -> int:
    options = arguments()
    with start() as emulator, tempfile.TemporaryDirectory() as scratch:
        world = build(emulator=emulator, portal_url="http://localhost:8000")
        database = options.database or f"sqlite:///{scratch}/portal.sqlite3"
        set_up(database, rate=options.rate, **world.settings, **keys_of_the_worker(world))
        runs = [measure(world, Path(scratch), workers, options) for workers in options.workers]
    if options.json:
        print(json.dumps([asdict(run) for run in runs], indent=2))
    else:
        print(as_text(runs))
    met = all(run.is_right and run.share >= LEAST_SHARE for run in runs)
    return 1 if options.check and not met else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--members", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=100.0, help="the limit, in calls a second")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 8], metavar="N")
    parser.add_argument("--database", metavar="URL", help="as DATABASE_URL; everything in it is the benchmark's")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help="fail where the goal is not met")
    return parser.parse_args()


def keys_of_the_worker(world: World) -> dict[str, str]:
    keys = portal_credentials(world)
    return {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_SESSION_TOKEN": keys.session_token,
    }


def measure(world: World, scratch: Path, workers: int, options: argparse.Namespace) -> Run:
    domain = f"of{workers}workers.example"
    before = calls(world)
    tallies = run_workers(scratch, workers, domain=domain, members=options.members)
    asked_for = calls(world) - before
    before = calls(world)
    manage(scratch, "provision", "--json").communicate()
    again = sum(count for name, count in (calls(world) - before).items() if _changes_something(name))
    moments = sorted(user["UserCreateDate"].timestamp() for user in users_of(world, domain))
    seconds = moments[-1] - moments[0]
    return Run(
        workers=workers,
        members=options.members,
        rate=options.rate,
        seconds=round(seconds, 1),
        share=round((len(moments) - 1) / seconds / options.rate, 4),
        busiest_second=busiest_second(moments),
        asked_for=asked_for[_CREATE],
        made=len(moments),
        throttled=sum(one["throttled"] for one in tallies),
        half_made=half_made(world, domain),
        again=again,
    )


def run_workers(scratch: Path, workers: int, *, domain: str, members: int) -> list[dict[str, Any]]:
    """The tally that each worker printed when it was asked to stop."""
    from tenants.models import Member, Provisioning, Worker

    Worker.objects.all().delete()
    processes = [manage(scratch, "provision", "--watch", "--json") for _ in range(workers)]
    try:
        until(lambda: Worker.objects.count() == workers, within=_MOST_SECONDS_TO_START)
        give_members(domain, members)
        until(lambda: not Member.objects.exclude(provisioning=Provisioning.SETTLED).exists())
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        printed = [process.communicate()[0] for process in processes]
    return [json.loads(one) for one in printed]


def manage(scratch: Path, *command: str) -> subprocess.Popen[str]:
    with (scratch / "workers.log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, str(BASE / "manage.py"), *command], cwd=BASE, stdout=subprocess.PIPE, stderr=log, text=True
        )


def until(condition: Any, *, within: float = float("inf")) -> None:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("The workers did not start.")
        time.sleep(0.2)


def calls(world: World) -> Counter[str]:
    answer = urllib3.request(
        "GET",
        f"{world.emulator.endpoint_url}/_emulator/calls",
        headers={"X-Emulator-Root-Secret": world.emulator.root.secret_access_key},
    )
    return Counter(answer.json())


def _changes_something(name: str) -> bool:
    service, _, operation = name.partition(".")
    return service == "CognitoIdentityProvider" and not operation.removeprefix("Admin").startswith(_READS)


def users_of(world: World, domain: str) -> list[Any]:
    pool = clients(world.emulator.endpoint_url, world.emulator.root)("cognito-idp")
    pages = pool.get_paginator("list_users").paginate(UserPoolId=world.settings["COGNITO_USER_POOL_ID"])
    return [user for page in pages for user in page["Users"] if _attribute(user, "email").endswith(f"@{domain}")]


def _attribute(user: Any, name: str) -> str:
    return next((str(entry["Value"]) for entry in user["Attributes"] if entry["Name"] == name), "")


def half_made(world: World, domain: str) -> int:
    """How many members and users differ in id, address, organisation or role."""
    from tenants.models import Member

    members = Member.objects.filter(person__email__endswith=f"@{domain}").select_related("person", "tenant")
    should_be = {
        (str(member.person.sub), member.person.email, str(member.org_id or ""), member.role) for member in members
    }
    names = ("sub", "email", "custom:org", "custom:role")
    return len(should_be ^ {tuple(_attribute(user, name) for name in names) for user in users_of(world, domain)})


def busiest_second(moments: list[float]) -> int:
    first, most = 0, 0
    for number, moment in enumerate(moments):
        while moments[first] <= moment - 1:
            first += 1
        most = max(most, number - first + 1)
    return most


def as_text(runs: list[Run]) -> str:
    goal = f"goal: at least {LEAST_SHARE:.0%} of the limit, every user once and whole, nothing done again"
    return "\n".join([line for run in runs for line in _lines(run)] + [goal])


def _lines(run: Run) -> tuple[str, str]:
    workers = f"{run.workers} worker{'s' if run.workers > 1 else ''}"
    share = f"{run.share:.1%} of {run.rate:g} a second, {run.busiest_second} in the busiest"
    verdict = "met" if run.is_right and run.share >= LEAST_SHARE else "missed"
    counts = f"asked for {run.asked_for:,}, throttled {run.throttled}, half made {run.half_made}"
    return (
        f"{workers}: {run.made:,} of {run.members:,} in {run.seconds} s, {share}: {verdict}",
        f"  {counts}, changed by one more run {run.again}",
    )


if __name__ == "__main__":
    sys.exit(main())
