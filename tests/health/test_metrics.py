"""/metrics: its numbers, and who may read them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.demo.world import World
from portal.environment import read
from tenants.domain.circuit import shared_cache
from tenants.models import MailOutage, OutgoingMail, ProvisioningHour, Suspension, Tenant, Worker
from tenants.provisioning.halt import halt_invitations
from tests.world.fixtures import Browser
from tests.world.portal_process import placeholders
from tests.world.stage import tenant_with_people

TOKEN = "a-collectors-token-of-its-own"


def collect(portal: World) -> dict[str, float]:
    page = Browser(portal).get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert page.status_code == 200
    assert page["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = page.content.decode().splitlines()
    samples = [re.fullmatch(r"(portal_[a-z_]+(?:\{[a-z]+=\"[a-z-]+\"\})?) (-?[0-9.e+]+)", line) for line in lines]
    assert all(match or line.startswith("#") for match, line in zip(samples, lines, strict=True))
    return {match[1]: float(match[2]) for match in samples if match}


def test_metrics_have_the_numbers_of_the_database(portal: World, settings: Any) -> None:
    settings.METRICS_TOKENS = [TOKEN]
    tenant_with_people("Initech", 3, domain="initech.example")
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for ago, applied in ((0, 5), (400, 7)):
        ProvisioningHour.objects.create(hour=hour - timedelta(hours=ago), applied=applied, throttled=2)
    Worker.objects.create(name="w")
    for number, due_at in enumerate((hour, hour, None)):
        OutgoingMail.objects.create(message_id=f"<{number}>", to="a@acme.example", kind="removed", due_at=due_at)
    MailOutage.objects.create(pk=1, began_at=timezone.now() - timedelta(minutes=5), next_try_at=hour)
    metrics = collect(portal)
    assert metrics['portal_tenants{state="active"}'] == 2
    assert metrics['portal_tenants{state="pending"}'] == 1
    assert metrics['portal_members_unsettled{provisioning="due"}'] == 3
    assert metrics['portal_members_unsettled{provisioning="stuck"}'] == 0
    assert metrics["portal_provisioning_waits_seconds"] >= 0
    assert metrics["portal_provisioning_changes_total"] == 12
    assert metrics["portal_provisioning_throttled_total"] == 4
    assert metrics["portal_invitations_halted"] == 0
    assert metrics['portal_workers{state="working"}'] == 1
    assert metrics['portal_mails{state="waiting"}'] == 2
    assert metrics['portal_mails{state="given-up"}'] == 1
    assert 300 <= metrics["portal_mail_server_away_seconds"] < 400
    assert metrics["portal_audit_entries_total"] >= 4


def test_waits_for_a_denial_and_failures_of_the_cache_are_counted(portal: World, settings: Any) -> None:
    settings.METRICS_TOKENS = [TOKEN]
    metrics = collect(portal)
    assert (metrics["portal_suspension_denial_waits_seconds"], metrics["portal_cache_failures_total"]) == (0, 0)
    for minutes in (3, 9):
        since = timezone.now() - timedelta(minutes=minutes)
        Suspension.objects.create(tenant=Tenant.objects.create(name=f"{minutes}"), deny_since=since)
    Suspension.objects.filter(tenant__name="9").update(began_at=timezone.now() - timedelta(days=2))
    shared_cache().note_failure(away=False)
    metrics = collect(portal)
    assert 540 <= metrics["portal_suspension_denial_waits_seconds"] < 600
    assert metrics["portal_cache_failures_total"] == 1


def test_halted_invitations_are_not_taken_for_halted_provisioning(portal: World, settings: Any) -> None:
    settings.METRICS_TOKENS = [TOKEN]
    halt_invitations(holder="a worker")
    metrics = collect(portal)
    assert (metrics["portal_invitations_halted"], metrics["portal_provisioning_halted"]) == (1, 0)


def test_metrics_take_as_many_queries_with_more_rows(portal: World, settings: Any) -> None:
    settings.METRICS_TOKENS = [TOKEN]

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            collect(portal)
        return len(queries)

    before = count()
    tenant_with_people("Initech", 5, domain="initech.example")
    Tenant.objects.bulk_create(Tenant(name=f"T{number}") for number in range(20))
    Worker.objects.bulk_create(Worker(name=f"w{number}") for number in range(5))
    assert count() == before <= 13


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer é"]
)
def test_metrics_need_the_token(client: Client, settings: Any, authorization: str | None) -> None:
    settings.METRICS_TOKENS = [TOKEN]
    headers = {"host": "localhost"} | ({} if authorization is None else {"authorization": authorization})
    page = client.get("/metrics", headers=headers)
    assert (page.status_code, page["WWW-Authenticate"]) == (401, "Bearer")
    assert b"portal_" not in page.content


def test_while_one_token_replaces_another_both_open_the_metrics(portal: World, client: Client, settings: Any) -> None:
    settings.METRICS_TOKENS = read({**placeholders(), "METRICS_TOKEN": f"{TOKEN}-new, {TOKEN}"}).metrics_tokens
    answers = {
        token: client.get("/metrics", headers={"host": "localhost", "authorization": f"Bearer {token}"}).status_code
        for token in (TOKEN, f"{TOKEN}-new", f"{TOKEN}-new, {TOKEN}", "")
    }
    assert list(answers.values()) == [200, 200, 401, 401]


@pytest.mark.parametrize("authorization", ["Bearer ", "Bearer", f"Bearer {TOKEN}"])
def test_without_a_token_in_the_settings_there_are_no_metrics(client: Client, authorization: str) -> None:
    assert client.get("/metrics", headers={"host": "localhost", "authorization": authorization}).status_code == 404
