"""How long do the operators' list of tenants and its search take, compared with the list of Django's admin?

Both run in this process, on the same database, in turns: the views alone, from the request to the HTML, without the
middleware. Prints the median milliseconds, the median of the ratios within each round, and the number of queries, for
the whole page and for reading its rows alone. Then come lists that only the portal has, without a comparison.

The goals are for a million tenants. Filling a database with those takes minutes, so it can be kept and given again:

    .venv/bin/python benchmarks/tenant_list.py [--tenants 1000000] [--database URL] [--rounds N] [--json] [--check]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import _database

# The query of the portal, and of the admin.
BOTH = {
    "first page": ("", ""),
    "last page": ("last=1", "p={last}"),
    "search, few found": (f"q={_database.RARE}", f"q={_database.RARE}"),
    "search, many found": (f"q={_database.COMMON}", f"q={_database.COMMON}"),
    "search, none found": ("q=no+such+name", "q=no+such+name"),
}
# Queries that only the portal has.
OWN = {
    "owner's address": "q=p77%40org77.example",
    "rare state": "state=closing",
    "rare state, last page": "state=closing&last=1",
    "state and plan": "state=suspended&plan=free",
    "due": "provisioning=due",
    "stuck or in conflict": "provisioning=unresolved",
    "search in a rare state": f"q={_database.COMMON}&state=closing",
    "by name": "sort=name",
    "by name, last page": "sort=name&last=1",
    "by name, in a rare state": "sort=name&state=closing",
    "by state": "sort=state",
    "by state, last page": "sort=state&last=1",
    "a week": "week=2026-03-02",
}


@dataclass(frozen=True, slots=True)
class Goal:
    case: str
    at_most: float


GOALS = (
    Goal("first page", 1 / 20),
    Goal("last page", 1 / 20),
    Goal("search, few found", 1 / 25),
    Goal("search, many found", 1 / 25),
    Goal("search, none found", 1 / 25),
)
FOR_TENANTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds of each round, for the page and for its rows. The same place in every list is the same round."""

    portal: Mapping[str, Sequence[float]]
    stock: Mapping[str, Sequence[float]]
    queries: tuple[int, int]

    def ratio(self, what: str) -> float:
        """The median of the portal's time divided by the admin's."""
        return median(one / other for one, other in zip(self.portal[what], self.stock[what], strict=True))


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        set_up(options.database or f"sqlite:///{scratch}/filled.sqlite3")
        tenants = _database.fill_if_empty(options.tenants)
        same = {case: measure(case, tenants, options.rounds) for case in BOTH}
        own = {case: measure_own(query, options.rounds) for case, query in OWN.items()}
    judged = GOALS if tenants >= FOR_TENANTS else ()
    missed = [goal for goal in judged if same[goal.case].ratio("page") > goal.at_most]
    results = (tenants, same, own, missed)
    print(json.dumps(as_json(*results), indent=2) if options.json else as_text(*results))
    return 1 if options.check and missed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tenants", type=int, default=20_000)
    parser.add_argument("--database", help="an address as in DATABASE_URL; an empty database is filled")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--check", action="store_true", help=f"fail if a goal is missed, with {FOR_TENANTS:,} tenants or more"
    )
    return parser.parse_args()


def set_up(database_url: str) -> None:
    _database.use(database_url)
    import django
    from django.conf import settings
    from django.contrib import admin

    settings.ROOT_URLCONF = "_stock_admin"
    # What `manage.py demo` collected has no files of the admin, which the portal itself does without.
    settings.STATIC_ROOT = tempfile.gettempdir()
    settings.INSTALLED_APPS.append("django.contrib.admin.apps.SimpleAdminConfig")
    templates: Any = settings.TEMPLATES[0]
    templates["DIRS"].append(Path(admin.__file__).parent / "templates")
    templates["OPTIONS"]["context_processors"].append("django.contrib.auth.context_processors.auth")
    django.setup()


def measure(case: str, tenants: int, rounds: int) -> Measured:
    import _operators
    import _stock_admin

    own, stock = BOTH[case][0], BOTH[case][1].format(last=-(-tenants // 100))
    calls: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "page": (lambda: _operators.tenants_page(own), lambda: _stock_admin.page(stock)),
        "rows": (lambda: _operators.tenants_read(own), lambda: _stock_admin.read(stock)),
    }
    seconds: tuple[dict[str, list[float]], dict[str, list[float]]] = ({}, {})
    for what, pair in calls.items():
        for call in pair:
            call()
        for side, times in enumerate(in_turns(pair, rounds)):
            seconds[side][what] = times
    queries = (_operators.queries(calls["page"][0]), _operators.queries(calls["page"][1]))
    return Measured(*seconds, queries)


def measure_own(query: str, rounds: int) -> tuple[float, int]:
    import _operators

    def call() -> object:
        return _operators.tenants_page(query)

    call()
    return median(in_turns([call], rounds)[0]), _operators.queries(call)


def in_turns(calls: Sequence[Callable[[], object]], rounds: int) -> list[list[float]]:
    """Milliseconds of each call by round. Each round has another order."""
    measured: list[list[float]] = [[] for _ in calls]
    order = list(range(len(calls)))
    for _ in range(rounds):
        random.shuffle(order)
        for place in order:
            began = perf_counter()
            calls[place]()
            measured[place].append((perf_counter() - began) * 1000)
    return measured


Same = Mapping[str, Measured]
Own = Mapping[str, tuple[float, int]]


def as_json(tenants: int, same: Same, own: Own, missed: Sequence[Goal]) -> dict[str, object]:
    goals = {goal.case: goal.at_most for goal in GOALS}
    return {
        "tenants": tenants,
        "against_the_admin": {
            case: {
                **{f"{what}_ms": round(median(one.portal[what]), 2) for what in one.portal},
                **{f"admins_{what}_ms": round(median(one.stock[what]), 2) for what in one.stock},
                **{f"{what}_ratio": round(one.ratio(what), 4) for what in one.portal},
                "queries": one.queries[0],
                "admins_queries": one.queries[1],
                "at_most": goals[case],
            }
            for case, one in same.items()
        },
        "of_its_own": {case: {"page_ms": round(ms, 2), "queries": queries} for case, (ms, queries) in own.items()},
        "missed": [goal.case for goal in missed],
    }


def as_text(tenants: int, same: Same, own: Own, missed: Sequence[Goal]) -> str:
    lines = [
        f"{tenants:,} tenants; milliseconds of the portal / of the admin = their ratio",
        "",
    ]
    lines.append(f"{'':24}{'whole page':>24}{'':9}{'its rows alone':>22}{'':9}{'queries':>8}   at most")
    for goal in GOALS:
        one = same[goal.case]
        cells = "".join(
            f"{median(one.portal[what]):11.2f} /{median(one.stock[what]):9.2f} = 1/{1 / one.ratio(what):<6.0f}"
            for what in one.portal
        )
        verdict = "" if tenants < FOR_TENANTS else ": missed" if goal in missed else ": met"
        lines.append(f"{goal.case:24}{cells}{'/'.join(map(str, one.queries)):>8}   1/{1 / goal.at_most:.0f}{verdict}")
    lines += ["", f"{'of the portal alone':24}{'whole page':>11}{'queries':>9}"]
    lines += [f"{case:24}{ms:11.2f}{queries:9}" for case, (ms, queries) in own.items()]
    if tenants < FOR_TENANTS:
        lines += ["", f"The goals are for {FOR_TENANTS:,} tenants: --tenants {FOR_TENANTS}."]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
