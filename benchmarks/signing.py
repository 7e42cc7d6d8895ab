"""Does every call carry the signature of the right person, under load?

Makes 80,000 Queries for fifty people through the portal's one records client, in threads: single calls, paginators, and
paginators with calls for another person between their pages. Two calls in a hundred fail with a 500 first, and botocore
retries them. A server in another process checks key id, session token and signature of every request. The control sets
credentials on the shared client before each call, which the portal must not do. The server must detect it.

    .venv/bin/python benchmarks/signing.py [--calls N] [--json]

Exits with 1 if a call had a wrong signature, or if the control was not detected.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import _project  # noqa: F401 - before any module of the project
import botocore.session
from _fake_aws import PAGES, REGION, FakeAws, fake_aws
from _people import credentials_of, partition_of
from botocore.config import Config
from botocore.credentials import Credentials as BotocoreCredentials

from tenants.aws.clients import records_client
from tenants.aws.signing import signing_as

PEOPLE, THREADS = 50, 16
CONTROL_CALLS = 4_000
# Calls in a unit of work: one call, page after page, or two people in turns.
CALLS_A_UNIT = {"single": 1, "paginator": PAGES, "in turns": 2 * PAGES}
Work = Callable[[int], int]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=80_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with fake_aws() as aws:
        in_threads(bound_work(aws), units(options.calls))
        in_threads(mutating_work(aws), [1] * min(CONTROL_CALLS, options.calls))
        bound, control = aws.tally("Bound"), aws.tally("Control")
    print(json.dumps({"bound": bound, "control": control}) if options.json else as_text(bound, control))
    return 1 if bound["wrong"] or not control["wrong"] or bound["arrived"] < options.calls else 0


def as_text(bound: Counter[str], control: Counter[str]) -> str:
    lines = [f"{'':44}{'arrived':>9}{'retried':>9}{'wrong':>7}{'connections':>13}"]
    for name, tally in (("the portal's client", bound), ("control: credentials set on a shared client", control)):
        counts = (tally["arrived"], tally["retried"], tally["wrong"], tally["connections"])
        lines.append("{:44}{:9,}{:9,}{:7,}{:13}".format(name, *counts))
    lines.append(f"goal: no wrong signatures: {'not met' if bound['wrong'] else 'met'}")
    lines.append(
        f"the control was {'detected' if control['wrong'] else 'NOT detected, so the line above means nothing'}"
    )
    return "\n".join(lines)


def units(calls: int) -> list[int]:
    """Sizes of units that add up to at least this many calls, in random order."""
    chance = random.Random(calls)
    made: list[int] = []
    while calls > 0:
        made.append(chance.choices(list(CALLS_A_UNIT.values()), [8, 1, 1])[0])
        calls -= made[-1]
    return made


def in_threads(work: Callable[[int, int], object], sizes: list[int]) -> None:
    people = (place % PEOPLE for place in range(len(sizes)))
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(work, people, sizes):
            pass


def bound_work(aws: FakeAws) -> Callable[[int, int], object]:
    client = records_client(region=REGION, endpoint_url=aws.endpoint_url, connections=THREADS)

    def single(person: int) -> None:
        with signing_as(credentials_of(person)):
            client.query(**query_of("Bound", person))

    def pages(person: int) -> Iterator[Any]:
        return iter(client.get_paginator("query").paginate(**query_of("Bound", person)))

    def paginator(person: int) -> None:
        with signing_as(credentials_of(person)):
            for _ in pages(person):
                pass

    def in_turns(person: int) -> None:
        other = (person + 1) % PEOPLE
        with signing_as(credentials_of(person)):
            for _ in islice(pages(person), PAGES):
                single(other)

    kinds = {CALLS_A_UNIT["single"]: single, CALLS_A_UNIT["paginator"]: paginator, CALLS_A_UNIT["in turns"]: in_turns}
    return lambda person, size: kinds[size](person)


def mutating_work(aws: FakeAws) -> Callable[[int, int], object]:
    held = BotocoreCredentials("nobody", "nobody", "nobody")
    session = botocore.session.Session()
    session._credentials = held  # type: ignore[attr-defined]
    config = Config(max_pool_connections=THREADS, retries={"mode": "standard"})
    client: Any = session.create_client("dynamodb", REGION, endpoint_url=aws.endpoint_url, config=config)

    def work(person: int, _size: int) -> None:
        own = credentials_of(person)
        held.access_key, held.secret_key, held.token = own.access_key_id, own.secret_access_key, own.session_token
        client.query(**query_of("Control", person))

    return work


def query_of(table: str, person: int) -> Any:
    return {
        "TableName": table,
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": partition_of(person)}},
    }


if __name__ == "__main__":
    sys.exit(main())
