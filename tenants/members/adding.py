"""Adding people to a tenant: invited, or made members at once. A worker creates their users in Cognito later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from tenants.audit import audit_refusals, record
from tenants.audit.actions import Action
from tenants.domain import texts
from tenants.domain.actor import Actor
from tenants.domain.errors import InvalidInput
from tenants.domain.permissions import MemberAction
from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.members.addresses import address
from tenants.members.checks import check_may_change
from tenants.members.notices import tell_owners
from tenants.members.rights import check_allowed
from tenants.members.sign_up import give_way
from tenants.models import Member, Person, Tenant
from tenants.sign_in.standing import forget_standing

_NO_SUCH_ROLE = f"Choose one of the roles {', '.join(IN_AN_ORGANISATION)}."
_NO_TENANT = "Choose a tenant. Only operators are in none."
TO_GIVE_WAY = timedelta(seconds=2)
_audit_refusals = audit_refusals(Action.MEMBER_REFUSED)


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
    """Adds a person to `tenant`, or adds an operator if that is None. A pending sign-up of the address ends.

    Raises InvalidInput, NotAllowed, NotNow.
    """
    email, language, role = address(email), texts.language(language), known_role(role)
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
        # Of a pending sign-up with the address, the worker deletes the unused user first.
        due_at = now + TO_GIVE_WAY if give_way(email) else now
        with _refuse_second_membership(person, tenant):
            member = Member.objects.create(
                person=person,
                tenant=tenant,
                role=role,
                invited_by=invited_by,
                invited_at=now,
                mail_invitation=mail_invitation,
                due_at=due_at,
            )
        tell_owners(Action.MEMBER_ADDED, tenant, by=by, why=why, person=email, role=role)
        record(Action.MEMBER_ADDED, by=by, org=member.org_id, target=str(person), after={"role": role}, why=why)
    forget_standing(person.pk)
    return member


def known_role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError as error:
        raise InvalidInput(_NO_SUCH_ROLE, field="role") from error


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
        raise InvalidInput(
            f"{person.email} belongs to somebody who is in another organisation. Use another address.", field="email"
        )
    if membership.removed:
        why = "was removed, and Cognito still has their user. Add them again once the worker has deleted it."
        raise InvalidInput(f"{person.email} {why}", field="email")
    where = f"a member of {tenant}" if tenant else "an operator"
    raise InvalidInput(f"{person.email} is {where} already.", field="email")
