"""What becomes of the portal's pages as people, rows and processes become more? Each answer is a ratio within this run.

- Lists of operators, narrowed in several ways, with many members against few: on SQLite, and on PostgreSQL.
- A records page of somebody whom the process met long ago, against one of somebody who clicks on: processor time.
- Records pages a second from two processes at one address, against one, under 32 connections; and the share of the work
  that the busier of the two had. A fake AWS answers after 5 ms. Browsers, fake AWS, PostgreSQL and Redis share the
  machine with the portal, so the first number is lower than it would be with machines of their own.

PostgreSQL and Redis are asked for at their usual ports; what needs one that is not there is left out, with a sentence.
Databases are made for the run and dropped after it.

    .venv/bin/python benchmarks/growth.py [--rounds N] [--members N] [--postgres URL] [--redis URL] [--json] [--check]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time

import _project  # noqa: F401 - before any module of the project
from _fake_aws import FakeAws, fake_aws
from _load import load
from _narrowed_lists import LISTS, Filled, filled
from _portal import Browser, set_up, settings_for, sign_in
from _servers import Served, served

PAGE = "/records/orders/"
FEW_MEMBERS = 2_000
PEOPLE = 40
CONNECTIONS = 32
AWS_MILLISECONDS = 5
LONG_AGO, MINUTES_AGO, JUST_NOW = "met more than 5 seconds ago", "met more than a minute ago", "clicks on"
MOST_OF_LISTS, MOST_OF_LONG_AGO, LEAST_OF_TWO, MOST_OF_BUSIER = 1.5, 1.3, 1.7, 0.65
# Found without a limit that any index could give: see docs/capacity.md.
NOT_FLAT = ("tenants, due",)


@dataclass(frozen=True, slots=True)
class Result:
    """A ratio; `goal` in words, "" where there is none. `met` None: not judged."""

    name: str
    ratio: float
    goal: str = ""
    met: bool | None = None
    more: str = ""


def main() -> int:
    options = arguments()
    results: list[Result] = []
    missing: list[str] = []
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as opened:
        small, large = (f"sqlite:///{scratch}/{size}.sqlite3" for size in ("small", "large"))
        results += lists("SQLite", small, large, options)
        postgres = opened.enter_context(databases(options.postgres, ("small", "large", "portal")))
        if postgres is None:
            missing.append("PostgreSQL does not answer, so its lists, pages and processes are left out: --postgres URL")
        else:
            results += lists("PostgreSQL", postgres["small"], postgres["large"], options)
            if not answers_redis(options.redis):
                missing.append("Redis does not answer, so pages and processes are left out: --redis URL")
            else:
                results += pages(postgres["portal"], options, Path(scratch), opened)
    text = json.dumps(as_json(results, missing), indent=2) if options.json else as_text(results, missing, options)
    print(text)
    return 1 if options.check and any(result.met is False for result in results) else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--members", type=int, default=20_000, help=f"of the large database; the small: {FEW_MEMBERS:,}"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="of load on each server in each round")
    parser.add_argument("--postgres", default="postgres://postgres@127.0.0.1", help="without a database's name")
    parser.add_argument("--redis", default="redis://127.0.0.1:6379/14")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is not met")
    return parser.parse_args()


# ── Lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def lists(engine: str, small: str, large: str, options: argparse.Namespace) -> list[Result]:
    with filled(small, FEW_MEMBERS) as few, filled(large, options.members) as many:
        return [_list(engine, name, few, many, options.rounds) for name in LISTS]


def _list(engine: str, name: str, few: Filled, many: Filled, rounds: int) -> Result:
    for database in (few, many):
        database.milliseconds(name)
    pairs = [(many.milliseconds(name), few.milliseconds(name)) for _ in range(rounds)]
    ratio = median(one / other for one, other in pairs)
    more = f"{median(one for one, _ in pairs):.1f} ms against {median(other for _, other in pairs):.1f}"
    if name in NOT_FLAT:
        return Result(f"{engine}: {name}", ratio, more=more)
    return Result(f"{engine}: {name}", ratio, f"at most {MOST_OF_LISTS}", ratio <= MOST_OF_LISTS, more)


# ── Pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def pages(database_url: str, options: argparse.Namespace, scratch: Path, opened: ExitStack) -> list[Result]:
    aws = opened.enter_context(fake_aws(milliseconds=AWS_MILLISECONDS))
    set_up(endpoint_url=aws.endpoint_url, scratch=scratch, cache_url=options.redis, database_url=database_url)
    from django.db import connections

    browsers = [sign_in(number) for number in range(1, PEOPLE + 1)]
    results = [*standing(browsers, options.rounds), *processes(aws, database_url, browsers, options)]
    # Otherwise the database could not be dropped.
    connections.close_all()
    return results


def standing(browsers: Sequence[Browser], rounds: int) -> list[Result]:
    from tenants.domain.lately import forget_lately
    from tenants.models import SignIn
    from tenants.sign_in.wiring import sessions

    sign_ins = list(SignIn.objects.values_list("pk", flat=True))

    def forget_uses() -> None:
        forget_lately()
        for sign_in_id in sign_ins:
            sessions().uses.forget(sign_in_id)

    before: Mapping[str, Callable[[], None]] = {
        LONG_AGO: forget_lately,
        MINUTES_AGO: forget_uses,
        # The second page keeps the copies that the third reads.
        JUST_NOW: lambda: _open_all(browsers),
    }
    measured: dict[str, list[float]] = {name: [] for name in before}
    for _ in range(2):
        _open_all(browsers)
    for _ in range(rounds):
        for name in random.sample(list(before), len(before)):
            before[name]()
            if name == JUST_NOW:
                _open_all(browsers)
            began = process_time()
            _open_all(browsers)
            measured[name].append((process_time() - began) / len(browsers) * 1000)
    return [_of_clicking_on(name, measured) for name in (LONG_AGO, MINUTES_AGO)]


def _open_all(browsers: Sequence[Browser]) -> None:
    for browser in browsers:
        browser.get(PAGE)


def _of_clicking_on(name: str, measured: Mapping[str, Sequence[float]]) -> Result:
    ratio = median(one / other for one, other in zip(measured[name], measured[JUST_NOW], strict=True))
    more = f"{median(measured[name]):.2f} ms of processor time against {median(measured[JUST_NOW]):.2f}"
    title = f"a page of somebody {name}, against one who {JUST_NOW}"
    if name == MINUTES_AGO:
        return Result(title, ratio, more=more)
    return Result(title, ratio, f"at most {MOST_OF_LONG_AGO}", ratio <= MOST_OF_LONG_AGO, more)


# ── Processes ────────────────────────────────────────────────────────────────────────────────────────────────────────


def processes(
    aws: FakeAws, database_url: str, browsers: Sequence[Browser], options: argparse.Namespace
) -> list[Result]:
    settings = settings_for(aws.endpoint_url, database_url, options.redis)
    cookies = [browser.cookie for browser in browsers]
    with served(settings, processes=1) as one, served(settings, processes=2) as two:
        for server in (one, two):
            load(server.port, PAGE, cookies, connections=CONNECTIONS, seconds=1)
        rounds = [
            tuple(_under_load(server, cookies, options.seconds) for server in (one, two)) for _ in range(options.rounds)
        ]
    ratio, share = median(two[0] / one[0] for one, two in rounds), median(two[1] for _, two in rounds)
    more = f"{median(two[0] for _, two in rounds):.0f} pages a second against {median(one[0] for one, _ in rounds):.0f}"
    return [
        Result("two processes against one", ratio, f"at least {LEAST_OF_TWO}", ratio >= LEAST_OF_TWO, more),
        Result("share of the busier of the two", share, f"at most {MOST_OF_BUSIER}", share <= MOST_OF_BUSIER),
    ]


def _under_load(server: Served, cookies: Sequence[str], seconds: float) -> tuple[float, float]:
    """Pages a second, and the share of the busiest process. Raises RuntimeError where a page was refused."""
    before = server.processor_seconds()
    loaded = load(server.port, PAGE, cookies, connections=CONNECTIONS, seconds=seconds)
    if loaded.others:
        raise RuntimeError(f"{loaded.others} pages were refused")
    spent = [now - before[pid] for pid, now in server.processor_seconds().items()]
    return loaded.per_second, max(spent) / sum(spent)


# ── What the machine has ─────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def databases(server: str, names: Sequence[str]) -> Iterator[Mapping[str, str] | None]:
    """Addresses of new databases. None where no PostgreSQL answers."""
    import psycopg

    made = {name: f"growth_{os.getpid()}_{name}" for name in names}
    try:
        connection = psycopg.connect(f"{server}/postgres", autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        yield None
        return
    with connection:
        for database in made.values():
            connection.execute(f"CREATE DATABASE {database}")
        try:
            yield {name: f"{server}/{database}" for name, database in made.items()}
        finally:
            for database in made.values():
                connection.execute(f"DROP DATABASE {database} WITH (FORCE)")


def answers_redis(url: str) -> bool:
    import redis

    try:
        with redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as server:
            return bool(server.ping())
    except redis.RedisError:
        return False


def as_json(results: Sequence[Result], missing: Sequence[str]) -> dict[str, object]:
    return {
        "results": [
            {"name": one.name, "ratio": round(one.ratio, 3), "goal": one.goal, "met": one.met, "more": one.more}
            for one in results
        ],
        "left_out": list(missing),
    }


def as_text(results: Sequence[Result], missing: Sequence[str], options: argparse.Namespace) -> str:
    lines = [f"lists: {options.members:,} members against {FEW_MEMBERS:,}; medians of {options.rounds} rounds", ""]
    for one in results:
        verdict = {True: ": met", False: ": not met", None: ""}[one.met]
        lines.append(f"{one.name:70}{one.ratio:6.2f}  {one.goal + verdict:22}{one.more}")
    return "\n".join([*lines, *missing])


if __name__ == "__main__":
    sys.exit(main())
