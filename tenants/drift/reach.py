"""What AWS lets the user of each difference reach until it is repaired, in sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from tenants.domain.reach import reach_in_words
from tenants.models import Drift, DriftKind, Member, Tenant


def reaches(drifts: Sequence[Drift]) -> dict[int, str]:
    """By primary key; "" where there is nothing to say. One query, for the names of the organisations."""
    names = _names({drift.seen_org for drift in drifts})
    return {drift.pk: _reach_of(drift, names) for drift in drifts}


def reach_of_member(member: Member) -> str:
    """By the member's user as it was last seen; "" where there is none."""
    seen = member.seen
    if seen is None:
        return ""
    whose = _whose(seen.org, _names({seen.org}))
    return reach_in_words(org=seen.org, role=seen.role, enabled=seen.enabled, status=seen.status, whose=whose)


def _reach_of(drift: Drift, names: Mapping[str, str]) -> str:
    if drift.repaired_at or drift.seen_enabled is None or drift.kind == DriftKind.WAITING:
        return ""
    return reach_in_words(
        org=drift.seen_org,
        role=drift.seen_role,
        enabled=drift.seen_enabled,
        status=drift.seen_status,
        whose=_whose(drift.seen_org, names),
    )


def with_name(org: str) -> str:
    """An org id with the name of its tenant before it, the id alone where it is no tenant's."""
    name = _names({org}).get(org)
    return f"{name} ({org})" if name else org


def _names(orgs: set[str]) -> dict[str, str]:
    ids = {org: uuid for org in orgs if (uuid := _uuid(org))}
    tenants = {tenant.org_id: tenant.name for tenant in Tenant.objects.filter(org_id__in=ids.values())}
    return {org: tenants[uuid] for org, uuid in ids.items() if uuid in tenants}


def _whose(org: str, names: Mapping[str, str]) -> str:
    return names.get(org) or f"organisation {org}"


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
