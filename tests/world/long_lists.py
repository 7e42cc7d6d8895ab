"""Many tenants and members at once, for lists of several pages, and the rows that a list shows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from tenants.domain.roles import Role
from tenants.models import Member, Person, Provisioning, Tenant

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def many_tenants(count: int, *, from_: int = 0) -> None:
    """In pairs of the same moment, so that the second column of the key has to decide, which goes the other way."""
    Tenant.objects.bulk_create(
        Tenant(name=f"Tenant {n:03d}", slug=f"t-{n:03d}", created_at=NOON + timedelta(minutes=n // 2))
        for n in reversed(range(from_, from_ + count))
    )


def many_members(count: int, *, provisioning: str = Provisioning.SETTLED, called: str = "p") -> None:
    tenant = Tenant.objects.get(slug="acme")
    people = Person.objects.bulk_create(Person(email=f"{called}{n:03d}@many.example") for n in range(count))
    why = "Cognito said no." if provisioning == Provisioning.STUCK else ""
    Member.objects.bulk_create(
        Member(person=person, tenant=tenant, role=Role.VIEWER, provisioning=provisioning, last_error=why)
        for person in people
    )


def rows_of(page: Any) -> list[str]:
    found: list[str] = re.findall(r'<th scope="row"[^>]*><a[^>]* href="[^"]*">(?:<bdi>)?([^<]*)', page.content.decode())
    return found
