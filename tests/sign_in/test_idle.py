"""A sign-in that nobody uses ends on the server, and one that is used does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.demo.cast import ACME_OWNER, ACME_VIEWER, CastMember
from tenants.domain.once import forget_all
from tenants.management.periodic import jobs
from tenants.models import SignIn
from tenants.sign_in.idle import end_idle
from tests.world.fixtures import Browser
from tests.world.stage import Stage

Browse = Callable[[CastMember], Browser]
pytestmark = pytest.mark.usefixtures("new_process")


def let_pass(*, minutes: float) -> None:
    """As if so long had passed since anybody used anything. Processes remember uses of the last minute only."""
    now = timezone.now()
    SignIn.objects.update(used_at=now - timedelta(minutes=minutes))
    forget_all()


def test_an_unused_sign_in_ends_and_its_tokens_are_deleted(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    let_pass(minutes=61)
    ended = browser.get("/records/orders/")
    assert ended.status_code == 401
    assert "next=%2Frecords%2Forders%2F" in ended.content.decode()
    assert not SignIn.objects.exists()
    assert browser.sign_in(ACME_OWNER, following="/records/orders/").status_code == 200


def test_a_sign_in_that_is_used_goes_on(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    for _ in range(5):
        let_pass(minutes=50)
        assert browser.get("/").status_code == 200
        assert timezone.now() - SignIn.objects.get().used_at < timedelta(minutes=1)


def test_a_use_is_written_once_a_minute_at_most(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    browser.get("/records/")
    with CaptureQueriesContext(
        connection,
    ) as ran:
        for _ in range(10):
            assert browser.get("/records/").status_code == 200
    assert [query["sql"] for query in ran if query["sql"].startswith("UPDATE")] == []


def test_nobody_stays_signed_in_longer_than_the_refresh_token_lives(browse_as: Browse, settings: Any) -> None:
    browser = browse_as(ACME_OWNER)
    SignIn.objects.update(created_at=timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE + 1))
    forget_all()
    assert browser.get("/records/").status_code == 401
    assert not SignIn.objects.exists()


def test_signing_in_again_begins_the_longest_time_anew(browse_as: Browse, settings: Any) -> None:
    browser = browse_as(ACME_OWNER)
    SignIn.objects.update(created_at=timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE - 60))
    browser.sign_in(ACME_OWNER)
    assert timezone.now() - SignIn.objects.get().created_at < timedelta(minutes=1)


def test_the_setting_says_after_how_long(browse_as: Browse, settings: Any) -> None:
    settings.SESSION_IDLE_MINUTES = 15
    browser = browse_as(ACME_OWNER)
    let_pass(minutes=14)
    assert browser.get("/records/").status_code == 200
    let_pass(minutes=16)
    assert browser.get("/records/").status_code == 401


def test_the_worker_deletes_tokens_of_browsers_that_never_come_back(browse_as: Browse, stage: Stage) -> None:
    browse_as(ACME_OWNER)
    let_pass(minutes=61)
    browse_as(ACME_VIEWER)
    (job,) = [job for job in jobs(stage.tools) if job.run is end_idle]
    assert job.run() == 1
    assert SignIn.objects.get().person.email == ACME_VIEWER.email
    assert job.run() == 0


def test_a_session_whose_tokens_the_worker_deleted_has_ended(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    let_pass(minutes=61)
    end_idle()
    assert browser.get("/records/").status_code == 401


def test_expired_sessions_of_browsers_are_deleted(browse_as: Browse) -> None:
    browse_as(ACME_OWNER)
    Session.objects.create(session_key="old", session_data="", expire_date=timezone.now() - timedelta(days=1))
    assert end_idle() == 1
    assert Session.objects.count() == 1
