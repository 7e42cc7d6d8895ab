"""How fast does the emulator start, and how much memory and time does it need with many records?

Prints the seconds until the stack is deployed (median of three), the memory with 100,000 records, and what 20,000
requests add to it. Also prints the median milliseconds of a Query of 25 rows over HTTP, among 1,000 records and among
100,000, in one collection and in a hundred. Takes about two minutes.

    .venv/bin/python benchmarks/emulator_size.py [--records N] [--requests N] [--json] [--check]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter

import _project  # noqa: F401 - before any module of the project
import psutil  # type: ignore[import-untyped]
from _emulator_stack import Caller, Stack, get_body, query_body, sign_headers, stack_in_an_emulator

FEW, COLLECTIONS, ROUNDS = 1_000, 100, 200
LIMITS = {
    "seconds_to_ready": 2.5,
    "megabytes_with_the_records": 600.0,
    "query_in_one_collection_ratio": 2.0,
    "query_in_many_collections_ratio": 2.0,
    # Less than 0.2 kilobytes per request.
    "megabytes_added_by_requests": 4.0,
}


@dataclass(frozen=True, slots=True)
class Measured:
    seconds_to_ready: float
    megabytes_at_the_start: float
    records_a_second: float
    megabytes_with_the_records: float
    query_among_few_milliseconds: float
    query_in_one_collection_milliseconds: float
    query_in_one_collection_ratio: float
    query_in_many_collections_milliseconds: float
    query_in_many_collections_ratio: float
    megabytes_added_by_requests: float


def main() -> int:
    options = arguments()
    measured = measure(records=options.records, requests=options.requests)
    missed = [name for name, limit in LIMITS.items() if getattr(measured, name) > limit]
    if options.json:
        print(json.dumps({**asdict(measured), "missed": missed}, indent=2))
    else:
        for name, value in asdict(measured).items():
            limit = f"   at most {LIMITS[name]:g}" if name in LIMITS else ""
            print(f"{value:10.2f}  {name.replace('_', ' ')}{limit}{'   MISSED' if name in missed else ''}")
    return 1 if options.check and missed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--records",
        type=int,
        default=100_000,
        help="number of records to load into one collection, and again into a hundred",
    )
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help="exit 1 when a limit is missed")
    return parser.parse_args()


def measure(*, records: int, requests: int) -> Measured:
    ready = [_seconds_to_ready() for _ in range(2)]
    with stack_in_an_emulator() as stack:
        caller, at_start = Caller(stack), _megabytes(stack)
        began = perf_counter()
        caller.load("few", FEW)
        caller.load("one", records)
        a_second = (FEW + records) / (perf_counter() - began)
        loaded = _megabytes(stack)
        few, one = _in_turns(stack, caller, records)
        many_stack_ratio, many = _spread(records)
        before = _after(stack, caller, requests // 10)
        added = _after(stack, caller, requests) - before
    return Measured(
        seconds_to_ready=median([*ready, stack.seconds_to_ready]),
        megabytes_at_the_start=at_start,
        records_a_second=a_second,
        megabytes_with_the_records=loaded,
        query_among_few_milliseconds=few * 1000,
        query_in_one_collection_milliseconds=one * 1000,
        query_in_one_collection_ratio=one / few,
        query_in_many_collections_milliseconds=many * 1000,
        query_in_many_collections_ratio=many_stack_ratio,
        megabytes_added_by_requests=added,
    )


def _seconds_to_ready() -> float:
    with stack_in_an_emulator() as stack:
        return stack.seconds_to_ready


def _spread(records: int) -> tuple[float, float]:
    """With the records in a hundred collections: the ratio to 1,000 records in one, and the seconds."""
    with stack_in_an_emulator() as stack:
        caller = Caller(stack)
        caller.load("few", FEW)
        for number in range(COLLECTIONS):
            caller.load(f"c{number}", records // COLLECTIONS)
        few, many = _in_turns(stack, caller, records // COLLECTIONS, "c7")
        return many / few, many


def _in_turns(stack: Stack, caller: Caller, many: int, collection: str = "one") -> tuple[float, float]:
    """Median seconds of a random page among few records, then among many."""
    chance = random.Random(0)
    seconds: dict[str, list[float]] = {"few": [], collection: []}
    for _ in range(ROUNDS):
        for name, count in (("few", FEW), (collection, many)):
            body = query_body(stack.table, name, after=chance.randrange(max(1, count - 30)))
            headers = sign_headers(stack, "Query", body)
            began = perf_counter()
            caller.call("Query", body, headers)
            seconds[name].append(perf_counter() - began)
    return median(seconds["few"]), median(seconds[collection])


def _after(stack: Stack, caller: Caller, requests: int) -> float:
    """Megabytes after so many more requests: reads, queries, and a record that is written again."""
    bodies = [("GetItem", get_body(stack.table, "few", 7)), ("Query", query_body(stack.table, "few"))]
    prepared = [(operation, body, sign_headers(stack, operation, body)) for operation, body in bodies]
    for number in range(requests):
        caller.call(*prepared[number % 8 == 0])
        if number % 40 == 0:
            caller.load("few", 1)
    return _megabytes(stack)


def _megabytes(stack: Stack) -> float:
    return float(psutil.Process(stack.pid).memory_info().rss) / 1e6


if __name__ == "__main__":
    sys.exit(main())
