"""How long does the operators' overview take, and how many queries, with so many tenants and members?

Measures the view alone, from the request to the HTML, without the middleware, on SQLite or on the database given.
Prints the median and the 95th percentile of its milliseconds, and its number of queries, which must not depend on the
number of tenants. The goal is for 100,000 tenants and 1,000,000 members. Filling a database with those takes a minute
or two, so it can be kept and given again:

    .venv/bin/python benchmarks/overview.py [--tenants 100000 --members 1000000] [--database URL] [--json] [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from time import perf_counter

import _database

MOST_MS = 50.0
FOR_TENANTS, FOR_MEMBERS = 100_000, 1_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    tenants: int
    members: int
    page_ms: float
    page_ms_95th: float
    numbers_ms: float
    queries: int


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        _database.use(options.database or f"sqlite:///{scratch}/filled.sqlite3")
        tenants = _database.fill_if_empty(options.tenants, options.members)
        measured = measure(tenants, options.rounds)
    met = measured.page_ms <= MOST_MS
    if options.json:
        print(json.dumps({**asdict(measured), "at_most_ms": MOST_MS, "met": met}, indent=2))
    else:
        print(as_text(measured))
    return 1 if options.check and not met else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tenants", type=int, default=20_000)
    parser.add_argument("--members", type=int, default=50_000)
    parser.add_argument("--database", help="an address as in DATABASE_URL; an empty database is filled")
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help="fail if the goal is not met")
    return parser.parse_args()


def measure(tenants: int, rounds: int) -> Measured:
    import _operators

    from tenants.health.overview import overview
    from tenants.models import Member

    _operators.overview_page()
    page = [milliseconds(_operators.overview_page) for _ in range(rounds)]
    numbers = [milliseconds(overview) for _ in range(rounds)]
    return Measured(
        tenants=tenants,
        members=Member.objects.count(),
        page_ms=round(median(page), 2),
        page_ms_95th=round(quantiles(page, n=20)[-1], 2),
        numbers_ms=round(median(numbers), 2),
        queries=_operators.queries(_operators.overview_page),
    )


def milliseconds(call: Callable[[], object]) -> float:
    began = perf_counter()
    call()
    return (perf_counter() - began) * 1000


def as_text(measured: Measured) -> str:
    verdict = "met" if measured.page_ms <= MOST_MS else "missed"
    return f"""\
{measured.tenants:9,} tenants, {measured.members:,} members
{measured.page_ms:9.1f} ms median for the page; goal: at most {MOST_MS:.0f}: {verdict}
{measured.page_ms_95th:9.1f} ms, the 95th percentile
{measured.numbers_ms:9.1f} ms of that for the numbers, the rest for the HTML
{measured.queries:9} queries; goal: the same for any number of tenants
The goals are for {FOR_TENANTS:,} tenants and {FOR_MEMBERS:,} members."""


if __name__ == "__main__":
    sys.exit(main())
