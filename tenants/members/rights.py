"""Whether somebody may do something to a member now: the table of `domain.permissions`, asked with the present rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tenants.domain.actor import Actor, ActorKind
from tenants.domain.errors import NotAllowed
from tenants.domain.permissions import MemberAction, Question, why_not
from tenants.models import Member, Tenant


def check_allowed(
    by: Actor, action: MemberAction, *, tenant: Tenant | None, member: Member | None = None, new_role: str = ""
) -> None:
    """Raises NotAllowed. Call it in the transaction, once the tenant is locked."""
    if why := why_not_allowed(by, action, tenant=tenant, member=member, new_role=new_role):
        raise NotAllowed(why)


def why_not_allowed(
    by: Actor, action: MemberAction, *, tenant: Tenant | None, member: Member | None = None, new_role: str = ""
) -> str:
    """ "" where they may. `tenant` is None for operators, `member` for somebody who is none yet.

    A member's own role is read again: their token and their page may be older than a change of it.
    """
    present = with_present_role(by, tenant)
    if present is None:
        # Does not name it: that would tell a stranger about another organisation.
        return "You are not a member of this organisation."
    return why_not(present, action, _question(present, tenant, member, new_role))


def with_present_role(by: Actor, tenant: Tenant | None) -> Actor | None:
    """A member with the role that their row has now, None for one who is not in the tenant. Others as they are."""
    if by.kind != ActorKind.MEMBER:
        return by
    acting = _acting_member(by, tenant)
    return replace(by, role=acting.role) if acting else None


def may(action: MemberAction, **asked: str) -> Callable[[Member, Actor], str]:
    """The `allowed` of a step that is taken with a member."""
    return lambda member, by: why_not_allowed(by, action, tenant=member.tenant, member=member, **asked)


def may_in(action: MemberAction) -> Callable[[Tenant | None, Actor], str]:
    """The `allowed` of a step that is taken with a tenant."""
    return lambda tenant, by: why_not_allowed(by, action, tenant=tenant)


def _acting_member(by: Actor, tenant: Tenant | None) -> Member | None:
    if tenant is None:
        return None
    return Member.objects.filter(person__sub=by.id, tenant=tenant, enabled=True, removed=False).first()


def _question(by: Actor, tenant: Tenant | None, member: Member | None, new_role: str) -> Question:
    return Question(
        role=member.role if member else "",
        new_role=new_role,
        is_self=member is not None and str(member.person.sub) == by.id,
        of_operators=tenant is None,
        is_disabled=member is not None and not member.enabled,
        owner_has_signed_in=tenant is not None and tenant.owner_signed_in_at is not None,
        disabled_by_operator=member is not None and member.disabled_by_operator,
    )
