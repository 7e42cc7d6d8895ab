"""Members as lists show them: who, in which tenant, as what, and how far Cognito agrees, in a word and its colour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tenants.domain.tenant_state import TenantState
from tenants.members.in_cognito import has_drifted
from tenants.models import Member, Provisioning

_IN_WORDS = {
    Provisioning.DUE: "waiting for Cognito",
    Provisioning.SETTLED: "agrees",
    Provisioning.STUCK: "stuck",
    Provisioning.CONFLICT: "conflict",
}


@dataclass(frozen=True, slots=True)
class MemberRow:
    """`standing` is whether they may work: active, disabled, removed, or the state of a tenant that nobody works in.

    `mood` is good, warn, bad or "".
    """

    member: Member
    standing: str
    provisioning: str
    mood: str
    is_stuck: bool


def member_rows(members: Iterable[Member]) -> list[MemberRow]:
    """Needs `person` and `tenant` at hand."""
    return [member_row(member) for member in members]


def member_row(member: Member) -> MemberRow:
    is_stuck = member.provisioning in (Provisioning.STUCK, Provisioning.CONFLICT)
    drifted = has_drifted(member)
    agrees = member.provisioning == Provisioning.SETTLED and not drifted
    return MemberRow(
        member=member,
        standing=_standing(member),
        provisioning="differs" if drifted else _IN_WORDS[Provisioning(member.provisioning)],
        mood="bad" if is_stuck else "warn" if drifted else "good" if agrees else "",
        is_stuck=is_stuck,
    )


def _standing(member: Member) -> str:
    if member.removed or not member.enabled:
        return "removed" if member.removed else "disabled"
    tenant = member.tenant
    return "active" if tenant is None or tenant.state == TenantState.ACTIVE else f"tenant {tenant.state}"
