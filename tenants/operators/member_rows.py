"""Members as lists show them, with their access and their provisioning, each in a word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tenants.domain.tenant_state import TenantState
from tenants.members.in_cognito import has_drifted
from tenants.members.invitation_state import InvitationState, invitation_state
from tenants.models import Member, Provisioning


@dataclass(frozen=True, slots=True)
class MemberRow:
    """`access` is whether they may work: enabled, disabled, removed, or the state of a tenant that nobody works in.

    `provisioning` is due, settled, stuck or conflict. `differs`: settled, but their user in Cognito was changed outside
    the portal. `invitation` is how far they have come with signing in.
    """

    member: Member
    access: str
    provisioning: str
    differs: bool
    is_stuck: bool
    invitation: InvitationState


def member_rows(members: Iterable[Member]) -> list[MemberRow]:
    """Needs `person` and `tenant` at hand."""
    return [member_row(member) for member in members]


def member_row(member: Member) -> MemberRow:
    is_stuck = member.provisioning in (Provisioning.STUCK, Provisioning.CONFLICT)
    return MemberRow(
        member=member,
        access=_access(member),
        provisioning=member.provisioning,
        differs=has_drifted(member),
        is_stuck=is_stuck,
        invitation=invitation_state(member),
    )


def _access(member: Member) -> str:
    if member.removed or not member.enabled:
        return "removed" if member.removed else "disabled"
    tenant = member.tenant
    return "enabled" if tenant is None or tenant.state == TenantState.ACTIVE else f"tenant {tenant.state}"
