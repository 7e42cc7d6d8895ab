"""A bulk step whose process is killed, again and again, does everything once in the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from emulator.client import seeding
from portal.demo.cast import ACME, ACME_OWNER
from portal.demo.world import World
from portal.environment import BASE
from tenants.domain.record_edits import digest
from tests.world.closings import everything_of

KEYS = [f"k{number}" for number in range(4)]


def kill_at_every_line(world: World, folder: Path, collection: str, step: str, *, every: int) -> int:
    """How often it was killed."""
    held = world.credentials_of(ACME_OWNER)
    asked: dict[str, Any] = {
        "credentials": {
            "access_key_id": held.access_key_id,
            "secret_access_key": held.secret_access_key,
            "session_token": held.session_token,
            "expires_at": 4e9,
        },
        "org": ACME.org_id.value,
        "collection": collection,
        "step": step,
        "every": every,
        "region": world.settings["AWS_REGION"],
        "endpoint_url": world.emulator.endpoint_url,
        "table": world.settings["RECORDS_TABLE"],
        "selected": [[key, digest(row(collection, key))] for key in KEYS],
    }
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_URL": f"sqlite:///{folder / 'killed.sqlite3'}",
    }
    program = subprocess.run(
        [sys.executable, "-m", "tests.world.kill_bulk"],
        input=json.dumps(asked),
        env=environment,
        cwd=BASE,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert program.returncode == 0, program.stderr
    return int(program.stdout)


def row(collection: str, key: str) -> dict[str, Any]:
    return {"pk": {"S": ACME.space.collection(collection)}, "sk": {"S": key}, "text": {"S": key}}


@pytest.fixture
def collection(world: World) -> str:
    name = f"killed-{uuid.uuid4().hex[:8]}"
    table = seeding.clients(world.emulator.endpoint_url, world.emulator.root)("dynamodb")
    seeding.put_rows(table, world.settings["RECORDS_TABLE"], [row(name, key) for key in KEYS])
    return name


def test_a_killed_deletion_deletes_and_copies_each_record_once(world: World, tmp_path: Path, collection: str) -> None:
    assert kill_at_every_line(world, tmp_path, collection, "delete", every=97) > 5
    rows = everything_of(world, ACME.org_id)
    copies = [
        item["_deleted_key"]["S"] for item in rows.values() if item.get("_deleted_collection") == {"S": collection}
    ]
    assert sorted(copies) == KEYS
    assert [key for key in rows if key[0] == ACME.space.collection(collection)] == []


def test_a_killed_change_raises_each_version_once(world: World, tmp_path: Path, collection: str) -> None:
    assert kill_at_every_line(world, tmp_path, collection, "change", every=97) > 5
    rows = everything_of(world, ACME.org_id)
    changed = [rows[ACME.space.collection(collection), key] for key in KEYS]
    assert [(item["state"], item["_version"]) for item in changed] == [({"S": "paid"}, {"N": "1"})] * len(KEYS)
