"""/livez and /readyz: the answers, how long they take, and what strangers never learn."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.cache import caches_at
from portal.demo.world import World
from tenants.domain.errors import MailLimitReached, Misconfigured, PortalError
from tenants.health import readiness
from tenants.health.readiness import CheckResult, Prober, State
from tenants.models import Halted, Suspension, Tenant, Worker
from tenants.provisioning.halt import halt
from tenants.sign_in.wiring import verifier
from tests.world.fixtures import Browser

TOKEN = "a-collectors-token-of-its-own"
OK = CheckResult(State.OK)


@pytest.fixture(autouse=True)
def no_answer_is_kept() -> Iterator[None]:
    prober = readiness.prober
    prober.forget()
    yield
    prober.forget()


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """Set at the end of the test, so that no thread waits longer."""
    enough = threading.Event()
    yield enough
    enough.set()


def states(answer: dict[str, Any]) -> dict[str, str]:
    return {name: check["state"] for name, check in answer["checks"].items()}


def readyz(portal: World) -> tuple[int, dict[str, Any]]:
    page = Browser(portal).get("/readyz")
    return page.status_code, page.json()


def ages_since(moment: datetime, least: int) -> range:
    """In seconds, for an answer that was made before now."""
    return range(least, int((timezone.now() - moment).total_seconds()) + 1)


@pytest.mark.django_db(transaction=True)
def test_with_a_worker_it_is_ready(portal: World) -> None:
    beat_at = timezone.now() - timedelta(seconds=7)
    Worker.objects.create(name="w", beat_at=beat_at)
    code, answer = readyz(portal)
    assert code == 200
    assert answer["status"] == "ready"
    assert states(answer) == dict.fromkeys(
        (
            "database",
            "cache",
            "signing_keys",
            "user_pool",
            "identity_pool",
            "worker",
            "provisioning",
            "invitations",
            "suspensions",
        ),
        "ok",
    )
    assert answer["checks"]["worker"]["age_seconds"] in ages_since(beat_at, 7)
    assert answer["checks"]["signing_keys"]["age_seconds"] >= 0
    assert answer["checks"]["database"]["age_seconds"] is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("setting", "value", "check"),
    [
        ("OIDC_OP_JWKS_ENDPOINT", "{AWS_ENDPOINT_URL}/eu-west-1_Gone12345/.well-known/jwks.json", "user_pool"),
        ("COGNITO_IDENTITY_POOL_ID", "eu-west-1:00000000-0000-4000-8000-000000000000", "identity_pool"),
    ],
)
def test_a_pool_that_is_gone_is_shown(
    portal: World, new_process: None, settings: Any, setting: str, value: str, check: str
) -> None:
    verifier().keys.fetch_if_missing()
    setattr(settings, setting, value.format(**portal.settings))
    code, answer = readyz(portal)
    assert (code, states(answer)[check]) == (503, "failing")


@pytest.mark.django_db(transaction=True)
def test_aws_being_away_is_no_pool_that_is_gone(portal: World, new_process: None, settings: Any) -> None:
    verifier().keys.fetch_if_missing()
    settings.OIDC_OP_JWKS_ENDPOINT = settings.AWS_ENDPOINT_URL = "http://localhost:9"
    code, answer = readyz(portal)
    assert (code, states(answer)["user_pool"], states(answer)["identity_pool"]) == (200, "ok", "ok")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("error", "what", "check"),
    [
        (Misconfigured("the pool is gone"), Halted.EVERYTHING, "provisioning"),
        (MailLimitReached(), Halted.MAILS, "invitations"),
    ],
)
def test_what_is_halted_is_shown_and_pages_are_served(
    portal: World, error: PortalError, what: Halted, check: str
) -> None:
    Worker.objects.create(name="w")
    halt(error, what)
    code, answer = readyz(portal)
    assert (code, answer["status"]) == (200, "degraded")
    assert {name for name, state in states(answer).items() if state != "ok"} == {check}
    assert states(answer)[check] == "halted"
    assert error.for_operators not in str(answer)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("waits", "state"), [(3, "ok"), (40, "waiting")])
def test_a_suspension_that_aws_does_not_know_yet_is_shown(portal: World, waits: int, state: str) -> None:
    Worker.objects.create(name="w")
    since = timezone.now() - timedelta(seconds=waits)
    Suspension.objects.create(tenant=Tenant.objects.create(name="A"), deny_since=since)
    Suspension.objects.create(tenant=Tenant.objects.create(name="B"), deny_since=since, denied_at=timezone.now())
    code, answer = readyz(portal)
    assert (code, states(answer)["suspensions"]) == (200, state)
    assert answer["checks"]["suspensions"]["age_seconds"] in ages_since(since, waits)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "worker", [None, {"beat_at": timezone.now() - timedelta(hours=1)}, {"stopped_at": timezone.now()}]
)
def test_without_a_worker_it_is_degraded_but_serves_pages(portal: World, worker: dict[str, Any] | None) -> None:
    if worker:
        Worker.objects.create(name="w", **worker)
    code, answer = readyz(portal)
    assert (code, answer["status"], states(answer)["worker"]) == (200, "degraded", "missing")


@pytest.mark.usefixtures("new_process")
def test_without_signing_keys_it_is_not_ready(portal: World, settings: Any) -> None:
    settings.OIDC_OP_JWKS_ENDPOINT = "http://127.0.0.1:1/keys"
    code, answer = readyz(portal)
    assert (code, answer["status"], states(answer)["signing_keys"]) == (503, "not ready", "failing")


@pytest.mark.usefixtures("new_process")
def test_fetched_keys_stay_valid_while_cognito_is_away(portal: World) -> None:
    keys = verifier().keys
    assert keys.age_seconds is None
    now = keys.clock()
    keys.clock = lambda: now
    keys.fetch_if_missing()
    keys.url = "http://127.0.0.1:1/keys"
    keys.clock = lambda: now + 90
    code, answer = readyz(portal)
    assert code == 200
    assert states(answer)["signing_keys"] == "ok"
    assert answer["checks"]["signing_keys"]["age_seconds"] == 90


@pytest.mark.parametrize(
    "server",
    [
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"},
        {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
    ],
    ids=["away", "keeps nothing"],
)
def test_without_the_cache_it_is_degraded_but_serves_pages(portal: World, settings: Any, server: Any) -> None:
    settings.CACHES = caches_at(server)
    code, answer = readyz(portal)
    assert (code, answer["status"], states(answer)["cache"]) == (200, "degraded", "missing")


def test_without_the_database_it_is_not_ready_and_only_the_log_says_why(
    portal: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down() -> CheckResult:
        raise OperationalError("connection to server at db.internal.example failed")

    prober = Prober({"database": down, "cache": lambda: OK})
    monkeypatch.setattr(readiness, "prober", lambda: prober)
    page = Browser(portal).get("/readyz")
    assert page.status_code == 503
    assert states(page.json()) == {"database": "failing", "cache": "ok"}
    assert "internal.example" not in page.content.decode()
    assert any("internal.example" in str(vars(record)) for record in caplog.records)


def test_a_hanging_check_fails_in_time_and_is_not_started_again(hanging: threading.Event) -> None:
    begun = []

    def hangs() -> CheckResult:
        begun.append(1)
        hanging.wait(timeout=60)
        return OK

    prober = Prober({"database": hangs, "cache": lambda: OK}, timeout=1, keep=0)
    for _ in range(3):
        answer = prober.readiness()
        assert not answer.ready
        assert answer.checks["cache"] == OK
    assert len(begun) == 1


def test_many_requests_at_once_make_one_check_and_share_the_answer(hanging: threading.Event) -> None:
    checked = []

    def check() -> CheckResult:
        checked.append(1)
        time.sleep(0.05)
        return OK

    prober = Prober({"cache": check}, keep=60)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: prober.readiness(), range(40)))
    assert len(checked) == 1
    assert all(answer is answers[0] for answer in answers)


def test_during_a_check_other_requests_get_the_last_answer(hanging: threading.Event) -> None:
    checking, turn = threading.Event(), iter(range(9))

    def check() -> CheckResult:
        if next(turn):
            checking.set()
            hanging.wait(timeout=60)
        return OK

    prober = Prober({"cache": check}, timeout=60, keep=0)
    first = prober.readiness()
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(prober.readiness)
        assert checking.wait(timeout=60)
        assert prober.readiness() is first
        hanging.set()
        assert second.result() is not first


@pytest.mark.parametrize("address", ["/livez", "/readyz"])
def test_load_balancers_may_ask_by_ip_address_without_tls(portal: World, settings: Any, address: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get(address, headers={"host": "10.1.2.3:8000"}).status_code == 200
    elsewhere = Client().get("/", headers={"host": "10.1.2.3:8000"})
    assert (elsewhere.status_code, elsewhere["Location"]) == (301, "https://localhost:8000/")
    settings.SECURE_SSL_REDIRECT = False
    assert Client().get("/", headers={"host": "10.1.2.3:8000"}).status_code == 400


@pytest.mark.parametrize("address", ["/livez", "/readyz", "/metrics"])
def test_no_session_is_read_or_set(portal: World, settings: Any, address: str) -> None:
    settings.METRICS_TOKENS = [TOKEN]
    browser = Browser(portal)
    browser.cookies["session"] = "a" * 32
    with CaptureQueriesContext(connection) as queries:
        page = browser.get(address, headers={"authorization": f"Bearer {TOKEN}"})
    assert page.status_code == 200
    assert "Set-Cookie" not in page
    assert "Cookie" not in page.get("Vary", "")
    assert not [query for query in queries if "django_session" in query["sql"]]


def test_livez_does_not_ask_the_database(client: Client) -> None:
    # A query would be an error, because no fixture allows one.
    assert client.get("/livez", headers={"host": "localhost"}).content == b"ok\n"
