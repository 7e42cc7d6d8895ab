"""With the database or the shared cache away, every page answers 503, with the time to try again and the request id.

The pages are those of the URLconf. A page that needs neither answers as always.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, InternalError, OperationalError, connection

from portal.demo.cast import ACME_OWNER, OPERATOR, CastMember
from tests.house.test_matrix import NOT_ASKED, addresses
from tests.world.fixtures import Browser
from tests.world.portal_process import free_port

Browse = Callable[[CastMember], Browser]
TOKEN = "a-token-of-the-metrics-collector"
# They show nothing of anybody.
WITHOUT_A_DATABASE = {"livez"}


def read_only() -> DatabaseError:
    error = InternalError("cannot execute INSERT in a read-only transaction")
    error.__cause__ = psycopg.errors.ReadOnlySqlTransaction()
    return error


FAULTS: dict[str, Callable[[], DatabaseError]] = {
    "stopped": lambda: OperationalError("the connection is closed"),
    "read-only": read_only,
}


@contextmanager
def database_away(fault: Callable[[], DatabaseError]) -> Iterator[None]:
    def fail(*_: Any) -> None:
        raise fault()

    with connection.execute_wrapper(fail):
        yield


def check(page: Any, name: str) -> None:
    assert page.status_code == 503, name
    assert int(page["Retry-After"]) > 0, name
    assert page["X-Request-Id"] in page.content.decode(), name


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("person", [OPERATOR, ACME_OWNER], ids=lambda person: str(person.email))
def test_every_page_without_the_database(
    browse_as: Browse, person: CastMember, fault: str, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.METRICS_TOKENS = [TOKEN]
    browser, asked = browse_as(person), addresses()
    browser.raise_request_exception = False
    caplog.clear()
    with database_away(FAULTS[fault]):
        for name, address in asked.items():
            for send in (browser.get, browser.post):
                page = send(address, headers={"Authorization": f"Bearer {TOKEN}"})
                if name not in NOT_ASKED | WITHOUT_A_DATABASE and page.status_code not in {302, 403, 405}:
                    assert page.status_code < 500 or page.status_code == 503, (name, page.content.decode()[-400:])
                    if page.status_code == 503:
                        check(page, name)
        check(browser.get(asked["metrics"], headers={"Authorization": f"Bearer {TOKEN}"}), "metrics")
        check(browser.get(asked["members" if person is ACME_OWNER else "operators:tenants"]), "list")
    assert not [record for record in caplog.records if record.exc_info], "a traceback for each request"
    assert {record.levelno for record in caplog.records if record.message == "unavailable"} == {logging.ERROR}


@pytest.mark.parametrize("person", [OPERATOR, ACME_OWNER], ids=lambda person: str(person.email))
def test_no_page_fails_without_the_cache(browse_as: Browse, person: CastMember, settings: Any) -> None:
    """It is only a copy where pages can do without it; elsewhere they say 503."""
    browser, asked = browse_as(person), addresses()
    browser.raise_request_exception = False
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{free_port()}/0",
        }
    }
    for name, address in asked.items():
        page = browser.get(address)
        assert page.status_code < 500 or page.status_code == 503, (name, page.content.decode()[-400:])
        if page.status_code == 503 and name not in NOT_ASKED:
            check(page, name)


def test_what_was_typed_is_on_the_page(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    browser.raise_request_exception = False
    with database_away(FAULTS["stopped"]):
        page = browser.post("/members/invite/", {"people": "newcomer@acme.example", "role": "viewer"})
    check(page, "invite")
    assert "newcomer@acme.example" in page.content.decode()
