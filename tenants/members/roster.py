"""Members: who is in a tenant, with which role. Changes are written to the rows; a worker makes Cognito match later.

The portal follows the rows from the next request on. A tenant keeps an owner: the database refuses anything else, and
the checks here say so in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from tenants.audit import audit_refusals, record
from tenants.audit.actions import Action
from tenants.domain import texts
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.permissions import MemberAction
from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.domain.tenant_state import MAY_SIGN_IN, TenantState, in_words
from tenants.domain.user_plan import Change, Conflict, DesiredUser, plan
from tenants.members.addresses import address
from tenants.members.rights import check_allowed
from tenants.models import Member, Person, Provisioning, Tenant
from tenants.sign_in.standing import forget_standing

_NO_SUCH_ROLE = f"Choose one of the roles {', '.join(IN_AN_ORGANISATION)}."
_NO_TENANT = "Choose a tenant. Only operators are in none."
_audit_refusals = audit_refusals(Action.MEMBER_REFUSED)
# Of what a change sets, what the audit trail keeps.
_RECORDED = ("role", "enabled", "removed")
_OPERATING = (ActorKind.OPERATOR, ActorKind.BREAK_GLASS)


def desired_user(member: Member) -> DesiredUser | None:
    """The user that Cognito should have for this member, None if it should have none. Reads `person` and `tenant`."""
    tenant = member.tenant
    if member.removed or (tenant is not None and tenant.state == TenantState.CLOSED):
        return None
    return DesiredUser(
        email=member.person.email,
        name=member.person.name,
        org=str(member.org_id or ""),
        role=member.role,
        enabled=member.enabled and (tenant is None or tenant.state in MAY_SIGN_IN),
        mail_invitation=member.mail_invitation,
        sign_out=member.sign_out,
    )


def planned_changes(member: Member) -> tuple[Change, ...] | Conflict:
    """What a worker would do in Cognito for this member, if the user is still as last seen."""
    return plan(desired_user(member), member.seen, org=str(member.org_id or ""))


@_audit_refusals
def add_member(
    *,
    tenant: Tenant | None,
    email: str,
    name: str,
    role: str,
    by: Actor,
    invited_by: Person | None = None,
    mail_invitation: bool = True,
    language: str = "en",
    why: str = "",
) -> Member:
    """Adds a person to `tenant`, or adds an operator if that is None. Raises InvalidInput, NotAllowed, NotNow."""
    email, language, role = address(email), texts.language(language), _role(role)
    name, why = texts.display_name(name, field="name") if name else "", texts.reason_if_given(why)
    if (tenant is None) != (role == Role.OPERATOR):
        raise InvalidInput(_NO_SUCH_ROLE if tenant else _NO_TENANT, field="role")
    with transaction.atomic():
        if tenant is not None:
            tenant = Tenant.objects.locked(tenant)
            check_may_change(tenant)
        check_allowed(by, MemberAction.INVITE, tenant=tenant, new_role=role)
        person = _person_to_invite(email, name, language, tenant)
        now = timezone.now()
        with _refuse_second_membership(person, tenant):
            member = Member.objects.create(
                person=person,
                tenant=tenant,
                role=role,
                invited_by=invited_by,
                invited_at=now,
                mail_invitation=mail_invitation,
                due_at=now,
            )
        record(Action.MEMBER_ADDED, by=by, org=member.org_id, target=str(person), after={"role": role}, why=why)
    forget_standing(person.pk)
    return member


@_audit_refusals
def set_role(member: Member, role: str, *, by: Actor, why: str = "") -> Member:
    """Raises InvalidInput if the member is or would be an operator, NotNow for the only owner."""
    role = _role(role)
    if (role == Role.OPERATOR) != (member.tenant_id is None):
        raise InvalidInput("A change of role cannot make a member an operator, or an operator a member.", field="role")
    return _change(member, MemberAction.SET_ROLE, Action.MEMBER_ROLE_CHANGED, by=by, why=why, role=role)


@_audit_refusals
def disable(member: Member, *, by: Actor, why: str = "") -> Member:
    """They stay in the tenant but cannot sign in. Raises NotNow for the only owner."""
    of_operators = by.kind in _OPERATING
    should_be = {"enabled": False, "sign_out": True, "disabled_by_operator": of_operators}
    return _change(member, MemberAction.DISABLE, Action.MEMBER_DISABLED, by=by, why=why, **should_be)


@_audit_refusals
def enable(member: Member, *, by: Actor, why: str = "") -> Member:
    """Ends what `disable` did. Raises NotNow once the tenant is being closed."""
    should_be = {"enabled": True, "sign_out": False, "disabled_by_operator": False}
    return _change(member, MemberAction.ENABLE, Action.MEMBER_ENABLED, by=by, why=why, **should_be)


@_audit_refusals
def remove(member: Member, *, by: Actor, why: str = "") -> Member:
    """A worker deletes their user in Cognito, then the row. Raises NotNow for the only owner."""
    return _change(member, MemberAction.REMOVE, Action.MEMBER_REMOVED, by=by, why=why, removed=True, sign_out=True)


@_audit_refusals
def try_now(member: Member, *, by: Actor, why: str = "") -> None:
    """Makes the member due now, even after many failures. Raises NotNow for a removed member."""
    why = texts.reason_if_given(why) or member.last_error
    with transaction.atomic():
        check_allowed(by, MemberAction.TRY_NOW, tenant=member.tenant, member=member)
        if not mark_due(Member.objects.filter(pk=member.pk)):
            raise _removed(member)
        record(Action.MEMBER_RETRIED, by=by, org=member.org_id, target=str(member.person), why=why)


def mark_due(members: QuerySet[Member], **should_be: bool | str) -> int:
    """Sets the fields and makes the members due. Returns how many there were. The caller calls `forget_standing`."""
    return members.update(
        **should_be,
        provisioning=Provisioning.DUE,
        due_at=timezone.now(),
        generation=F("generation") + 1,
        attempts=0,
        last_error="",
    )


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError as error:
        raise InvalidInput(_NO_SUCH_ROLE, field="role") from error


def owners(tenant: Tenant) -> QuerySet[Member]:
    """The owners who can act: disabled and removed ones do not count."""
    return Member.objects.filter(tenant=tenant, role=Role.OWNER, enabled=True, removed=False)


def _change(
    member: Member, asks: MemberAction, action: Action, *, by: Actor, why: str, **should_be: bool | str
) -> Member:
    why = texts.reason_if_given(why)
    with transaction.atomic():
        tenant = Tenant.objects.locked(member.tenant) if member.tenant else None
        if tenant is not None:
            check_may_change(tenant)
        else:
            # There is no tenant to lock. If two operators remove each other, the second one is refused.
            list(_operators().select_for_update().order_by("pk"))
        rows = Member.objects.select_for_update(of=("self",)).select_related("person", "tenant")
        current = rows.filter(pk=member.pk, removed=False).first()
        if current is None:
            raise _removed(member)
        check_allowed(by, asks, tenant=tenant, member=current, new_role=str(should_be.get("role", "")))
        before = {name: getattr(current, name) for name in should_be if name in _RECORDED}
        after = {name: value for name, value in should_be.items() if name in _RECORDED}
        if before == after:
            return current
        check_owner_remains(current, should_be)
        mark_due(Member.objects.filter(pk=current.pk), **should_be)
        forget_standing(current.person_id)
        record(action, by=by, org=current.org_id, target=str(current.person), before=before, after=after, why=why)
    return Member.objects.select_related("person", "tenant").get(pk=current.pk)


def check_owner_remains(member: Member, should_be: Mapping[str, bool | str]) -> None:
    """Raises NotNow if with these fields the tenant would have no owner, or the platform no operator."""
    stays = should_be.get("role", member.role) == member.role and should_be.get("enabled", member.enabled)
    if stays and not should_be.get("removed", False):
        return
    if member.tenant is None:
        peers, what = _operators(), "operator. Add another one first."
    else:
        peers, what = owners(member.tenant), f"owner of {member.tenant}. Make somebody else an owner first."
    if member in peers and not peers.exclude(pk=member.pk).exists():
        raise NotNow(f"{member.person} is the only {what}")


def check_may_change(tenant: Tenant) -> None:
    """Raises NotNow for a tenant that is being closed or is closed."""
    if not TenantState(tenant.state).may_be_changed:
        raise NotNow(f"{tenant} {in_words(tenant.state)}, so its members stay as they are.")


def _operators() -> QuerySet[Member]:
    return Member.objects.filter(tenant=None, enabled=True, removed=False)


def _person_to_invite(email: str, name: str, language: str, tenant: Tenant | None) -> Person:
    person, created = Person.objects.get_or_create(email=email, defaults={"name": name, "language": language})
    if created:
        return person
    _check_has_no_membership(person, tenant)
    if name and person.sub is None:
        # Cognito has no user for them, so the name of the latest invitation is the best one known.
        person.name = name
        person.save(update_fields=["name"])
    return person


@contextmanager
def _refuse_second_membership(person: Person, tenant: Tenant | None) -> Iterator[None]:
    """Raises InvalidInput if the person is a member already, also if they were added at the same moment."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        _check_has_no_membership(person, tenant)
        raise


def _check_has_no_membership(person: Person, tenant: Tenant | None) -> None:
    membership = Member.objects.filter(person=person).first()
    if membership is None:
        return
    if membership.tenant_id != (tenant.pk if tenant else None):
        # Does not say which one: that would tell a stranger about another organisation.
        raise InvalidInput(f"{person.email} belongs to somebody who is in another organisation.", field="email")
    if membership.removed:
        why = "was removed, and Cognito still has their user. Add them again once the worker has deleted it."
        raise InvalidInput(f"{person.email} {why}", field="email")
    where = f"a member of {tenant}" if tenant else "an operator"
    raise InvalidInput(f"{person.email} is {where} already.", field="email")


def _removed(member: Member) -> NotNow:
    return NotNow(f"{member.person} has been removed already. Nothing was changed.")
