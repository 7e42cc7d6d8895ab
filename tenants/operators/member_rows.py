"""Members as lists show them: who, in which tenant, as what, and how far Cognito agrees, in a word and its colour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tenants.models import Member, Provisioning

_IN_WORDS = {
    Provisioning.DUE: "waiting for Cognito",
    Provisioning.SETTLED: "agrees",
    Provisioning.STUCK: "stuck",
    Provisioning.CONFLICT: "conflict",
}


@dataclass(frozen=True, slots=True)
class MemberRow:
    """`standing` is whether they may work: active, disabled or removed. `mood` is good, bad or ""."""

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
    return MemberRow(
        member=member,
        standing="removed" if member.removed else "active" if member.enabled else "disabled",
        provisioning=_IN_WORDS[Provisioning(member.provisioning)],
        mood="bad" if is_stuck else "good" if member.provisioning == Provisioning.SETTLED else "",
        is_stuck=is_stuck,
    )
