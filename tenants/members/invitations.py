"""Invitations into an organisation: written down here, and dismissed. The worker makes members of them: `joining`.

What the inviter reads at once says nothing about addresses outside their own organisation. Whether somebody could not
join they read later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from django.db import transaction
from django.utils import timezone

from tenants.audit import NewEntry, audit_refusals, record_all
from tenants.audit.actions import Action
from tenants.domain import texts
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.errors import InvalidInput
from tenants.domain.permissions import MemberAction
from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.members import addresses, roster
from tenants.members.allowed_domains import why_not_invited
from tenants.members.in_cognito import is_locked, no_worker
from tenants.members.invitation_lines import NewInvitation
from tenants.members.notices import tell_owners
from tenants.members.rights import check_allowed, why_not_allowed
from tenants.models import Invitation, Member, Person, RateCount, Tenant

_Value = TypeVar("_Value")
_INVITE, _REVOKE = MemberAction.INVITE, MemberAction.REVOKE
# Otherwise anybody with an organisation could mail the whole world.
MOST_AN_HOUR = 5_000
_HOUR = 3_600
_QUERIED_AT_A_TIME = 500
_NAMED_IN_A_MAIL = 5
_NO_SUCH_ROLE = f"Choose one of the roles {', '.join(IN_AN_ORGANISATION)}."


class Answered(StrEnum):
    INVITED = "invited"
    # Nothing has to be done: they are a member, are invited, or stand in the same list twice.
    ALREADY = "already"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was done with a line. `message` says it to the inviter, with the reason."""

    line: NewInvitation
    answered: Answered
    message: str


@dataclass(frozen=True, slots=True)
class _Checked:
    """A line with what is stored of it, or with the answer that it has already."""

    line: NewInvitation
    email: str = ""
    name: str = ""
    role: str = ""
    answer: Answer | None = None


def invite_expects(tenant: Tenant, *, mail: bool = True) -> tuple[str, ...]:
    """What will happen, before anybody is invited."""
    if is_locked(tenant):
        return (f"Cognito gets no user, and nobody is mailed, until members of {tenant} may sign in.",)
    mailed = "Cognito mails each of them a temporary password, which works for 7 days" if mail else "nobody is mailed"
    return (
        f"The worker makes them members, usually within seconds, and {mailed}.",
        "For now, one address is in one organisation. Those who could not join are listed with the members.",
        *filter(None, [no_worker()]),
    )


@audit_refusals(Action.MEMBER_REFUSED)
def invite(
    tenant: Tenant, *, lines: Sequence[NewInvitation], by: Actor, role: str = "", mail: bool = True, why: str = ""
) -> list[Answer]:
    """Answers every line, in their order. `role` is for lines without one. Raises InvalidInput, NotAllowed, NotNow.

    The answer for an address that the organisation does not know yet is always the same.
    """
    why = texts.reason_if_given(why)
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        roster.check_may_change(tenant)
        check_allowed(by, _INVITE, tenant=tenant)
        checked = _of_allowed_domains(tenant, _without_known(tenant, _read(tenant, lines, role, by)))
        checked = _within_limit(tenant, checked)
        _write(tenant, [one for one in checked if one.answer is None], by=by, mail=mail, why=why)
    return [one.answer or Answer(one.line, Answered.INVITED, f"Invited as {one.role}.") for one in checked]


def _read(tenant: Tenant, lines: Sequence[NewInvitation], role: str, by: Actor) -> list[_Checked]:
    refusals = {one: why_not_allowed(by, _INVITE, tenant=tenant, new_role=one) for one in IN_AN_ORGANISATION}
    seen: set[str] = set()
    checked = []
    for line in lines:
        one = _read_line(line, role, refusals)
        if one.answer is None and one.email in seen:
            one = _answered(one, Answered.ALREADY, "Stands further up in the same list.")
        seen.add(one.email)
        checked.append(one)
    return checked


def _read_line(line: NewInvitation, role: str, refusals: dict[Role, str]) -> _Checked:
    try:
        one = _Checked(
            line,
            email=addresses.address(line.email),
            name=texts.display_name(line.name, field="name") if line.name else "",
            role=_role(line.role or role),
        )
    except InvalidInput as problem:
        return _answered(_Checked(line), Answered.REFUSED, problem.message)
    refusal = refusals[Role(one.role)]
    return _answered(one, Answered.REFUSED, refusal) if refusal else one


def _role(text: str) -> Role:
    role = text.strip().casefold()
    if role not in IN_AN_ORGANISATION:
        raise InvalidInput(_NO_SUCH_ROLE, field="role")
    return Role(role)


def _answered(one: _Checked, answered: Answered, message: str) -> _Checked:
    return replace(one, answer=Answer(one.line, answered, message))


def _without_known(tenant: Tenant, checked: Sequence[_Checked]) -> list[_Checked]:
    known: dict[str, str] = {}
    for emails in _in_parts([one.email for one in checked if one.answer is None]):
        members = Member.objects.filter(tenant=tenant, removed=False, person__email__in=emails)
        known |= {member.person.email: _is_member(member) for member in members.select_related("person")}
        waiting = Invitation.objects.filter(tenant=tenant, email__in=emails, why="")
        known |= {invitation.email: f"Is invited already, as {invitation.role}." for invitation in waiting}
    return [
        one if one.answer or one.email not in known else _answered(one, Answered.ALREADY, known[one.email])
        for one in checked
    ]


def _is_member(member: Member) -> str:
    if member.enabled and not member.has_signed_in:
        return f"Is invited already, as {member.role}. To mail them again, choose “Resend” on their page."
    return f"Is a member already, as {member.role}{'' if member.enabled else ', and disabled'}."


def _in_parts(values: Sequence[_Value]) -> Iterable[Sequence[_Value]]:
    """A query with too many values would be refused by the database."""
    return (values[start : start + _QUERIED_AT_A_TIME] for start in range(0, len(values), _QUERIED_AT_A_TIME))


def _of_allowed_domains(tenant: Tenant, checked: Sequence[_Checked]) -> list[_Checked]:
    why = [one.answer is None and why_not_invited(tenant, one.email) for one in checked]
    return [_answered(one, Answered.REFUSED, said) if said else one for one, said in zip(checked, why, strict=True)]


def _within_limit(tenant: Tenant, checked: Sequence[_Checked]) -> list[_Checked]:
    """The lines beyond the limit of this hour are refused, the last ones first."""
    new = [place for place, one in enumerate(checked) if one.answer is None]
    if not new:
        return list(checked)
    counted = RateCount.objects.add(len(new), f"invitations of {tenant.org_id}", seconds=_HOUR)
    beyond = set(new[max(0, len(new) - max(0, counted - MOST_AN_HOUR)) :])
    message = f"{tenant} has invited {MOST_AN_HOUR:,} people in this hour. Invite the others in the next one."
    return [_answered(one, Answered.REFUSED, message) if n in beyond else one for n, one in enumerate(checked)]


def _write(tenant: Tenant, checked: Sequence[_Checked], *, by: Actor, mail: bool, why: str) -> None:
    if not checked:
        return
    now, inviter = timezone.now(), _person_of(by)
    for emails in _in_parts([one.email for one in checked]):
        # Those who could not join are tried again.
        Invitation.objects.filter(tenant=tenant, email__in=emails).delete()
    Invitation.objects.bulk_create(
        Invitation(
            tenant=tenant,
            email=one.email,
            name=one.name,
            role=one.role,
            invited_by=inviter,
            terminal=by.name if by.kind == ActorKind.TERMINAL else "",
            invited_at=now,
            mail_invitation=mail,
            due_at=now,
        )
        for one in checked
    )
    tell_owners(Action.MEMBER_INVITED, tenant, by=by, why=why, people=_listed(checked))
    record_all(
        [NewEntry(Action.MEMBER_INVITED, by, tenant.org_id, one.email, {}, {"role": one.role}, why) for one in checked]
    )


def _listed(checked: Sequence[_Checked]) -> str:
    """One mail tells the owners of all of them."""
    named = [f"{one.email} as {one.role}" for one in checked[:_NAMED_IN_A_MAIL]]
    more = len(checked) - len(named)
    return ", ".join([*named, *([f"and {more:,} more"] if more else [])])


def _person_of(by: Actor) -> Person | None:
    is_person = by.kind in (ActorKind.MEMBER, ActorKind.OPERATOR)
    return Person.objects.filter(sub=by.id).first() if is_person else None


@audit_refusals(Action.MEMBER_REFUSED)
def dismiss(invitation: Invitation, *, by: Actor) -> bool:
    """Deletes the invitation of somebody who is no member yet, or could not join. False if that was done already."""
    with transaction.atomic():
        row = (
            Invitation.objects.select_for_update(of=("self",)).select_related("tenant").filter(pk=invitation.pk).first()
        )
        if row is None:
            return False
        check_allowed(by, _REVOKE, tenant=row.tenant, new_role=row.role)
        row.delete()
        record_all([_dismissal(row, row.tenant, by)])
    return True


@audit_refusals(Action.MEMBER_REFUSED)
def dismiss_all(tenant: Tenant, *, by: Actor) -> int:
    """Those who could not join, as far as the person may: an admin leaves owners. Returns how many there were."""
    with transaction.atomic():
        check_allowed(by, _REVOKE, tenant=tenant)
        refusals = {one: why_not_allowed(by, _REVOKE, tenant=tenant, new_role=one) for one in IN_AN_ORGANISATION}
        may = [role for role, refusal in refusals.items() if not refusal]
        rows = list(Invitation.objects.select_for_update().filter(tenant=tenant, role__in=may).exclude(why=""))
        for keys in _in_parts([row.pk for row in rows]):
            Invitation.objects.filter(pk__in=keys).delete()
        record_all([_dismissal(row, tenant, by) for row in rows])
    return len(rows)


def _dismissal(invitation: Invitation, tenant: Tenant, by: Actor) -> NewEntry:
    before = {"role": invitation.role}
    return NewEntry(Action.MEMBER_INVITATION_DISMISSED, by, tenant.org_id, invitation.email, before)
