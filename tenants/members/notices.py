"""Who is mailed of a change of members: the person it is about, and the owners of what was done at a terminal.

The portal decides here whom it tells and calls nobody by a name that their organisation need not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import Q, QuerySet

from tenants.audit.actions import Action
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.roles import Role
from tenants.mail import outbox
from tenants.models import Member, Tenant, signed_in_members

_IN_WORDS = {
    ActorKind.OPERATOR: "an operator of the platform",
    ActorKind.BREAK_GLASS: "an operator with emergency access",
    ActorKind.TERMINAL: "an operator",
    ActorKind.WORKER: "the portal",
    ActorKind.VISITOR: "somebody",
}
_PERSONAL = {Action.MEMBER_REMOVED: "removed", Action.MEMBER_DISABLED: "disabled", Action.MEMBER_ENABLED: "enabled"}
_AT_A_TERMINAL = {
    Action.MEMBER_ADDED: "{person} was invited as {role}.",
    Action.MEMBER_INVITED: "Invited: {people}.",
    Action.MEMBER_ROLE_CHANGED: "{person} was {before} and is {role} now.",
    Action.MEMBER_REMOVED: "{person} was removed.",
    Action.MEMBER_LEFT: "{person} was removed.",
    Action.MEMBER_DISABLED: "{person} was disabled, and cannot sign in.",
    Action.MEMBER_ENABLED: "{person} was enabled, and can sign in again.",
    Action.MEMBER_SIGNED_OUT: "{person} was signed out everywhere.",
    Action.MEMBER_REVOKED: "The invitation of {person} was taken back.",
    Action.MEMBER_RESENT: "The invitation of {person} was mailed again.",
    Action.OWNERSHIP_TRANSFERRED: "{person} was made owner in place of {before}.",
}


_WITHOUT_AN_ORGANISATION = "the operators’ pages"


def who_in_words(by: Actor) -> str:
    """Members are named, people of the platform are not."""
    return f"the {by.role} {by.name}" if by.kind == ActorKind.MEMBER else _IN_WORDS[by.kind]


def tell_person(action: Action, member: Member, *, by: Actor, why: str, role: str = "") -> None:
    """`member` as it was before. Somebody who never signed in is not mailed: their invitation is simply gone."""
    if member.tenant is None or not member.has_signed_in or str(member.person.sub) == by.id:
        return
    if not member.person.email:
        return
    about = {"organisation": member.tenant.name, "by": who_in_words(by), "reason": why}
    kind = _PERSONAL.get(action, "")
    if role:
        kind = "made_owner" if role == Role.OWNER else "role_changed"
        about |= {} if role == Role.OWNER else {"role": role, "before": member.role}
    if kind:
        outbox.post(kind, to=member.person.email, about=about, org=member.tenant.org_id)


def confirm_deletion(member: Member) -> None:
    """Mails somebody who deleted their account. They hear of it also if another person did it in their session."""
    if member.person.email:
        where = member.tenant.name if member.tenant else "the tenant portal"
        outbox.post("account_deleted", to=member.person.email, about={"organisation": where}, org=member.org_id)


def tell_owners(action: Action, tenant: Tenant | None, *, by: Actor, why: str, **words: str) -> None:
    """Owners who have signed in are told what the terminal did. Call it before the change, which may remove one."""
    if tenant is None or by.kind != ActorKind.TERMINAL or action not in _AT_A_TERMINAL:
        return
    what = [_AT_A_TERMINAL[action].format(**words)]
    about = {"organisation": tenant.name, "by": who_in_words(by), "what": what, "reason": why}
    told = people_to_tell(tenant, [Role.OWNER]).filter(signed_in_members())
    outbox.post_to_all("changed_at_terminal", to=_addresses(told), about=about, org=tenant.org_id)


def tell_of_mfa_reset(member: Member, *, by: Actor, why: str) -> None:
    """Mails the person and the owners, also where an owner did it: somebody may have deceived that owner."""
    if not member.has_signed_in:
        return
    tenant = member.tenant
    about = {"organisation": tenant.name if tenant else _WITHOUT_AN_ORGANISATION, "by": who_in_words(by), "reason": why}
    if member.person.email:
        outbox.post("mfa_reset", to=member.person.email, about=about, org=member.org_id)
    if tenant is not None:
        told = people_to_tell(tenant, [Role.OWNER]).filter(signed_in_members()).exclude(pk=member.pk)
        about |= {"person": str(member.person)}
        outbox.post_to_all("mfa_reset_owners", to=_addresses(told), about=about, org=tenant.org_id)


def tell_owners_and_admins(kind: str, tenant: Tenant, about: Mapping[str, object]) -> None:
    told = people_to_tell(tenant, [Role.OWNER, Role.ADMIN])
    outbox.post_to_all(kind, to=_addresses(told), about={"organisation": tenant.name, **about}, org=tenant.org_id)


def people_to_tell(tenant: Tenant, roles: Iterable[Role]) -> QuerySet[Member]:
    """Also whom operators disabled: otherwise they could keep somebody from hearing of it."""
    able = Q(enabled=True) | Q(disabled_by_operator=True)
    return Member.objects.filter(able, tenant=tenant, role__in=list(roles), removed=False)


def _addresses(members: QuerySet[Member]) -> list[str]:
    return list(members.exclude(person__email="").order_by("pk").values_list("person__email", flat=True))
