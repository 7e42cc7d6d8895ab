"""/livez, /readyz and /metrics: what machines are told, how long that takes, and what strangers never learn."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.demo.world import World
from tenants.connections import connections
from tenants.health import readiness
from tenants.health.readiness import Found, Prober, State
from tenants.models import ProvisioningHour, Tenant, Worker
from tests.world.fixtures import Browser
from tests.world.stage import tenant_with_people

TOKEN = "a-collectors-token-of-its-own"
OK = Found(State.OK)


@pytest.fixture(autouse=True)
def nothing_is_known_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_prober", None)


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """Set at the end, so that no thread is left waiting."""
    enough = threading.Event()
    yield enough
    enough.set()


def states(answer: dict[str, Any]) -> dict[str, str]:
    return {name: check["state"] for name, check in answer["checks"].items()}


def asked(portal: World) -> tuple[int, dict[str, Any]]:
    page = Browser(portal).get("/readyz")
    return page.status_code, page.json()


@pytest.mark.django_db(transaction=True)
def test_with_a_worker_everything_is_there(portal: World) -> None:
    Worker.objects.create(name="w", beat_at=timezone.now() - timedelta(seconds=7))
    code, answer = asked(portal)
    assert code == 200
    assert answer["status"] == "ready"
    assert states(answer) == dict.fromkeys(("database", "cache", "signing_keys", "worker"), "ok")
    assert answer["checks"]["worker"]["age_seconds"] in range(7, 12)
    assert answer["checks"]["signing_keys"]["age_seconds"] >= 0
    assert answer["checks"]["database"]["age_seconds"] is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "worker", [None, {"beat_at": timezone.now() - timedelta(hours=1)}, {"stopped_at": timezone.now()}]
)
def test_without_a_worker_pages_are_served_all_the_same(portal: World, worker: dict[str, Any] | None) -> None:
    if worker:
        Worker.objects.create(name="w", **worker)
    code, answer = asked(portal)
    assert (code, answer["status"], states(answer)["worker"]) == (200, "degraded", "missing")


@pytest.mark.usefixtures("new_process")
def test_without_signing_keys_it_is_not_ready(portal: World, settings: Any) -> None:
    settings.OIDC_OP_JWKS_ENDPOINT = "http://127.0.0.1:1/keys"
    code, answer = asked(portal)
    assert (code, answer["status"], states(answer)["signing_keys"]) == (503, "not ready", "failing")


@pytest.mark.usefixtures("new_process")
def test_keys_that_were_fetched_stay_good_while_cognito_is_away(portal: World) -> None:
    keys = connections().verifier.keys
    assert keys.age_seconds is None
    now = keys.clock()
    keys.clock = lambda: now
    keys.fetch_if_missing()
    keys.url = "http://127.0.0.1:1/keys"
    keys.clock = lambda: now + 90
    code, answer = asked(portal)
    assert code == 200
    assert answer["checks"]["signing_keys"] == {"state": "ok", "age_seconds": 90}


def test_without_the_cache_it_is_not_ready(portal: World, settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache",
                                   "LOCATION": "redis://127.0.0.1:1/0"}}  # fmt: skip
    code, answer = asked(portal)
    assert (code, states(answer)["cache"]) == (503, "failing")


def test_a_cache_that_forgets_at_once_is_none(portal: World, settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    assert asked(portal)[0] == 503


def test_without_the_database_it_is_not_ready_and_strangers_do_not_learn_why(
    portal: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down() -> Found:
        raise OperationalError("connection to server at db.internal.example failed")

    monkeypatch.setattr(readiness, "_prober", Prober({"database": down, "cache": lambda: OK}))
    page = Browser(portal).get("/readyz")
    assert page.status_code == 503
    assert states(page.json()) == {"database": "failing", "cache": "ok"}
    assert "internal.example" not in page.content.decode()
    assert any("internal.example" in str(vars(record)) for record in caplog.records)


def test_what_hangs_has_failed_in_time_and_is_not_joined_by_others(hanging: threading.Event) -> None:
    begun = []

    def hangs() -> Found:
        begun.append(1)
        hanging.wait(timeout=30)
        return OK

    prober = Prober({"database": hangs, "cache": lambda: OK}, longest=0.1, kept=0)
    for _ in range(3):
        since = time.monotonic()
        found = prober.readiness()
        assert time.monotonic() - since < 2
        assert not found.ready
        assert found.checks["cache"] == OK
    assert len(begun) == 1


def test_however_many_ask_at_once_one_looks_and_the_answer_is_kept_for_a_moment(hanging: threading.Event) -> None:
    looked = []

    def look() -> Found:
        looked.append(1)
        time.sleep(0.05)
        return OK

    prober = Prober({"cache": look}, kept=60)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: prober.readiness(), range(40)))
    assert len(looked) == 1
    assert all(answer is answers[0] for answer in answers)


def test_while_one_looks_the_others_get_what_was_found_before(hanging: threading.Event) -> None:
    looking, turn = threading.Event(), iter(range(9))

    def look() -> Found:
        if next(turn):
            looking.set()
            hanging.wait(timeout=30)
        return OK

    prober = Prober({"cache": look}, longest=10, kept=0)
    first = prober.readiness()
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(prober.readiness)
        assert looking.wait(timeout=10)
        assert prober.readiness() is first
        hanging.set()
        assert second.result() is not first


@pytest.mark.parametrize("address", ["/livez", "/readyz"])
def test_load_balancers_ask_by_address_and_without_tls(portal: World, settings: Any, address: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get(address, headers={"host": "10.1.2.3:8000"}).status_code == 200
    assert Client().get("/", headers={"host": "10.1.2.3:8000"}).status_code == 400


@pytest.mark.parametrize("address", ["/livez", "/readyz", "/metrics"])
def test_machines_have_no_session(portal: World, settings: Any, address: str) -> None:
    settings.METRICS_TOKEN = TOKEN
    browser = Browser(portal)
    browser.cookies["session"] = "a" * 32
    with CaptureQueriesContext(connection) as queries:
        page = browser.get(address, headers={"authorization": f"Bearer {TOKEN}"})
    assert page.status_code == 200
    assert "Set-Cookie" not in page
    assert "Cookie" not in page.get("Vary", "")
    assert not [query for query in queries if "django_session" in query["sql"]]


def test_livez_asks_nothing_of_anybody(client: Client) -> None:
    # Without a fixture that allows it, asking the database is an error.
    assert client.get("/livez", headers={"host": "localhost"}).content == b"ok\n"


# ── Metrics ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def collected(portal: World) -> dict[str, float]:
    page = Browser(portal).get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert page.status_code == 200
    assert page["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = page.content.decode().splitlines()
    samples = [re.fullmatch(r"(portal_[a-z_]+(?:\{[a-z]+=\"[a-z]+\"\})?) (-?[0-9.e+]+)", line) for line in lines]
    assert all(match or line.startswith("#") for match, line in zip(samples, lines, strict=True))
    return {match[1]: float(match[2]) for match in samples if match}


def test_the_numbers_are_those_of_the_database(portal: World, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    tenant_with_people("Initech", 3, domain="initech.example")
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for ago, applied in ((0, 5), (400, 7)):
        ProvisioningHour.objects.create(hour=hour - timedelta(hours=ago), applied=applied, throttled=2)
    Worker.objects.create(name="w")
    found = collected(portal)
    assert found['portal_tenants{state="active"}'] == 2
    assert found['portal_tenants{state="pending"}'] == 1
    assert found['portal_members_unsettled{provisioning="due"}'] == 3
    assert found['portal_members_unsettled{provisioning="stuck"}'] == 0
    assert found["portal_provisioning_waits_seconds"] >= 0
    assert found["portal_provisioning_changes_total"] == 12
    assert found["portal_provisioning_throttled_total"] == 4
    assert found['portal_workers{state="working"}'] == 1
    assert found["portal_audit_entries_total"] >= 4


def test_more_rows_are_no_more_queries(portal: World, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            collected(portal)
        return len(queries)

    before = count()
    tenant_with_people("Initech", 5, domain="initech.example")
    Tenant.objects.bulk_create(Tenant(name=f"T{number}") for number in range(20))
    Worker.objects.bulk_create(Worker(name=f"w{number}") for number in range(5))
    assert count() == before <= 12


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer é"]
)
def test_a_collector_needs_the_token(client: Client, settings: Any, authorization: str | None) -> None:
    settings.METRICS_TOKEN = TOKEN
    headers = {"host": "localhost"} | ({} if authorization is None else {"authorization": authorization})
    page = client.get("/metrics", headers=headers)
    assert (page.status_code, page["WWW-Authenticate"]) == (401, "Bearer")
    assert b"portal_" not in page.content


@pytest.mark.parametrize("authorization", ["Bearer ", "Bearer", f"Bearer {TOKEN}"])
def test_where_no_token_is_set_there_is_no_such_page(client: Client, authorization: str) -> None:
    assert client.get("/metrics", headers={"host": "localhost", "authorization": authorization}).status_code == 404
