"""Tenants to close, their rows in the table, and the closing job with ClosingJobRole's keys."""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from emulator.client import seeding
from emulator.client.process import RootKey
from emulator.client.sign_in import Credentials
from portal.demo.world import World, closing_credentials
from tenants.aws.clients import closing_rows_client, roles_client
from tenants.aws.tagged_credentials import TaggedCredentials
from tenants.aws.tenant_rows import DELETED_AT_ONCE, TenantRows
from tenants.domain.keys import Space, own_space
from tenants.domain.org_id import OrgId
from tenants.lifecycle.closing import ClosingResult, Reach, continue_closing
from tenants.lifecycle.transitions import activate, close, create_tenant
from tenants.lifecycle.wiring import reach
from tenants.models import Closing, Suspension, Tenant
from tests.world.stage import SOMEBODY

COLLECTIONS = {"orders": 30, "a#b": 2, "orders~07": 3, " spaced Ünïcode/…": 1, "empty": 0}
ROWS = sum(COLLECTIONS.values()) + len(COLLECTIONS)
# An attribute of each type that an item can have, in DynamoDB JSON.
EVERY_TYPE: dict[str, Any] = {
    "text": {"S": 'Grüße, 世界, مرحبا, \u2028 and \x00 and "quotes"\\'},
    "empty": {"S": ""},
    "number": {"N": "12345678901234567890123.456789012345"},
    "small": {"N": "-0.000000000000000000000000000000000001"},
    "binary": {"B": bytes(range(256))},
    "no_bytes": {"B": b""},
    "yes": {"BOOL": True},
    "no": {"BOOL": False},
    "nothing": {"NULL": True},
    "texts": {"SS": ["amber", "blue", "<b>"]},
    "numbers": {"NS": ["-1", "0.5", "3"]},
    "binaries": {"BS": [b"\x00\x01", b"\xff"]},
    "list": {"L": [{"S": "x"}, {"N": "2"}, {"L": [{"B": b"\x00"}]}, {"M": {}}]},
    "map": {"M": {"a b": {"M": {"B": {"B": b"\xfe"}, "S": {"S": "a name like a type"}}}}},
}


class Killed(BaseException):
    """Not an Exception, so that no error handler catches it."""


# ── Tenants to close ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Closable:
    """A tenant with rows; `export_to` is where its exports go, `reports` are the lines that the job reported."""

    world: World
    org: OrgId
    export_to: str
    reports: list[str] = field(default_factory=list)

    def tenant(self) -> Tenant:
        """The row as it is now."""
        return Tenant.objects.get(org_id=str(self.org))

    def closing(self) -> Closing:
        """Its first closing."""
        return Closing.objects.filter(tenant__org_id=str(self.org)).order_by("began_at")[0]

    def close(self, *, grace: timedelta = timedelta(0)) -> Closable:
        """Also denies its credentials, as the worker would."""
        close(self.tenant(), by=SOMEBODY, why="Contract ended", grace=grace)
        self.deny()
        return self

    def deny(self, *, ago: timedelta = timedelta(minutes=5)) -> None:
        """By default long enough ago for all of AWS to know."""
        standing = Suspension.objects.filter(tenant__org_id=str(self.org), lifted_at=None)
        standing.update(denied_at=timezone.now() - ago)

    def end_grace(self) -> None:
        Tenant.objects.filter(org_id=str(self.org)).update(purge_after=timezone.now())

    def run(
        self, *, export: bool = True, holder: str = "a-job", report: Callable[[str], None] | None = None, **changed: Any
    ) -> ClosingResult:
        """Runs the job once. `changed` may replace `rows` or `store` of its reach."""
        made = _reach(self.export_to if export else "", os.environ["AWS_ACCESS_KEY_ID"])
        given = Reach(changed.get("rows", made.rows), changed.get("store", made.store))
        report = report or self.reports.append
        return continue_closing(self.tenant(), reach=given, holder=holder, by=SOMEBODY, report=report)

    def rows(self) -> dict[tuple[str, str], dict[str, Any]]:
        return everything_of(self.world, self.org)

    def exports(self) -> list[Path]:
        """The directories of its exports, the oldest first."""
        return sorted((Path(self.export_to) / str(self.org)).iterdir())


@cache
def _reach(export_to: str, key_id: str) -> Reach:
    """By key id, because a client keeps the keys it was made with. Cached, because making one takes long."""
    reach.forget()
    return reach(export_to=export_to)


def closable(world: World, export_to: str) -> Closable:
    """An active tenant with rows in several collections, and nobody in Cognito."""
    name = f"Closable {uuid.uuid4().hex[:8]}"
    tenant = create_tenant(
        name=name, owner_email=f"owner@{uuid.uuid4().hex[:8]}.example", mail_invitation=False, by=SOMEBODY
    )
    activate(tenant, by=SOMEBODY)
    made = Closable(world, OrgId(str(tenant.org_id)), export_to)
    fill(made)
    return made


def fill(made: Closable) -> None:
    space = own_space(made.org)
    put(made.world, [row for name, count in COLLECTIONS.items() for row in collection_rows(space, name, count)])


def verified_manifest(export: Path) -> dict[str, Any]:
    """The manifest, after checking each of its files against it."""
    manifest: dict[str, Any] = json.loads((export / "manifest.json").read_text("utf-8"))
    for listed in manifest["files"]:
        content = (export / listed["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == listed["sha256"], listed
        assert (len(content), content.count(b"\n")) == (listed["bytes"], listed["lines"]), listed
    return manifest


def lines_of(export: Path, manifest: dict[str, Any], holds: str, collection: str = "") -> list[Any]:
    return [
        json.loads(line)
        for listed in manifest["files"]
        if listed["holds"] == holds and listed.get("collection", "") == collection
        for line in (export / listed["file"]).read_bytes().splitlines()
    ]


# ── The job's keys ──────────────────────────────────────────────────────────────────────────────────────────────────


def become_the_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Cached: they are valid for hours, and making the client that gets them takes long.
    endpoint = world.emulator.endpoint_url
    if endpoint not in _credentials:
        _credentials[endpoint] = closing_credentials(world)
    sign_as(_credentials[endpoint], monkeypatch)


_credentials: dict[str, Credentials] = {}


def sign_as(credentials: Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", credentials.session_token)


def rows_of(world: World, org: OrgId, *, clock: Callable[[], float] = time.time, **more: Any) -> TenantRows:
    where: dict[str, Any] = {"region": world.settings["AWS_REGION"], "endpoint_url": world.emulator.endpoint_url}
    role = world.settings["CLOSING_ROLE_ARN"]
    credentials = TaggedCredentials(roles_client(**where), role_arn=role, org=org, clock=clock)
    client = closing_rows_client(**where, connections=DELETED_AT_ONCE)
    return TenantRows(client, world.settings["RECORDS_TABLE"], credentials, **more)


# ── Rows in the table ───────────────────────────────────────────────────────────────────────────────────────────────


def new_org() -> OrgId:
    """An org id that no other test has rows of."""
    return OrgId(str(uuid.uuid4()))


def as_root(world: World) -> Any:
    """A DynamoDB client that no policy limits."""
    return _root_client(world.emulator.endpoint_url, world.emulator.root)


@cache
def _root_client(endpoint_url: str, root: RootKey) -> Any:
    return seeding.clients(endpoint_url, root)("dynamodb")


def put(world: World, rows: Iterable[dict[str, Any]]) -> None:
    seeding.put_rows(as_root(world), world.settings["RECORDS_TABLE"], rows)


def collection_rows(space: Space, name: str, count: int, *, in_catalogue: bool = True) -> list[dict[str, Any]]:
    """`count` rows, the first of which has an attribute of every type, and the collection's entry in the catalogue."""
    rows: list[dict[str, Any]] = [
        {"pk": {"S": space.collection(name)}, "sk": {"S": f"{number:06d}"}, **(EVERY_TYPE if not number else {})}
        for number in range(count)
    ]
    return [*rows, *([{"pk": {"S": space.catalogue}, "sk": {"S": name}}] if in_catalogue else [])]


def put_collection(world: World, org: OrgId, name: str, count: int) -> None:
    put(world, collection_rows(own_space(org), name, count))


def leaving_the_catalogue_as_it_was(world: World, org: OrgId) -> Iterator[None]:
    """For a fixture: afterwards the catalogue names the same collections. Their rows stay."""
    before = _catalogue(world, org)
    yield
    for key in _catalogue(world, org):
        if key not in before:
            as_root(world).delete_item(TableName=world.settings["RECORDS_TABLE"], Key=key)


def _catalogue(world: World, org: OrgId) -> list[dict[str, Any]]:
    answer = as_root(world).query(
        TableName=world.settings["RECORDS_TABLE"],
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": own_space(org).catalogue}},
    )
    return [{"pk": item["pk"], "sk": item["sk"]} for item in answer["Items"]]


def everything(world: World) -> dict[tuple[str, str], dict[str, Any]]:
    """All items of the table by their keys."""
    pages = as_root(world).get_paginator("scan").paginate(TableName=world.settings["RECORDS_TABLE"])
    return {(item["pk"]["S"], item["sk"]["S"]): item for page in pages for item in page["Items"]}


def everything_of(world: World, org: OrgId) -> dict[tuple[str, str], dict[str, Any]]:
    return {key: item for key, item in everything(world).items() if key[0].startswith(f"{org}#")}
