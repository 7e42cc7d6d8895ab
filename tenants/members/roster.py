"""Members: who is in a tenant, as what. Every change here says what should be; Cognito is made to match afterwards.

The door sees it on the next request. What must hold of owners is checked here for a clear message, and by the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from tenants.audit import audit_refusals, record
from tenants.audit.actions import Action
from tenants.domain import texts
from tenants.domain.actor import Actor
from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.domain.tenant_state import MAY_SIGN_IN, TenantState, in_words
from tenants.domain.user_plan import Change, Conflict, DesiredUser, plan
from tenants.models import Member, Person, Provisioning, Tenant
from tenants.sign_in.standing import forget_standing

_MAY_CHANGE = (TenantState.PENDING, TenantState.ACTIVE, TenantState.SUSPENDED)
_CHOOSE_A_ROLE = f"Choose one of the roles {', '.join(IN_AN_ORGANISATION)}."
_OR_AN_OPERATOR = "Say in which tenant. Only operators are in none."
_refusals_recorded = audit_refusals(Action.MEMBER_REFUSED)


def desired_user(member: Member) -> DesiredUser | None:
    """The user that Cognito should have for this member; None for none. Needs `person` and `tenant` at hand."""
    tenant = member.tenant
    if member.removed or (tenant is not None and tenant.state == TenantState.CLOSED):
        return None
    return DesiredUser(
        email=member.person.email,
        name=member.person.name,
        org=str(tenant.org_id) if tenant else "",
        role=member.role,
        enabled=member.enabled and (tenant is None or tenant.state in MAY_SIGN_IN),
        mail_invitation=member.mail_invitation,
        sign_out=member.sign_out,
    )


def planned_changes(member: Member) -> tuple[Change, ...] | Conflict:
    """What would be done in Cognito for the member as they are, if it still is as it was last seen."""
    return plan(desired_user(member), member.seen, org=str(member.tenant.org_id) if member.tenant else "")


@_refusals_recorded
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
    """Somebody new in a tenant, or an operator where it is None. Raises InvalidInput, NotNow."""
    email, language, role = texts.email_address(email), texts.language(language), _role(role)
    name, why = texts.display_name(name, field="name") if name else "", texts.reason_if_given(why)
    if (tenant is None) != (role == Role.OPERATOR):
        raise InvalidInput(_CHOOSE_A_ROLE if tenant else _OR_AN_OPERATOR, field="role")
    with transaction.atomic():
        if tenant is not None:
            tenant = _locked(tenant)
            check_may_change(tenant)
        person = _person_to_invite(email, name, language, tenant)
        now = timezone.now()
        with _one_membership_a_person(person, tenant):
            member = Member.objects.create(
                person=person,
                tenant=tenant,
                role=role,
                invited_by=invited_by,
                invited_at=now,
                mail_invitation=mail_invitation,
                due_at=now,
            )
        record(Action.MEMBER_ADDED, by=by, org=_org(member), target=str(person), after={"role": role}, why=why)
    forget_standing(person.pk)
    return member


@_refusals_recorded
def set_role(member: Member, role: str, *, by: Actor, why: str = "") -> Member:
    """Raises InvalidInput for an operator's role, NotNow for the only owner."""
    role = _role(role)
    if (role == Role.OPERATOR) != (member.tenant_id is None):
        raise InvalidInput("Nobody becomes an operator, or stops being one, by a change of role.", field="role")
    return _change(member, Action.MEMBER_ROLE_CHANGED, by=by, why=why, role=role)


@_refusals_recorded
def disable(member: Member, *, by: Actor, why: str = "") -> Member:
    """Keeps them in the tenant and locks them out. Raises NotNow for the only owner."""
    return _change(member, Action.MEMBER_DISABLED, by=by, why=why, enabled=False, sign_out=True)


@_refusals_recorded
def enable(member: Member, *, by: Actor, why: str = "") -> Member:
    return _change(member, Action.MEMBER_ENABLED, by=by, why=why, enabled=True, sign_out=False)


@_refusals_recorded
def remove(member: Member, *, by: Actor, why: str = "") -> Member:
    """Their user in Cognito is deleted, and the row with it. Raises NotNow for the only owner."""
    return _change(member, Action.MEMBER_REMOVED, by=by, why=why, removed=True, sign_out=True)


@_refusals_recorded
def try_now(member: Member, *, by: Actor, why: str = "") -> None:
    """Has the member provisioned again at once, however often it failed before."""
    why = texts.reason_if_given(why) or member.last_error
    with transaction.atomic():
        if not mark_due(Member.objects.filter(pk=member.pk)):
            raise _removed(member)
        record(Action.MEMBER_RETRIED, by=by, org=_org(member), target=str(member.person), why=why)


def mark_due(members: QuerySet[Member], **should_be: bool | str) -> int:
    """Sets what should be, and has Cognito made to match. How many members it was. Forgets no standing."""
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
        raise InvalidInput(_CHOOSE_A_ROLE, field="role") from error


def owners(tenant: Tenant) -> QuerySet[Member]:
    return Member.objects.filter(tenant=tenant, role=Role.OWNER, enabled=True, removed=False)


def _change(member: Member, action: Action, *, by: Actor, why: str, **should_be: bool | str) -> Member:
    why = texts.reason_if_given(why)
    with transaction.atomic():
        if member.tenant is not None:
            check_may_change(_locked(member.tenant))
        else:
            # In the tenants' place: of two operators who remove each other one is told.
            list(_operators().select_for_update().order_by("pk"))
        rows = Member.objects.select_for_update(of=("self",)).select_related("person", "tenant")
        now = rows.filter(pk=member.pk, removed=False).first()
        if now is None:
            raise _removed(member)
        shown = {name: getattr(now, name) for name in should_be if name != "sign_out"}
        after = {name: value for name, value in should_be.items() if name != "sign_out"}
        if shown == after:
            return now
        check_owner_remains(now, should_be)
        mark_due(Member.objects.filter(pk=now.pk), **should_be)
        forget_standing(now.person_id)
        record(action, by=by, org=_org(now), target=str(now.person), before=shown, after=after, why=why)
    return Member.objects.select_related("person", "tenant").get(pk=now.pk)


def check_owner_remains(member: Member, should_be: Mapping[str, bool | str]) -> None:
    """Raises NotNow where, with the member as they should be, the tenant had no owner or the platform no operator."""
    stays = should_be.get("role", member.role) == member.role and should_be.get("enabled", member.enabled)
    if stays and not should_be.get("removed", False):
        return
    if member.tenant is None:
        others, told = _operators(), "the only operator. Add another one first."
    else:
        others, told = owners(member.tenant), f"the only owner of {member.tenant}. Make somebody else an owner first."
    if member in others and not others.exclude(pk=member.pk).exists():
        raise NotNow(f"{member.person} is {told}")


def check_may_change(tenant: Tenant) -> None:
    """Raises NotNow for a tenant that is being closed, or is."""
    if tenant.state not in _MAY_CHANGE:
        raise NotNow(f"{tenant} {in_words(tenant.state)}, so its members stay as they are.")


def _locked(tenant: Tenant) -> Tenant:
    return Tenant.objects.select_for_update().get(pk=tenant.pk)


def _operators() -> QuerySet[Member]:
    return Member.objects.filter(tenant=None, enabled=True, removed=False)


def _person_to_invite(email: str, name: str, language: str, tenant: Tenant | None) -> Person:
    person, created = Person.objects.get_or_create(email=email, defaults={"name": name, "language": language})
    if created:
        return person
    _check_is_in_none(person, tenant)
    if name and person.sub is None:
        # Cognito knows them no more, so nobody but who invites them says what they are called.
        person.name = name
        person.save(update_fields=["name"])
    return person


@contextmanager
def _one_membership_a_person(person: Person, tenant: Tenant | None) -> Iterator[None]:
    """The database decides between two who invite the same person at once. Raises InvalidInput."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        _check_is_in_none(person, tenant)
        raise


def _check_is_in_none(person: Person, tenant: Tenant | None) -> None:
    membership = Member.objects.filter(person=person).first()
    if membership is None:
        return
    if membership.tenant_id != (tenant.pk if tenant else None):
        # Which organisation it is, is nobody else's business.
        raise InvalidInput(f"{person.email} belongs to somebody who is in another organisation.", field="email")
    if membership.removed:
        told = "was removed, and Cognito still has their user. Add them again once the worker has deleted that."
        raise InvalidInput(f"{person.email} {told}", field="email")
    where = f"a member of {tenant}" if tenant else "an operator"
    raise InvalidInput(f"{person.email} is {where} already.", field="email")


def _removed(member: Member) -> NotNow:
    return NotNow(f"{member.person} has been removed already. Nothing was changed.")


def _org(member: Member) -> UUID | None:
    return member.tenant.org_id if member.tenant else None
