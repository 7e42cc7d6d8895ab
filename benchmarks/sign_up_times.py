"""Do the answers to a sign-up tell whether an address is known?

Sends the form with 200 addresses of members and 200 unknown ones, in a random order, and compares what comes back:
bytes must be equal, and a classifier that sees only the time of each answer should do no better than a coin. Prints
its AUC (0.5: a coin; 0 or 1: always right), twice. The baseline looks the address up first, as is usual, so that one
sees what the classifier finds. Requests go to the application in this process, where no network hides a difference.

    .venv/bin/python benchmarks/sign_up_times.py [--addresses N] [--runs N] [--json] [--check]
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import _project  # noqa: F401 - before any module of the project
from _portal import set_up

PORTAL, BASELINE = "the portal", "looks the address up first"
LEAST, MOST = 0.4, 0.6
_TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"')
_MEMBERS = 2000


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        set_up(endpoint_url="http://localhost:9", scratch=Path(scratch), cache_url="locmemcache://")
        prepare()
        runs = {name: [measure(name, options.addresses) for _ in range(options.runs)] for name in (PORTAL, BASELINE)}
    print(json.dumps(runs) if options.json else as_text(runs))
    missed = [auc for auc in runs[PORTAL] if not LEAST <= auc <= MOST]
    return 1 if options.check and missed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--addresses", type=int, default=200, help="known ones, and as many unknown ones")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help=f"exit 1 when an AUC is not {LEAST} to {MOST}")
    return parser.parse_args()


def prepare() -> None:
    """Members to know, and limits that do not stop the benchmark."""
    from tenants.domain.roles import Role
    from tenants.members import sign_up
    from tenants.models import Member, Person, Tenant
    from tenants.organisation import sign_up as page

    sign_up.MOST_OF_A_NETWORK = sign_up.MOST_OF_THE_SITE = 10**9
    page._SHORTEST_SECONDS = 0
    tenant = Tenant.objects.create(name="Acme", slug="acme")
    people = Person.objects.bulk_create(Person(email=known(number)) for number in range(_MEMBERS))
    Member.objects.bulk_create(Member(person=person, tenant=tenant, role=Role.VIEWER) for person in people)


def known(number: int) -> str:
    return f"member{number:06d}@acme.example"


def unknown(number: int) -> str:
    return f"nobody{number:06d}@acme.example"


def measure(name: str, addresses: int) -> float:
    """The AUC. Raises ValueError if two answers differ in more than the address."""
    numbers = random.sample(range(_MEMBERS), addresses)
    asked = [(True, known(number)) for number in numbers] + [(False, unknown(number)) for number in numbers]
    random.shuffle(asked)
    send = sender(name)
    for number in range(20):
        send(unknown(_MEMBERS + number))
    times: dict[bool, list[float]] = {True: [], False: []}
    answers = set()
    gc.disable()
    for is_known, email in asked:
        seconds, answer = send(email)
        times[is_known].append(seconds)
        answers.add(answer)
        gc.collect(0)
    gc.enable()
    if name == PORTAL and len(answers) != 1:
        raise ValueError(f"{len(answers)} different answers")
    return round(auc(times[True], times[False]), 3)


def sender(name: str) -> Callable[[str], tuple[float, bytes]]:
    from django.core import signing
    from django.http import HttpResponseRedirect
    from django.test import Client

    from tenants.models import Person

    form = {"organisation": "Initech", "name": "Bill Lumbergh", "terms": "yes"}
    opened = signing.dumps(time.time() - 60, salt="sign-up form")

    def post(client: Any, email: str) -> Any:
        if name == BASELINE and Person.objects.filter(email=email).exists():
            return HttpResponseRedirect("/signup/sent/")
        return client.post("/signup/", {**form, "opened": opened, "email": email})

    def send(email: str) -> tuple[float, bytes]:
        client = Client(headers={"host": "localhost:8000"})
        started = time.perf_counter()
        answer = post(client, email)
        seconds = time.perf_counter() - started
        if (answer.status_code, answer["Location"]) != (302, "/signup/sent/"):
            raise ValueError(f"the form was answered with {answer.status_code}")
        page = client.get("/signup/sent/").content if name == PORTAL else b""
        return seconds, answer.content + _TOKEN.sub(b"", page).replace(email.encode(), b"")

    return send


def auc(some: Sequence[float], others: Sequence[float]) -> float:
    """How often one of `some` took longer than one of `others`: the area under the classifier's ROC curve."""
    wins = sum((one > other) + (one == other) / 2 for one in some for other in others)
    return wins / (len(some) * len(others))


def as_text(runs: dict[str, list[float]]) -> str:
    width = max(map(len, runs))
    lines = [f"{name:{width}}  AUC {', '.join(f'{one:.3f}' for one in found)}" for name, found in runs.items()]
    return "\n".join([*lines, f"wanted: {LEAST} to {MOST}, and equal bytes"])


if __name__ == "__main__":
    sys.exit(main())
