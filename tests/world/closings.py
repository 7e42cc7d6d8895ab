"""A tenant to close: in the database and in the table, as its members and the worker have left it."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.utils import timezone

from portal.demo.world import World
from tenants.domain.keys import own_space
from tenants.domain.org_id import OrgId
from tenants.lifecycle.closing import Outcome, Reach, go_on_closing
from tenants.lifecycle.transitions import activate, close, create_tenant
from tenants.lifecycle.wiring import reach
from tenants.models import Closing, Suspension, Tenant
from tests.world.closing_jobs import collection_rows, everything_of, put
from tests.world.stage import SOMEBODY

COLLECTIONS = {"orders": 30, "a#b": 2, "orders~07": 3, " spaced Ünïcode/…": 1, "empty": 0}
ROWS = sum(COLLECTIONS.values()) + len(COLLECTIONS)


class Killed(BaseException):
    """No handler of errors sees it."""


@dataclass
class Closable:
    """`tenant()` is the row as it is now."""

    world: World
    org: OrgId
    export_to: str
    told: list[str] = field(default_factory=list)

    def tenant(self) -> Tenant:
        return Tenant.objects.get(org_id=str(self.org))

    def closing(self) -> Closing:
        return Closing.objects.filter(tenant__org_id=str(self.org)).order_by("began_at")[0]

    def close(self, *, grace: timedelta = timedelta(0)) -> Closable:
        """Denied long enough for all of AWS to know, as if the worker had been there."""
        close(self.tenant(), by=SOMEBODY, why="Contract ended", grace=grace)
        self.deny()
        return self

    def deny(self, *, ago: timedelta = timedelta(minutes=5)) -> None:
        standing = Suspension.objects.filter(tenant__org_id=str(self.org), lifted_at=None)
        standing.update(denied_at=timezone.now() - ago)

    def end_grace(self) -> None:
        Tenant.objects.filter(org_id=str(self.org)).update(purge_after=timezone.now())

    def run(
        self, *, export: bool = True, holder: str = "a-job", tell: Callable[[str], None] | None = None, **changed: Any
    ) -> Outcome:
        """The job once. `changed` takes the place of what it reaches things with."""
        made = _reach(self.export_to if export else "", os.environ["AWS_ACCESS_KEY_ID"])
        given = Reach(changed.get("rows", made.rows), changed.get("store", made.store))
        return go_on_closing(self.tenant(), reach=given, holder=holder, by=SOMEBODY, tell=tell or self.told.append)

    def rows(self) -> dict[tuple[str, str], dict[str, Any]]:
        return everything_of(self.world, self.org)

    def exports(self) -> list[Path]:
        """The directories of its exports, the oldest first."""
        return sorted((Path(self.export_to) / str(self.org)).iterdir())


@cache
def _reach(export_to: str, key_id: str) -> Reach:
    """Clients keep the keys they were made with, and take long to make."""
    reach.forget()
    return reach(export_to=export_to)


def closable(world: World, export_to: str) -> Closable:
    """Active, with rows in several collections and nobody in Cognito."""
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


def verified(export: Path) -> dict[str, Any]:
    """The manifest, once every file it lists was found to be what it says."""
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
