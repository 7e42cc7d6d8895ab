"""Shared by the benchmarks of provisioning: settings for workers, and members for them to provision."""

from __future__ import annotations

import os

import _project  # noqa: F401 - before any module of the project
import django

from portal.environment import BASE

_CATEGORIES = ("UserCreation", "UserUpdate", "UserRead", "UserList")


def set_up(database: str, *, rate: float, **settings: str) -> None:
    """Sets the environment of this process and of the workers it starts. `rate` is calls per second, per category."""
    placeholders = (BASE / ".ci" / "deploy.env").read_text().splitlines()
    os.environ |= dict(line.split("=", 1) for line in placeholders if "=" in line and not line.startswith("#"))
    os.environ |= settings
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": database,
        "CACHE_URL": "locmemcache://",
        "COGNITO_CALLS_PER_SECOND": ",".join(f"{category}={rate}" for category in _CATEGORIES),
    }
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def give_members(domain: str, count: int) -> None:
    """Creates a tenant with `count` members, all of them due at once. Nobody gets mail."""
    from django.db import transaction

    from tenants.domain.actor import at_the_terminal
    from tenants.lifecycle.transitions import create_tenant
    from tenants.models import Member, Person

    with transaction.atomic():
        tenant = create_tenant(name=domain, owner_email=f"p0@{domain}", mail_invitation=False, by=at_the_terminal())
        people = [Person(email=f"p{number}@{domain}", name=f"Person {number}") for number in range(1, count)]
        Member.objects.bulk_create(
            [
                Member(person=person, tenant=tenant, role="viewer", mail_invitation=False)
                for person in Person.objects.bulk_create(people, batch_size=500)
            ],
            batch_size=500,
        )
