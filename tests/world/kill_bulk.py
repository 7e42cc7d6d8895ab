"""Kills a bulk step with -9 at one line after another, until it gets to its end: `python -m tests.world.kill_bulk`.

A program of its own, with the settings in its environment. Reads from its input, as JSON, the person's credentials,
the table, the collection, the step (delete or change) and how many lines are between two kills. Prints how often it
killed.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import django

from tests.world.kill_workers import die_at


@dataclass(frozen=True)
class Signing:
    """In place of `Records`: always the same credentials."""

    credentials: Any

    def with_credentials(self, who: Any, call: Callable[[Any], Any]) -> Any:
        return call(self.credentials)


def main() -> None:
    asked = json.load(sys.stdin)
    django.setup()
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0)
    take_step, killed = step_of(asked), 0
    while True:
        connections.close_all()
        pid = os.fork()
        if not pid:
            code = 1
            try:
                die_at((killed + 1) * asked["every"])
                take_step()
                code = 0
            finally:
                os._exit(code)
        status = os.waitpid(pid, 0)[1]
        if not os.WIFSIGNALED(status):
            print(killed if status == 0 else f"the step failed: {status}")
            return
        killed += 1


def step_of(asked: dict[str, Any]) -> Callable[[], Any]:
    from django.utils import timezone

    from tenants.aws.clients import records_client
    from tenants.aws.records_writes import RecordsWrites
    from tenants.domain.claims import Claims
    from tenants.domain.credentials import Credentials
    from tenants.domain.roles import Role
    from tenants.records.bulk import Bulk, BulkChange, Selected
    from tenants.records.deleting import Deleting
    from tenants.records.editing import Editing
    from tenants.sign_in.sessions import SignedIn
    from tenants.sign_in.standing import Standing

    client = records_client(region=asked["region"], endpoint_url=asked["endpoint_url"], connections=1)
    signing: Any = Signing(Credentials(**asked["credentials"]))
    editing = Editing(signing, RecordsWrites(client=client, name=asked["table"]), timezone.now)
    claims = Claims(sub="the-sub", email="", name="", org=asked["org"], role=Role.OWNER, expires_at=0)
    standing = Standing(person_id=1, sub="the-sub", email="owner@acme.example", name="", role=Role.OWNER, enabled=True)
    who = SignedIn(uuid.UUID(int=1), claims, standing)
    bulk, began = Bulk(editing, Deleting(editing)), timezone.now()
    selected = [Selected(key, digest) for key, digest in asked["selected"]]
    if asked["step"] == "delete":
        return lambda: bulk.delete(who, who.space, asked["collection"], selected, began=began)
    change = BulkChange("state", {"S": "paid"})
    return lambda: bulk.change(who, who.space, asked["collection"], selected, change)


if __name__ == "__main__":
    main()
