"""A tenant's transitions from one state to another. Each is checked, recorded, and effective in the portal at once.

The worker carries them out in Cognito (`tenants.provisioning`) and in IAM (`suspension`, `suspension_list`); the
closing job in DynamoDB (`closing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tenants.audit import audit_refusals, record, record_all
from tenants.audit.actions import Action
from tenants.domain import texts
from tenants.domain.actor import Actor
from tenants.domain.dates import formatted
from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.permissions import check_makes_people
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState, check_transition, in_words
from tenants.lifecycle.details import checked_metadata, checked_plan, create_with_slug
from tenants.lifecycle.suspension import begin_again
from tenants.members.open_recovery import end_because
from tenants.members.roster import add_member, mark_due, owners
from tenants.models import AuditEvent, Closing, Suspension, Tenant
from tenants.sign_in.standing import forget_tenant

MOST_GRACE_DAYS = 3650
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
        tenant = create_with_slug(texts.slug(slug) if slug else "", fields)
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
        check_transition(name=tenant.name, now=tenant.state, to=TenantState.CLOSING)
        _shut_out(tenant, by=by)
        Closing.objects.create(tenant=tenant, began_at=now)
        dates = {"closing_at": now, "purge_after": now + grace}
        return _move(tenant, TenantState.CLOSING, Action.TENANT_CLOSING, by=by, why=why, reason=why, **dates)


@_audit_refusals
def reopen(tenant: Tenant, *, by: Actor, why: str = "") -> Tenant:
    """Takes the tenant back to its state before closing. Raises NotNow after the grace period, or after a purge."""
    why = texts.reason_if_given(why)
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        closing = Closing.objects.select_for_update().filter(tenant=tenant, ended_at=None).first()
        check_may_reopen(tenant, closing)
        Closing.objects.filter(tenant=tenant, ended_at=None).update(ended_at=timezone.now())
        to, dates = state_after_reopening(tenant), {"closing_at": None, "purge_after": None}
        if to == TenantState.SUSPENDED:
            # The suspension continues, with the reason it had.
            reason = _why_suspended(tenant)
            return _move(tenant, to, Action.TENANT_REOPENED, by=by, why=why, reason=reason, **dates)
        _let_in(tenant)
        return _move(tenant, to, Action.TENANT_REOPENED, by=by, why=why, reason="", **dates)


def check_may_reopen(tenant: Tenant, closing: Closing | None) -> None:
    """`closing` is the one that has not ended. Raises NotNow if there is none, or it is too late to reopen."""
    if tenant.state != TenantState.CLOSING or tenant.purge_after is None or closing is None:
        raise NotNow(f"{tenant} is not being closed. Nothing was changed.")
    if closing.rows_purged or closing.purged_at or timezone.now() > tenant.purge_after:
        raise NotNow(f"The time to reopen {tenant} ended on {formatted(tenant.purge_after)}.")


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
    # Recorded after the members' rows are locked, because workers that hold them wait for the audit trail.
    if ended := end_because(tenant, f"{tenant} was suspended, or is being closed.", by=by):
        record_all(ended)


def _let_in(tenant: Tenant) -> None:
    Suspension.objects.filter(tenant=tenant, lifted_at=None).update(lifted_at=timezone.now())
    # Members disabled one by one may still have to be signed out.
    mark_due(tenant.members.filter(enabled=True), sign_out=False)
    mark_due(tenant.members.filter(enabled=False))


def _move(tenant: Tenant, to: TenantState, action: Action, *, by: Actor, why: str = "", **fields: Any) -> Tenant:
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
    after = {"state": to, **until}
    record(action, by=by, org=tenant.org_id, target=tenant.name, before=before, after=after, why=why)
    return tenant
