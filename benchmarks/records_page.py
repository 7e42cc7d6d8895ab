"""What does a records page of 25 rows cost, compared with the usual ways to write it?

Prints the median milliseconds of CPU time per page in the portal's process, and the median of the ratios within each
round. Each round runs every variant. A fake AWS runs in another process, and its time does not count. Everything else
is real: middleware, session (in a local-memory cache), the door, the credentials and the page's template. The variants
must produce identical pages, or there is no result. The person is a viewer: an owner's page has links to edit, too.

    .venv/bin/python benchmarks/records_page.py [--rounds N] [--requests N] [--json] [--check]
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time

import _project  # noqa: F401 - before any module of the project
from _fake_aws import RECORDS, FakeAws, fake_aws
from _portal import Browser, set_up, sign_in

PORTAL, SHARED, SESSION = "the portal", "shared stock client + stock template", "Session + resource per request"
ADDRESSES = {
    PORTAL: "/records/orders/",
    SHARED: "/records/shared/client/orders/",
    "the same, addresses without {% url %}": "/records/shared/joined/orders/",
    "client per request + stock template": "/records/client/each/orders/",
    SESSION: "/records/session/each/orders/",
    "the portal, without the query": "/records/without/query/orders/",
}
# This variant is dozens of times slower, so it runs fewer pages. With fewer than three, no garbage is collected.
PAGES_OF_SESSION = 3
DIFFERS_BY_PAGE = re.compile(
    rb'name="csrfmiddlewaretoken" value="[^"]*"|[0-9.]+ read units? . [0-9]+ ms'.replace(b" . ", " · ".encode())
)


@dataclass(frozen=True, slots=True)
class Goal:
    name: str
    against: str
    at_most: float
    must: bool


GOALS = (
    Goal("must", SHARED, 0.60, must=True),
    Goal("target", SHARED, 0.40, must=False),
    Goal("stretch", SHARED, 0.22, must=False),
    Goal("must", SESSION, 0.04, must=True),
)

# Seconds of CPU time per page, by variant. The same index in each list is the same round.
Measured = Mapping[str, Sequence[float]]


def main() -> int:
    options = arguments()
    with fake_aws() as aws, tempfile.TemporaryDirectory() as scratch:
        measured = measure(aws, Path(scratch), rounds=options.rounds, requests=options.requests)
        wrong = aws.tally(RECORDS)["wrong"]
    if wrong:
        print(f"{wrong} queries were not signed by the owner of the rows")
        return 1
    print(json.dumps(as_json(measured), indent=2) if options.json else as_text(measured))
    missed = [goal for goal in GOALS if goal.must and ratio(measured, PORTAL, goal.against) > goal.at_most]
    return 1 if options.check and missed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--requests", type=int, default=20, help="pages per variant and round")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help="exit 1 when a required goal is not met")
    return parser.parse_args()


def measure(aws: FakeAws, scratch: Path, *, rounds: int, requests: int) -> Measured:
    set_up(endpoint_url=aws.endpoint_url, scratch=scratch, cache_url="locmemcache://")
    from django.conf import settings

    settings.ROOT_URLCONF = "_pages"
    browser = sign_in(1, role="viewer")
    compare_pages(browser)
    measured: dict[str, list[float]] = {variant: [] for variant in ADDRESSES}
    order = list(ADDRESSES)
    for _ in range(rounds):
        random.shuffle(order)
        for variant in order:
            pages = min(requests, PAGES_OF_SESSION) if variant == SESSION else requests
            measured[variant].append(seconds_a_page(browser, ADDRESSES[variant], pages))
    return measured


def compare_pages(browser: Browser) -> None:
    """Raises ValueError if a variant's page differs from the portal's. Also warms up."""
    pages = {variant: DIFFERS_BY_PAGE.sub(b"", browser.get(address)) for variant, address in ADDRESSES.items()}
    if pages[PORTAL].count(b'<tr role="row"><th scope="row" ') != 25:
        raise ValueError("the portal does not show 25 rows")
    for variant, page in pages.items():
        if page != pages[PORTAL]:
            raise ValueError(f"this page differs from the portal's: {variant}")


def seconds_a_page(browser: Browser, address: str, pages: int) -> float:
    # So that a variant does not pay for the garbage of the previous one.
    gc.collect()
    start = process_time()
    for _ in range(pages):
        browser.get(address)
    return (process_time() - start) / pages


def ratio(measured: Measured, variant: str, against: str) -> float:
    return median(one / other for one, other in zip(measured[variant], measured[against], strict=True))


def as_json(measured: Measured) -> dict[str, object]:
    variants = {
        variant: {
            "cpu_ms": round(median(seconds) * 1000, 3),
            "against_shared": round(ratio(measured, variant, SHARED), 4),
            "against_session": round(ratio(measured, variant, SESSION), 4),
        }
        for variant, seconds in measured.items()
    }
    goals = [
        {
            "goal": goal.name,
            "against": goal.against,
            "at_most": goal.at_most,
            "is": round(ratio(measured, PORTAL, goal.against), 4),
            "met": ratio(measured, PORTAL, goal.against) <= goal.at_most,
        }
        for goal in GOALS
    ]
    return {"rounds": len(measured[PORTAL]), "variants": variants, "goals": goals}


def as_text(measured: Measured) -> str:
    lines = [f"{'':38}{'CPU ms':>9}{'of shared':>11}{'of Session':>12}"]
    for variant, seconds in measured.items():
        shared, session = ratio(measured, variant, SHARED), ratio(measured, variant, SESSION)
        lines.append(f"{variant:38}{median(seconds) * 1000:9.2f}{shared:11.3f}{session:12.4f}")
    for goal in GOALS:
        now = ratio(measured, PORTAL, goal.against)
        verdict = "met" if now <= goal.at_most else "not met"
        lines.append(f"goal ({goal.name}): at most {goal.at_most:.2f} of {goal.against}: {now:.3f}, {verdict}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
