"""What the door asks of a person, in one statement. It is written out, because every page may need it: Django takes ten
times as long to make it from models as the database takes to answer it.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from django.db import connection

from tenants.models.joining import RecoveryResult


class StandingRow(NamedTuple):
    """A person, their membership and its tenant. `role` and what follows is None where they are a member of nothing."""

    sub: UUID | str | None
    email: str
    name: str
    endings: int
    theme: str
    time_zone: str
    role: str | None
    # SQLite has 0 and 1 for no and yes, and the digits of a UUID.
    enabled: bool | int
    removed: bool | int
    identity_id: str
    generation: int
    org_id: UUID | str | None
    tenant_name: str | None
    tenant_state: str | None
    recovery_waits: bool | int


def standing_row(person_id: int) -> StandingRow | None:
    """None where there is no such person."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [RecoveryResult.WAITING.value, person_id])
        row = cursor.fetchone()
    return StandingRow(*row) if row else None


_STANDING = """
SELECT person.sub, person.email, person.name, person.endings, person.theme, person.time_zone,
  member.role, member.enabled, member.removed, member.identity_id, member.generation,
  tenant.org_id, tenant.name, tenant.state,
  EXISTS (SELECT 1 FROM tenants_ownerrecovery WHERE tenant_id = member.tenant_id AND result = %s)
FROM tenants_person AS person
LEFT JOIN tenants_member AS member ON member.person_id = person.id
LEFT JOIN tenants_tenant AS tenant ON tenant.id = member.tenant_id
WHERE person.id = %s
ORDER BY member.id
LIMIT 1
"""
