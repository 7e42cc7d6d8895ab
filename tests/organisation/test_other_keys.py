"""The portal on a table that an application made: its keys have other names, and there was a row before.

Every door to rows is tried: pages, the Access page, a terminal, a declared collection, pages that read by themselves,
and the closing job.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from emulator.client import process, seeding
from portal.demo.cast import ACME, ACME_OWNER, ACME_VIEWER, GLOBEX, CastMember
from portal.demo.reading import changes_while_reading
from portal.demo.world import World, build
from tenants.domain.credentials import Credentials
from tenants.domain.keys import KeyNames
from tenants.domain.once import forget_all
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.closing import continue_closing
from tenants.lifecycle.transitions import close
from tenants.lifecycle.wiring import reach
from tenants.models import Suspension, Tenant
from tests.conftest import PORTAL_URL
from tests.world.fixtures import Browser
from tests.world.stage import SOMEBODY

# A dot, a dash and a reserved word of DynamoDB's expressions.
KEYS = KeyNames("Tenant.Key-1", "Name")
ORDERS = ACME.space.collection("orders")
Browse = Callable[[CastMember], Browser]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """In place of the one that all other tests share."""
    with process.start() as emulator:
        root = seeding.clients(emulator.endpoint_url, emulator.root)
        made = root("dynamodb").create_table(
            TableName="an.application-s",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in KEYS],
            KeySchema=[
                {"AttributeName": KEYS.partition, "KeyType": "HASH"},
                {"AttributeName": KEYS.sort, "KeyType": "RANGE"},
            ],
        )["TableDescription"]
        root("dynamodb").put_item(TableName=made["TableName"], Item=KEYS.key(ACME.space.collection("jobs"), "1"))
        yield build(emulator=emulator, portal_url=PORTAL_URL, keys=KEYS, ExistingTable=made["TableArn"])


@pytest.fixture(autouse=True)
def as_a_new_process(portal: World) -> Iterator[None]:
    """Clients are made with the settings of this world, and forgotten after it."""
    forget_all()
    yield
    forget_all()


def rows(world: World) -> dict[tuple[str, str], Any]:
    root = seeding.clients(world.emulator.endpoint_url, world.emulator.root)("dynamodb")
    pages = root.get_paginator("scan").paginate(TableName=world.settings["RECORDS_TABLE"])
    return {(KEYS.partition_key(item), KEYS.sort_key(item)): item for page in pages for item in page["Items"]}


def test_the_stack_says_what_the_keys_are_called(world: World) -> None:
    assert world.settings["RECORDS_KEYS"] == "Tenant.Key-1,Name"
    assert world.settings["RECORDS_TABLE"] == "an.application-s"


def test_pages_list_and_show_records(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    assert "orders" in browser.get("/records/").content.decode()
    page = browser.get("/records/orders/").content.decode()
    assert "ORD-2026-0001" in page
    record = browser.get("/records/orders/ORD-2026-0001/").content.decode()
    assert ORDERS in record
    assert "ordered_on" in record
    assert "2026-01-05" in browser.get("/public/news/").content.decode()


@pytest.mark.parametrize(
    "operation",
    [
        "Query",
        "GetItem",
        "BatchGetItem",
        "TransactGetItems",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "TransactWriteItems",
    ],
)
def test_calls_are_tried_and_change_nothing(browse_as: Browse, world: World, operation: str) -> None:
    browser, before = browse_as(ACME_OWNER), rows(world)
    for key, answer in ((ORDERS, "Allowed"), (GLOBEX.space.collection("orders"), "Refused")):
        form = {"operation": operation, "pk": key, "sk": "ORD-2026-0001"}
        page = browser.post("/access/", form, follow=True).content.decode()
        assert f"AWS answered</dt><dd><b>{answer}" in page
        assert "AWS and the policy differ" not in page
    assert rows(world) == before


def test_scan_and_partiql_are_refused(browse_as: Browse) -> None:
    browser = browse_as(ACME_OWNER)
    for operation in ("Scan", "ExecuteStatement"):
        page = browser.post("/access/", {"operation": operation, "pk": ORDERS}, follow=True).content.decode()
        assert f"AWS refused {operation}" in page


def test_a_terminal_is_told_the_names(browse_as: Browse) -> None:
    page = browse_as(ACME_VIEWER).post("/access/command-line/").content.decode()
    (command,) = re.findall(r'aria-label="A command"><code data-copy>(.*?)</code>', page)
    assert """{"#pk": "Tenant.Key-1"}""" in html.unescape(command)


def test_an_applications_collection_is_declared(browse_as: Browse, world: World) -> None:
    browser, before = browse_as(ACME_OWNER), rows(world)
    assert browser.post("/collections/declare/", {"name": "jobs"}).status_code == 302
    assert set(rows(world)) - set(before) == {(ACME.space.catalogue, "jobs")}
    assert "jobs" in browser.get("/records/").content.decode()


def test_pages_that_read_by_themselves_are_told_the_names(browse_as: Browse, portal: World) -> None:
    for page in (Browser(portal).get("/public/"), browse_as(ACME_OWNER).get("/direct/")):
        text = page.content.decode()
        assert 'data-partition-key="Tenant.Key-1"' in text
        assert 'data-sort-key="Name"' in text


def test_the_demos_reader_reads(world: World, portal: World) -> None:
    got = world.credentials_of(ACME_OWNER)
    held = Credentials(got.access_key_id, got.secret_access_key, got.session_token, got.expiration)
    assert next(changes_while_reading(ACME_OWNER, held, every_seconds=1, stop=Event())).allowed


def test_the_closing_job_exports_and_purges(job: World, tmp_path: Path) -> None:
    tenant, before = Tenant.objects.get(org_id=str(GLOBEX.org_id)), rows(job)
    theirs = {key for key in before if key[0].startswith(f"{GLOBEX.org_id}#")}
    assert len(theirs) > 1
    close(tenant, by=SOMEBODY, why="Contract ended", grace=timedelta(0))
    began = Suspension.objects.get(tenant=tenant).began_at - timedelta(minutes=5)
    Suspension.objects.filter(tenant=tenant).update(denied_at=began)
    reach.forget()
    result = continue_closing(tenant, reach=reach(export_to=str(tmp_path)), holder="a job", by=SOMEBODY, report=str)
    assert result.tenant.state == TenantState.CLOSED
    assert {key: item for key, item in before.items() if key not in theirs} == rows(job)
    (export,) = (tmp_path / str(GLOBEX.org_id)).iterdir()
    lines = [json.loads(line) for path in export.glob("rows-*.jsonl") for line in path.read_text().splitlines()]
    assert {(line["Item"][KEYS.partition]["S"], line["Item"][KEYS.sort]["S"]) for line in lines} == theirs
