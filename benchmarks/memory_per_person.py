"""How much memory does the web process keep per signed-in person, and how many sockets does it hold?

Measures a Federation first: 2,000 people get credentials from a fake identity pool in this process, and the memory that
Python keeps is counted. The shared cache is not counted, because it is another process in production; its bytes are
printed as well. Measures the whole portal next: people open a records page each, in eight threads, with the cache in
files. Counts the memory that the process keeps, and the connections to DynamoDB.

    .venv/bin/python benchmarks/memory_per_person.py [--people N] [--json] [--check]
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
import tracemalloc
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import _project  # noqa: F401 - before any module of the project
from _fake_aws import RECORDS, fake_aws
from _people import TOKEN_CHARACTERS, make_credentials, org_of
from _portal import Browser, set_up, sign_in

THREADS = 8
MOST_BYTES = 2048
# This many people come before counting begins, so that memory every process needs once is not counted.
WARM_UP = 120
SECRET_KEY = bytes(32)


def main() -> int:
    options = arguments()
    with fake_aws() as aws, tempfile.TemporaryDirectory() as scratch:
        set_up(endpoint_url=aws.endpoint_url, scratch=Path(scratch), cache_url=f"filecache://{scratch}/cache")
        in_federation, in_cache = federation_alone(options.people)
        in_process = whole_portal(options.pages)
        sockets = aws.tally(RECORDS)["connections"]
    found = {
        "federation_bytes": in_federation,
        "shared_cache_bytes": in_cache,
        "process_bytes": in_process,
        "connections": sockets,
    }
    met = {"bytes": max(in_federation, in_process) <= MOST_BYTES, "connections": sockets <= THREADS}
    print(json.dumps({**found, "met": met}) if options.json else as_text(found, met, options))
    return 1 if options.check and not all(met.values()) else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--people", type=int, default=2_000)
    parser.add_argument("--pages", type=int, default=300, help="number of people who open a page of the whole portal")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is not met")
    return parser.parse_args()


def as_text(found: Mapping[str, float], met: Mapping[str, bool], options: argparse.Namespace) -> str:
    verdict = {name: "met" if good else "not met" for name, good in met.items()}
    return f"""\
{found["federation_bytes"]:6,.0f} bytes per person in a Federation, with {options.people:,} people
{TOKEN_CHARACTERS:6,} of these bytes are the session token
{found["process_bytes"]:6,.0f} bytes per person in the whole process, with {options.pages:,} people and a page each
{found["shared_cache_bytes"]:6,.0f} bytes per person in the shared cache, not counted above
goal: at most {MOST_BYTES:,} bytes: {verdict["bytes"]}
goal: no more connections to DynamoDB than the {THREADS} threads: {found["connections"]}, {verdict["connections"]}"""


class IdentityPoolHere:
    """Replaces `tenants.aws.identity_pool`. The ID token of an invented person is their number."""

    def credentials(self, _identity_id: str, id_token: str) -> Any:
        return replace(make_credentials(int(id_token)), expires_at=time.time() + 60 * 60)


class TokensHere:
    """Replaces `tenants.sign_in.sessions.Sessions`, which needs a database."""

    def id_token_for(self, who: Any) -> str:
        return str(who.sign_in_id.int)


class ForgetfulCache:
    """Stores nothing. Counts the bytes that it should store."""

    def __init__(self) -> None:
        self.bytes = 0

    def add(self, _key: str, _value: Any, timeout: float | None = None) -> bool:  # noqa: ARG002
        return True

    def get(self, _key: str, default: Any = None) -> Any:
        return default

    def set(self, key: str, value: Any, timeout: float | None = None) -> None:  # noqa: ARG002
        self.bytes += len(key) + len(value)

    def delete(self, _key: str) -> bool:
        return True


def federation_alone(people: int) -> tuple[float, float]:
    """Bytes per person in the process, then in the shared cache."""
    from tenants.sign_in.federation import Federation
    from tenants.sign_in.sealing import Sealer
    from tenants.sign_in.single_flight import SingleFlight

    cache = ForgetfulCache()
    federation = Federation(
        pool=cast(Any, IdentityPoolHere()),
        sessions=cast(Any, TokensHere()),
        sealer=Sealer([SECRET_KEY]),
        cache=cache,
        flights=SingleFlight(cache),
    )

    def get_credentials(numbers: range) -> None:
        for number in numbers:
            federation.credentials_for(_signed_in(number))

    kept = kept_by(
        lambda: get_credentials(range(WARM_UP, WARM_UP + people)), warm_up=lambda: get_credentials(range(WARM_UP))
    )
    return kept / people, cache.bytes / (WARM_UP + people)


def _signed_in(number: int) -> Any:
    from tenants.domain.claims import Claims
    from tenants.sign_in.sessions import SignedIn
    from tenants.sign_in.standing import Standing

    claims = Claims(str(number), f"{number}@example.com", "", org_of(number), "owner", expires_at=2**40)
    return SignedIn(uuid.UUID(int=number), claims, Standing(number, str(number), "", "", identity_id="known"))


def whole_portal(people: int) -> float:
    """Bytes per person that any part of the process keeps after a page."""
    from django.db import transaction

    with transaction.atomic():
        browsers = [sign_in(number) for number in range(1, WARM_UP + people + 1)]
    with ThreadPoolExecutor(THREADS) as threads:
        return (
            kept_by(
                lambda: open_pages(threads, browsers[WARM_UP:]),
                warm_up=lambda: open_pages(threads, browsers[:WARM_UP]),
            )
            / people
        )


def open_pages(threads: ThreadPoolExecutor, browsers: Sequence[Browser]) -> None:
    for _ in threads.map(lambda browser: browser.get("/records/orders/"), browsers):
        pass


def kept_by(work: Callable[[], None], *, warm_up: Callable[[], None]) -> int:
    """Bytes that Python allocated for the work and did not free afterwards."""
    tracemalloc.start()
    warm_up()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    work()
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return kept


if __name__ == "__main__":
    sys.exit(main())
