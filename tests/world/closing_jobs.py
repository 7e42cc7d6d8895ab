"""The closing job as a process with ClosingJobRole's keys has it, and rows to close an organisation with."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import pytest

from emulator.client import seeding
from emulator.client.process import RootKey
from emulator.client.sign_in import Credentials
from portal.demo.world import World, closing_credentials
from tenants.aws.clients import closing_rows_client, roles_client
from tenants.aws.tagged_credentials import TaggedCredentials
from tenants.aws.tenant_rows import DELETED_AT_ONCE, TenantRows
from tenants.domain.keys import Space, own_space
from tenants.domain.org_id import OrgId

# Whatever an item can hold, on the wire.
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


def new_org() -> OrgId:
    """Nobody else's, so that a test sees its own rows only."""
    return OrgId(str(uuid.uuid4()))


def become_the_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Good for hours, and a client to get them with takes long to make.
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


def as_root(world: World) -> Any:
    """DynamoDB, past all policies."""
    return _root_client(world.emulator.endpoint_url, world.emulator.root)


@cache
def _root_client(endpoint_url: str, root: RootKey) -> Any:
    return seeding.clients(endpoint_url, root)("dynamodb")


def put(world: World, rows: Iterable[dict[str, Any]]) -> None:
    seeding.put_rows(as_root(world), world.settings["RECORDS_TABLE"], rows)


def collection_rows(space: Space, name: str, count: int, *, in_catalogue: bool = True) -> list[dict[str, Any]]:
    """The first of them has every type there is."""
    rows: list[dict[str, Any]] = [
        {"pk": {"S": space.collection(name)}, "sk": {"S": f"{number:06d}"}, **(EVERY_TYPE if not number else {})}
        for number in range(count)
    ]
    return [*rows, *([{"pk": {"S": space.catalogue}, "sk": {"S": name}}] if in_catalogue else [])]


def put_collection(world: World, org: OrgId, name: str, count: int) -> None:
    put(world, collection_rows(own_space(org), name, count))


def everything(world: World) -> dict[tuple[str, str], dict[str, Any]]:
    """The whole table, as only the account's root sees it: items by their keys."""
    pages = as_root(world).get_paginator("scan").paginate(TableName=world.settings["RECORDS_TABLE"])
    return {(item["pk"]["S"], item["sk"]["S"]): item for page in pages for item in page["Items"]}


def everything_of(world: World, org: OrgId) -> dict[tuple[str, str], dict[str, Any]]:
    return {key: item for key, item in everything(world).items() if key[0].startswith(f"{org}#")}
