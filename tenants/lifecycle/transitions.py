"""A tenant's transitions from one state to another. Each is checked, recorded, and effective in the portal at once.

The worker carries them out in Cognito (`tenants.provisioning`) and in IAM (`suspension`, `suspension_list`); the
closing job in DynamoDB (`closing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from tenants.audit import NewEntry, audit_refusals, record, record_all
from tenants.audit.actions import Action
from tenants.domain import texts
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.dates import formatted
from tenants.domain.errors import InvalidInput, NotAllowed, NotNow
from tenants.domain.permissions import check_makes_people
from tenants.domain.roles import Role
from tenants.domain.tenant_permissions import TenantAction
from tenants.domain.tenant_state import MOST_GRACE_DAYS, TenantState, check_transition, in_words
from tenants.lifecycle.details import about_name, checked_metadata, checked_plan, create_with_slug
from tenants.lifecycle.reopen_keys import mail_owners, person_of
from tenants.lifecycle.rights import check_may
from tenants.lifecycle.suspension import begin_again
from tenants.mail import outbox
from tenants.members.open_recovery import end_because
from tenants.members.roster import add_member, mark_due, owners
from tenants.models import AuditEvent, Closing, Member, Person, Suspension, Tenant, signed_in_members
from tenants.sign_in.endings import end_sessions_in
from tenants.sign_in.standing import forget_standing, forget_tenant

_EXISTS_ALREADY = "This organisation exists already. Ask one of its owners to invite you."
_audit_refusals = audit_refusals(Action.TENANT_REFUSED)


@_audit_refusals
def create_tenant(
    *,
    name: str,
    owner_email: str,
    owner_name: str = "",
    slug: str = "",
    plan: str = "",
    metadata: Mapping[str, Any] | str = "",
    mail_invitation: bool = True,
    by: Actor,
    why: str = "",
) -> Tenant:
    """Creates a pending tenant and its first owner. It becomes active once the owner is in Cognito.

    With `slug` "" one is made from the name. `metadata` may be JSON as typed. Raises InvalidInput, and NotAllowed for
    break-glass access.
    """
    check_makes_people(by)
    name, why = texts.display_name(name, field="name"), texts.reason_if_given(why)
    owner_name = texts.display_name(owner_name, field="owner_name") if owner_name else ""
    fields = {
        "name": name,
        "plan": checked_plan(plan or settings.TENANT_PLANS[0]),
        "metadata": checked_metadata(metadata),
    }
    with transaction.atomic():
        tenant = create_with_slug(texts.slug(slug) if slug else "", {**fields, **about_name(name)})
        after = {**fields, "slug": tenant.slug}
        record(Action.TENANT_CREATED, by=by, org=tenant.org_id, target=tenant.name, after=after, why=why)
        add_member(
            tenant=tenant,
            email=owner_email,
            name=owner_name,
            role=Role.OWNER,
            by=by,
            mail_invitation=mail_invitation,
        )
    return tenant


@_audit_refusals
def adopt(*, org_id: UUID, name: str, slug: str = "", person: Person, by: Actor) -> Tenant:
    """Makes an active tenant of an organisation that so far only Cognito knows, with `person` as its owner.

    Not checked: that Cognito has the person's user with this org id, as an owner. With `slug` "" one is made from the
    name. Done again for the same person, it returns the tenant that is there. Raises InvalidInput; NotNow where
    another's tenant has the org id, or had it, or the person is a member elsewhere.
    """
    name, slug = texts.display_name(name, field="name"), texts.slug(slug) if slug else ""
    with transaction.atomic():
        # Of two tabs, the second waits here and then finds the tenant of the first. A stronger lock would wait for an
        # invitation that in turn waits for the row below.
        person = Person.objects.select_for_update(no_key=True).get(pk=person.pk)
        if there := _adopted_before(org_id, person):
            return there
        fields = {"name": name, "plan": settings.TENANT_PLANS[0]}
        try:
            with transaction.atomic():
                tenant = create_with_slug(slug, {**fields, **about_name(name), "org_id": org_id})
                _make_owner(person, tenant)
        except IntegrityError as error:
            raise NotNow(_EXISTS_ALREADY) from error
        after = {**fields, "slug": tenant.slug}
        record_all(
            [
                NewEntry(Action.TENANT_CREATED, by, org_id, tenant.name, after=after),
                NewEntry(Action.MEMBER_ADDED, by, org_id, str(person), after={"role": Role.OWNER}),
            ]
        )
        now = timezone.now()
        adopted = _move(
            tenant, TenantState.ACTIVE, Action.TENANT_ACTIVATED, by=by, activated_at=now, owner_signed_in_at=now
        )
    forget_standing(person.pk)
    return adopted


def _adopted_before(org_id: UUID, person: Person) -> Tenant | None:
    """The person's own tenant with this org id. Raises NotNow for any other tenant or membership."""
    tenant, membership = Tenant.objects.filter(org_id=org_id).first(), Member.objects.filter(person=person).first()
    if tenant is None and membership is None:
        return None
    if membership is not None and (tenant is None or membership.tenant_id != tenant.pk):
        raise NotNow(f"{person} is a member of something else already. Nothing was changed.")
    if membership is None or membership.removed or tenant is None or tenant.state == TenantState.CLOSED:
        raise NotNow(_EXISTS_ALREADY)
    return tenant


def _make_owner(person: Person, tenant: Tenant) -> None:
    """The worker looks at their user, since a token says nothing of how the user is by now."""
    now = timezone.now()
    Member.objects.create(person=person, tenant=tenant, role=Role.OWNER, invited_at=now, signed_in_at=now)


@_audit_refusals
def activate(tenant: Tenant, *, by: Actor, why: str = "") -> Tenant:
    """Raises NotNow unless the tenant is pending and has an owner, NotAllowed for break-glass access."""
    why = texts.reason_if_given(why)
    check_makes_people(by)
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        if tenant.state != TenantState.PENDING:
            raise NotNow(f"{tenant} {in_words(tenant.state)}, so it cannot be activated. Nothing was changed.")
        return _move(tenant, TenantState.ACTIVE, Action.TENANT_ACTIVATED, by=by, why=why, activated_at=timezone.now())


@_audit_refusals
def suspend(tenant: Tenant, *, by: Actor, why: str) -> Tenant:
    """The portal refuses its members from their next request on. Raises InvalidInput, NotNow."""
    why = texts.reason(why)
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        if tenant.state != TenantState.ACTIVE:
            check_transition(name=tenant.name, now=tenant.state, to=TenantState.SUSPENDED)
            raise NotNow(f"{tenant} is being closed. Reopen it instead.")
        _shut_out(tenant, by=by)
        return _move(
            tenant,
            TenantState.SUSPENDED,
            Action.TENANT_SUSPENDED,
            by=by,
            why=why,
            reason=why,
            suspended_at=timezone.now(),
        )


@_audit_refusals
def reactivate(tenant: Tenant, *, by: Actor, why: str = "") -> Tenant:
    """Ends a suspension. Raises NotNow unless the tenant is suspended."""
    why = texts.reason_if_given(why)
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        if tenant.state != TenantState.SUSPENDED:
            raise NotNow(f"{tenant} is not suspended. Nothing was changed.")
        _let_in(tenant)
        return _move(
            tenant, TenantState.ACTIVE, Action.TENANT_REACTIVATED, by=by, why=why, reason="", suspended_at=None
        )


@_audit_refusals
def close(tenant: Tenant, *, by: Actor, why: str, grace: timedelta | None = None) -> Tenant:
    """Shuts members out like a suspension. Its rows may be purged after `grace`, by default CLOSING_GRACE_DAYS.

    Raises InvalidInput, NotNow.
    """
    why, now = texts.reason(why), timezone.now()
    grace = timedelta(days=settings.CLOSING_GRACE_DAYS) if grace is None else grace
    if not timedelta() <= grace <= timedelta(days=MOST_GRACE_DAYS):
        raise InvalidInput(f"Enter a grace period from 0 to {MOST_GRACE_DAYS:,} days.", field="grace_days")
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        if tenant.state == TenantState.CLOSING:
            raise NotNow(f"{tenant} is being closed already. Nothing was changed.")
        check_may(by, TenantAction.CLOSE, tenant=tenant)
        check_transition(name=tenant.name, now=tenant.state, to=TenantState.CLOSING)
        _shut_out(tenant, by=by)
        closing = Closing.objects.create(tenant=tenant, began_at=now, by_owner=person_of(by))
        dates: dict[str, Any] = {"closing_at": now, "purge_after": now + grace}
        _mail_of_closing(closing, by=by, why=why, until=formatted(now + grace))
        return _move(tenant, TenantState.CLOSING, Action.TENANT_CLOSING, by=by, why=why, reason=why, **dates)


@_audit_refusals
def reopen(tenant: Tenant, *, by: Actor, why: str = "", link: str = "") -> Tenant:
    """Takes the tenant back to its state before closing. Raises NotNow after the grace period, or after a purge.

    `link` says which link `by` used, "" where they are signed in. It is noted in the audit trail.
    """
    why = texts.reason_if_given(why)
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        closing = Closing.objects.select_for_update().filter(tenant=tenant, ended_at=None).first()
        check_may_reopen(tenant, closing)
        _check_is_theirs(tenant, closing, by)
        Closing.objects.filter(tenant=tenant, ended_at=None).update(ended_at=timezone.now())
        noted = {"link": link} if link else {}
        to, dates = state_after_reopening(tenant), {"closing_at": None, "purge_after": None}
        _mail_leaders(tenant, "reopened", by=by, why=why)
        if to == TenantState.SUSPENDED:
            # The suspension continues, with the reason it had.
            reason = _why_suspended(tenant)
            return _move(tenant, to, Action.TENANT_REOPENED, by=by, why=why, noted=noted, reason=reason, **dates)
        _let_in(tenant)
        return _move(tenant, to, Action.TENANT_REOPENED, by=by, why=why, noted=noted, reason="", **dates)


def check_may_reopen(tenant: Tenant, closing: Closing | None) -> None:
    """`closing` is the one that has not ended. Raises NotNow if there is none, or it is too late to reopen."""
    if tenant.state != TenantState.CLOSING or tenant.purge_after is None or closing is None:
        raise NotNow(f"{tenant} is not being closed. Nothing was changed.")
    if closing.rows_purged or closing.purged_at or timezone.now() > tenant.purge_after:
        raise NotNow(f"The time to reopen {tenant} ended on {formatted(tenant.purge_after)}.")


def _check_is_theirs(tenant: Tenant, closing: Closing | None, by: Actor) -> None:
    """Raises NotAllowed for an owner who would take back what an operator did."""
    check_may(by, TenantAction.REOPEN, tenant=tenant)
    if by.kind == ActorKind.MEMBER and (closing is None or closing.by_owner_id is None):
        raise NotAllowed("An operator is closing this organisation, so only operators can reopen it.")


def state_after_reopening(tenant: Tenant) -> TenantState:
    """The state it had before it was closed."""
    if tenant.suspended_at:
        return TenantState.SUSPENDED
    return TenantState.ACTIVE if tenant.activated_at else TenantState.PENDING


def _why_suspended(tenant: Tenant) -> str:
    """From the audit trail, because closing overwrites the reason. The reason for closing if that entry is not kept."""
    entries = AuditEvent.objects.filter(org=tenant.org_id, action=Action.TENANT_SUSPENDED)
    entry = entries.order_by("-seq").first()
    return entry.why if entry else tenant.reason


@_audit_refusals
def close_for_good(tenant: Tenant, *, by: Actor) -> Tenant:
    """The last transition, after its rows were purged and checked. Raises NotNow before that."""
    now = timezone.now()
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        check_transition(name=tenant.name, now=tenant.state, to=TenantState.CLOSED)
        closing = Closing.objects.select_for_update().get(tenant=tenant, ended_at=None)
        if closing.verified_at is None:
            raise NotNow(f"The rows of {tenant} have not been purged and checked yet.")
        closing.ended_at = now
        closing.save(update_fields=["ended_at"])
        # Cognito should have no user of it any more. The audit entry comes last, because workers wait for its lock too.
        mark_due(tenant.members.all(), sign_out=True)
        return _move(tenant, TenantState.CLOSED, Action.TENANT_CLOSED, by=by, closed_at=now)


def _shut_out(tenant: Tenant, *, by: Actor) -> None:
    _, is_new = Suspension.objects.get_or_create(tenant=tenant, lifted_at=None)
    if not is_new:
        begin_again([tenant.pk])
    mark_due(tenant.members.all(), sign_out=True)
    end_sessions_in(tenant)
    # Recorded after the members' rows are locked, because workers that hold them wait for the audit trail.
    if ended := end_because(tenant, f"{tenant} was suspended, or is being closed.", by=by):
        record_all(ended)


def _mail_of_closing(closing: Closing, *, by: Actor, why: str, until: str) -> None:
    """Owners get a link with which they can reopen it, where an owner closed it."""
    if closing.by_owner is None:
        _mail_leaders(closing.tenant, "closing", by=by, why=why, until=until)
        return
    mail_owners(closing, by=by, why=why, until=until)
    _mail_leaders(closing.tenant, "closing", by=by, why=why, to=(Role.ADMIN,), until=until)


def _mail_leaders(
    tenant: Tenant, kind: str, *, by: Actor, why: str, to: Sequence[Role] = (Role.OWNER, Role.ADMIN), **about: str
) -> None:
    """Those who never signed in, and have no password yet, may not know the organisation at all."""
    leaders = tenant.members.filter(role__in=to, enabled=True, removed=False)
    addresses = leaders.filter(signed_in_members()).values_list("person__email", flat=True)
    about |= {"organisation": tenant.name, "by": _in_words(by), "reason": why}
    outbox.post_to_all(kind, to=addresses, about=about, org=tenant.org_id)


def _in_words(by: Actor) -> str:
    """For a sentence that begins with it: an address alone would get a capital letter."""
    return f"the {by.role} {by.name}" if by.kind == ActorKind.MEMBER else outbox.in_words(by)


def _let_in(tenant: Tenant) -> None:
    Suspension.objects.filter(tenant=tenant, lifted_at=None).update(lifted_at=timezone.now())
    # Those whom the worker has not signed out in Cognito yet, it still does.
    mark_due(tenant.members.all())
    end_sessions_in(tenant)


def _move(
    tenant: Tenant,
    to: TenantState,
    action: Action,
    *,
    by: Actor,
    why: str = "",
    noted: Mapping[str, str] = MappingProxyType({}),
    **fields: Any,
) -> Tenant:
    """`noted` is for the audit trail only, `fields` are the tenant's."""
    check_transition(name=tenant.name, now=tenant.state, to=to)
    if to == TenantState.ACTIVE and not owners(tenant).exists():
        raise NotNow(f"{tenant} has no owner. Add one first.")
    before = {"state": tenant.state}
    tenant.state = to
    for name, value in fields.items():
        setattr(tenant, name, value)
    tenant.save(update_fields=["state", *fields])
    forget_tenant(tenant)
    until = {"purge_after": tenant.purge_after} if to == TenantState.CLOSING else {}
    after = {"state": to, **until, **noted}
    record(action, by=by, org=tenant.org_id, target=tenant.name, before=before, after=after, why=why)
    return tenant
