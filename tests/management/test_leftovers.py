"""Rows that are of no use any more are deleted by the worker, also where nobody writes new ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import models
from django.utils import timezone

from tenants.management import leftovers
from tenants.management.periodic import jobs
from tenants.models import BreakGlassLink, Lockout, SentForm
from tests.world.stage import Stage

pytestmark = pytest.mark.django_db


def made(model: type[models.Model], *, days_ago: float, **fields: Any) -> models.Model:
    at = timezone.now() - timedelta(days=days_ago)
    match model.__name__:
        case "SentForm":
            return SentForm.objects.create(key=f"{days_ago}", begun_at=at)
        case "BreakGlassLink":
            return BreakGlassLink.objects.create(key_hash=f"{days_ago}", made_by="ada", reason="x", expires_at=at)
        case _:
            about = {"due_at": None, "asked_at": at, **fields}
            return Lockout.objects.create(sub=f"{days_ago}", **about)


@pytest.mark.parametrize(("model", "days"), [(SentForm, 0.05), (BreakGlassLink, 31), (Lockout, 366)])
def test_old_rows_go_and_newer_ones_stay(model: type[models.Model], days: float) -> None:
    made(model, days_ago=days)
    newer = made(model, days_ago=days / 10)
    assert leftovers.clear() == 1
    assert list(model._default_manager.all()) == [newer]
    assert leftovers.clear() == 0


def test_a_lockout_that_is_still_due_stays() -> None:
    made(Lockout, days_ago=1000, due_at=timezone.now())
    assert leftovers.clear() == 0


def test_the_worker_does_it(stage: Stage) -> None:
    made(SentForm, days_ago=1)
    (job,) = [job for job in jobs(stage.tools) if job.name == "leftovers"]
    assert job.run() == 1
    assert not SentForm.objects.exists()


def test_many_rows_take_several_rounds() -> None:
    at = timezone.now() - timedelta(days=1)
    SentForm.objects.bulk_create(SentForm(key=f"{number}", begun_at=at) for number in range(700))
    assert [leftovers.clear(), leftovers.clear(), leftovers.clear()] == [500, 200, 0]
