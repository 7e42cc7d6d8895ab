"""The rows of a closing organisation, with ClosingRole's credentials: all of them, and no others."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from portal.demo.cast import ACME, GLOBEX
from portal.demo.world import World, portal_credentials
from tenants.aws.tenant_rows import RowPage
from tenants.domain.errors import DeniedByAws, Misconfigured, Throttled, Unreachable
from tenants.domain.keys import PUBLIC_SPACE, Space, own_space
from tests.world.closings import (
    EVERY_TYPE,
    become_the_job,
    collection_rows,
    everything_of,
    new_org,
    put,
    put_collection,
    rows_of,
    sign_as,
)
from tests.world.faults import Switches


@pytest.fixture
def job(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    become_the_job(world, monkeypatch)
    return world


@pytest.fixture
def clock(job: World) -> Iterator[Any]:
    """Moves the emulator's clock and resets it afterwards."""
    address = f"{job.emulator.endpoint_url}/_emulator/clock"
    secret = {"X-Emulator-Root-Secret": job.emulator.root.secret_access_key}

    def move(seconds: float) -> None:
        requests.post(address, json={"offset_seconds": seconds}, headers=secret, timeout=60).raise_for_status()

    yield move
    requests.delete(address, headers=secret, timeout=60).raise_for_status()


def in_order(pages: Iterator[RowPage]) -> list[str]:
    return [item["sk"]["S"] for page in pages for item in page.items]


def test_every_type_is_read_as_it_was_written(job: World) -> None:
    org = new_org()
    put_collection(job, org, "samples", 1)
    (page,) = rows_of(job, org).pages(own_space(org).collection("samples"))
    (item,) = page.items
    found = {name: value for name, value in item.items() if name not in {"pk", "sk"}}
    for name in ("texts", "numbers", "binaries"):
        ((kind, members),) = EVERY_TYPE[name].items()
        assert sorted(found.pop(name)[kind]) == sorted(members)
    assert found == {name: value for name, value in EVERY_TYPE.items() if name not in {"texts", "numbers", "binaries"}}


def test_the_catalogue_names_collections_with_odd_names_too(job: World) -> None:
    org, names = new_org(), ["orders", "a#b", "orders~07", " spaced ", "Ünïcode/…", "-", "#"]
    put(job, [{"pk": {"S": own_space(org).catalogue}, "sk": {"S": name}} for name in names])
    assert sorted(rows_of(job, org).collections(own_space(org))) == sorted(names)


def test_reading_continues_from_any_page(job: World) -> None:
    org = new_org()
    big = {"B": b"x" * 300_000}
    rows: list[dict[str, Any]] = collection_rows(own_space(org), "big", 10)
    put(job, [{**row, "big": big} if row["pk"]["S"].endswith("#big") else row for row in rows])
    tenant, partition = rows_of(job, org), own_space(org).collection("big")
    pages = list(tenant.pages(partition))
    assert len(pages) > 2
    assert pages[-1].after is None
    assert in_order(iter(pages)) == [f"{number:06d}" for number in range(10)]
    rest = in_order(tenant.pages(partition, after=pages[0].after))
    assert rest == [f"{number:06d}" for number in range(len(pages[0].items), 10)]


def test_a_partition_without_rows_has_one_empty_page(job: World) -> None:
    org = new_org()
    assert list(rows_of(job, org).pages(own_space(org).collection("none"))) == [RowPage([], None)]


@pytest.mark.parametrize("space", [GLOBEX.space, PUBLIC_SPACE], ids=["another organisation's", "public"])
def test_credentials_tagged_with_one_organisation_are_refused_for_others(job: World, space: Space) -> None:
    tenant = rows_of(job, ACME.org_id)
    for partition in (space.collection("orders"), space.catalogue):
        for reach in (
            lambda where: list(tenant.pages(where)),
            tenant.is_empty,
            tenant.delete_partition,
            lambda where: tenant.delete_row({"pk": {"S": where}, "sk": {"S": "x"}}),
        ):
            with pytest.raises(DeniedByAws) as denied:
                reach(partition)
            assert "is not authorized to perform: dynamodb:" in denied.value.answer
    assert tenant.is_empty(ACME.space.collection("orders")) is False


def test_a_whole_partition_is_deleted_and_nothing_else(job: World) -> None:
    org, other = new_org(), new_org()
    for owner, count in ((org, 1203), (other, 3)):
        put_collection(job, owner, "orders", count)
        put_collection(job, owner, "orders2", 2)
    tenant, partition, counts = rows_of(job, org), own_space(org).collection("orders"), []
    assert not tenant.is_empty(partition)
    tenant.delete_partition(partition, on_page=counts.append)
    assert tenant.is_empty(partition)
    assert (sum(counts), len(counts)) == (1203, 2)
    left = {key[0] for key in everything_of(job, org)}
    assert left == {own_space(org).catalogue, own_space(org).collection("orders2")}
    assert len(everything_of(job, other)) == 7
    tenant.delete_partition(partition)


def test_passing_failures_are_retried_with_pauses(job: World, switches: Switches) -> None:
    org, pauses = new_org(), []
    put_collection(job, org, "orders", 40)
    tenant, partition = rows_of(job, org, pause=pauses.append), own_space(org).collection("orders")
    switches.fail("DynamoDB.DeleteItem", fault="throttling", rate=0.3)
    switches.fail("DynamoDB.Query", fault="server-error", count=3)
    tenant.delete_partition(partition)
    switches.mend()
    assert tenant.is_empty(partition)
    assert len(pauses) > 10
    assert max(pauses) <= 20


@pytest.mark.parametrize(
    ("fault", "error"),
    [({"fault": "throttling"}, Throttled), ({"drop": True}, Unreachable), ({"fault": "server-error"}, Unreachable)],
)
def test_lasting_failures_are_raised_and_leave_the_rows(
    job: World, switches: Switches, fault: dict[str, Any], error: type[Exception]
) -> None:
    org, pauses = new_org(), []
    put_collection(job, org, "orders", 5)
    tenant, partition = rows_of(job, org, pause=pauses.append), own_space(org).collection("orders")
    switches.fail("DynamoDB.*", count=None, **fault)
    with pytest.raises(error):
        list(tenant.pages(partition))
    assert 5 < len(pauses) < 20
    switches.mend()
    switches.fail("DynamoDB.DeleteItem", count=None, **fault)
    with pytest.raises(error):
        tenant.delete_partition(partition)
    switches.mend()
    assert len(everything_of(job, org)) == 6


def test_credentials_are_reused_and_renewed_before_they_expire(job: World, switches: Switches) -> None:
    org, now = new_org(), [0.0]
    put_collection(job, org, "orders", 1)
    tenant = rows_of(job, org, clock=lambda: now[0])
    switches.forget()
    for _ in range(5):
        tenant.is_empty(own_space(org).catalogue)
    assert switches.calls()["STS.AssumeRole"] == 1
    now[0] = tenant.credentials.get().expires_at - 240
    assert switches.calls()["STS.AssumeRole"] == 1
    tenant.is_empty(own_space(org).catalogue)
    assert switches.calls()["STS.AssumeRole"] == 2


def test_expired_credentials_are_replaced_once_for_all_threads(job: World, switches: Switches, clock: Any) -> None:
    org, pauses = new_org(), []
    put_collection(job, org, "orders", 50)
    tenant, partition = rows_of(job, org, pause=pauses.append), own_space(org).collection("orders")
    assert not tenant.is_empty(partition)
    switches.forget()
    clock(3601)
    tenant.delete_partition(partition)
    assert tenant.is_empty(partition)
    # Sixteen threads meet the expiry at once; only one of them fetches new credentials.
    assert switches.calls()["STS.AssumeRole"] == 1


def test_portal_role_cannot_assume_the_closing_role(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_as(portal_credentials(world), monkeypatch)
    with pytest.raises(Misconfigured) as refused:
        rows_of(world, ACME.org_id).is_empty(ACME.space.catalogue)
    assert "PortalRole" in refused.value.why
    assert "is not authorized to perform: sts:AssumeRole" in refused.value.why


def test_missing_credentials_are_misconfigured(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(Misconfigured, match="not set up correctly") as refused:
        rows_of(world, ACME.org_id).is_empty(ACME.space.catalogue)
    assert "credentials" in refused.value.why


def test_memory_does_not_grow_with_the_number_of_rows(job: World) -> None:
    org = new_org()
    put(job, [{**row, "text": {"S": "x" * 1000}} for row in collection_rows(own_space(org), "many", 4000)])
    tenant, partition = rows_of(job, org), own_space(org).collection("many")
    next(tenant.pages(partition))
    tracemalloc.start()
    count = sum(len(page.items) for page in tenant.pages(partition))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 4000
    # Four megabytes of rows. A page has one, and needs twice that while it is parsed.
    assert most < 12_000_000
