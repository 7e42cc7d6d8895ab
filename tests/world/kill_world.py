"""A world to kill workers in, and a comparison of the database, Cognito and the audit trail afterwards."""

from __future__ import annotations

import os
import tempfile
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import django

from emulator.client import process
from portal.demo.world import World, build, portal_credentials
from portal.environment import BASE
from tests.world.kill_workers import kill_at_lines, kill_at_random, let_workers_finish


def kill_and_compare(options: Namespace) -> None:
    """Raises AssertionError where the three do not agree."""
    with tempfile.TemporaryDirectory() as scratch, process.start() as emulator:
        world = build(emulator=emulator, portal_url="http://localhost:8000")
        _set_up(world, Path(scratch), rate=options.rate)
        from tenants.provisioning import wiring
        from tests.world.stage import Stage, assert_all_agree

        stage, domain = Stage(world, wiring.tools(threads=4)), "killed.example"
        counts = _prepare_members(stage, domain, options.members)
        before, began = _creations(world), time.monotonic()
        # These have made no call yet: processes must not share a connection.
        wiring.tools.forget()
        tools = wiring.tools(threads=4)
        if options.every:
            killed, held = kill_at_lines(tools, every=options.every)
        else:
            killed, held = kill_at_random(tools, workers=options.workers, longest=options.longest, kills=None)
        assert let_workers_finish(tools, options.workers)
        seconds = time.monotonic() - began
        for where, count in counts.items():
            assert_all_agree(stage, where, count)
        print(f"{options.members} members in {seconds:.1f} s, {killed} workers killed, {held} with members in hand")
        print(f"creations asked for: {_creations(world) - before}; adopted: {_adoptions()}; all agree")


def _set_up(world: World, scratch: Path, *, rate: float) -> None:
    placeholders = (BASE / ".ci" / "deploy.env").read_text().splitlines()
    keys = portal_credentials(world)
    os.environ |= dict(line.split("=", 1) for line in placeholders if "=" in line and not line.startswith("#"))
    os.environ |= world.settings
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PORTAL_URL": "http://localhost:8000",
        "DATABASE_URL": os.environ.get("TEST_DATABASE_URL") or f"sqlite:///{scratch}/portal.sqlite3",
        "CACHE_URL": "locmemcache://",
        "COGNITO_CALLS_PER_SECOND": ",".join(
            f"{name}={rate}" for name in ("UserCreation", "UserUpdate", "UserRead", "UserList")
        ),
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_SESSION_TOKEN": keys.session_token,
    }
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def _prepare_members(stage: Any, domain: str, members: int) -> dict[str, int]:
    """Most are to be created; a tenth exists already, to be changed, locked out or deleted. How many should be left."""
    from tenants.domain.roles import Role
    from tenants.members.roster import disable, remove, set_role
    from tests.world.stage import SOMEBODY, member_called, tenant_with_people

    there = members // 10
    tenant_with_people("Survivors", there, domain=f"old.{domain}")
    stage.work()
    for number in range(1, there):
        change = (set_role, disable, remove)[number % 3]
        member = member_called(f"p{number}@old.{domain}")
        change(member, *([Role.EDITOR] if change is set_role else []), by=SOMEBODY)
    tenant_with_people("Newcomers", members, domain=domain)
    return {f"old.{domain}": there - len(range(2, there, 3)), domain: members}


def _creations(world: World) -> int:
    from tests.world.faults import Switches

    return Switches(world.emulator).calls().get("CognitoIdentityProvider.AdminCreateUser", 0)


def _adoptions() -> int:
    from tenants.audit.actions import Action
    from tenants.models import AuditEvent

    return AuditEvent.objects.filter(action=Action.MEMBER_ADOPTED).count()
