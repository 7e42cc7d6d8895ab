"""What the database says of a person now, and whether they may enter with the claims of their token.

Every request needs it. One statement reads it; of somebody whom this process met in the last `KEPT_SECONDS`, the shared
cache keeps a copy for that long, so an edit by hand takes effect after that. Use cases call `forget_standing`, so their
changes take effect on the next request; while the cache is away, the database is asked. A copy that could not be
deleted ends by itself.
"""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db import transaction

from tenants.domain.claims import Claims
from tenants.domain.errors import (
    ArrivalNeeded,
    MembershipEnded,
    NoOrganisation,
    PortalError,
    TenantSuspended,
)
from tenants.domain.lately import lately
from tenants.domain.permissions import MANAGERS
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.domain.texts import readable_address
from tenants.models import Member, Tenant, standing_row

KEPT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Standing:
    """`org` and `role` are "" for somebody who is a member of nothing; `org` is "" for an operator too."""

    person_id: int
    sub: str
    email: str
    name: str
    org: str = ""
    tenant_name: str = ""
    tenant_state: str = ""
    role: str = ""
    enabled: bool = False
    identity_id: str = ""
    # For owners and admins: an owner recovery waits, which they can stop.
    recovery_waits: bool = False
    # The member's: it changes with every change of the membership and of the tenant's state.
    generation: int = 0
    # The person's: a session that began with another number has been ended.
    endings: int = 0
    # How pages look to them: "" is as their system has it, and UTC.
    theme: str = ""
    time_zone: str = ""

    @property
    def readable_email(self) -> str:
        return readable_address(self.email)


_TYPES = [type(value) for value in astuple(Standing(person_id=0, sub="", email="", name=""))]


class ClaimsOutOfDate(Exception):
    """The token does not agree with the database. A new token may."""


def standing_of(person_id: int) -> Standing | None:
    """None for a person who is no longer in the database."""
    if not lately("standing", KEPT_SECONDS).met_again(person_id):
        return _read(person_id)
    kept: Any = cache.get(_key(person_id))
    return _read_and_keep(person_id) if kept is None else _copied(kept, person_id) or _read_and_keep(person_id)


def standing_in_database(person_id: int) -> Standing | None:
    """Past the copy, which is deleted only after a change was committed: for who has waited for that change."""
    return _read(person_id)


def _copied(kept: Any, person_id: int) -> Standing | None:
    """None for a copy that is damaged, or that another version of the portal wrote."""
    try:
        standing = Standing(**kept)
    except TypeError:
        return None
    is_whole = [type(value) for value in astuple(standing)] == _TYPES
    return standing if is_whole and standing.person_id == person_id else None


def _read_and_keep(person_id: int) -> Standing | None:
    """Reads again after keeping: a change meanwhile may have called `forget_standing` just before."""
    kept = _read(person_id)
    if kept is None:
        return None
    cache.set(_key(person_id), asdict(kept), timeout=KEPT_SECONDS)
    now = _read(person_id)
    if now != kept:
        cache.delete(_key(person_id))
    return now


def forget_standing(*person_ids: int) -> None:
    """Call after every change of a person, member or tenant: once committed, it takes effect on their next request."""
    keys = [_key(person_id) for person_id in person_ids]
    # Not before: a request may read the old rows and keep them again.
    transaction.on_commit(partial(cache.delete_many, keys))


def check_standing(standing: Standing, claims: Claims) -> None:
    """Returns if the person may enter.

    Raises ArrivalNeeded, NoOrganisation, MembershipEnded, TenantSuspended or ClaimsOutOfDate.
    """
    if not standing.role and claims.may_own_an_organisation:
        raise ArrivalNeeded
    check_may_enter(standing)
    if (claims.sub, claims.org, claims.role) != (standing.sub, standing.org, standing.role):
        raise ClaimsOutOfDate


def may_enter(standing: Standing) -> bool:
    """Whether the person may enter, as far as the database knows: the token is not compared."""
    try:
        check_may_enter(standing)
    except PortalError:
        return False
    return True


def check_may_enter(standing: Standing) -> None:
    """Raises NoOrganisation, MembershipEnded or TenantSuspended. The token is not compared."""
    if not standing.role:
        raise NoOrganisation
    if not standing.enabled:
        raise MembershipEnded(standing.tenant_name or "the platform's operators")
    if standing.role != Role.OPERATOR and standing.tenant_state != TenantState.ACTIVE:
        raise TenantSuspended(standing.tenant_name, standing.tenant_state, role=standing.role)


def forget_tenant(tenant: Tenant) -> None:
    """Calls `forget_standing` for every member."""
    forget_standing(*tenant.members.values_list("person_id", flat=True))


def remember_identity(person_id: int, identity_id: str) -> None:
    Member.objects.filter(person_id=person_id).update(identity_id=identity_id)
    forget_standing(person_id)


def _key(person_id: int) -> str:
    # Earlier versions keep fewer fields under another name, and could not read these.
    return f"standing-of:{person_id}"


def _read(person_id: int) -> Standing | None:
    row = standing_row(person_id)
    if row is None:
        return None
    known = Standing(
        person_id=person_id,
        sub=_as_text(row.sub),
        email=row.email,
        name=row.name,
        endings=row.endings,
        theme=row.theme,
        time_zone=row.time_zone,
    )
    if row.role is None:
        return known
    return replace(
        known,
        org=_as_text(row.org_id),
        tenant_name=row.tenant_name or "",
        tenant_state=row.tenant_state or "",
        role=row.role,
        enabled=bool(row.enabled and not row.removed),
        identity_id=row.identity_id,
        recovery_waits=row.role in MANAGERS and bool(row.recovery_waits),
        generation=row.generation,
    )


def _as_text(found: UUID | str | None) -> str:
    return str(UUID(str(found))) if found else ""
