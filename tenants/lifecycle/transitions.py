"""The steps of a tenant's life, each a function: checked, written to the audit trail, and seen by the door at once.

The worker carries them on in Cognito (`tenants.provisioning`) and in IAM (`suspension`, `suspension_list`), the closing
job in DynamoDB (`closing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tenants.audit import audit_refusals, record
from tenants.audit.actions import Action
from tenants.domain import texts
from tenants.domain.actor import Actor
from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState, check_step, in_words
from tenants.lifecycle.details import checked_metadata, checked_plan, create_with_slug
from tenants.members.roster import add_member, mark_due, owners
from tenants.models import AuditEvent, Closing, Suspension, Tenant
from tenants.sign_in.standing import forget_tenant

MOST_GRACE_DAYS = 3650
_refusals_recorded = audit_refusals(Action.TENANT_REFUSED)


@_refusals_recorded
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
    """A pending tenant with its first owner; it becomes active once Cognito has made the owner. Raises InvalidInput.

    `metadata` may be JSON as it was typed.
    """
    name, why = texts.display_name(name, field="name"), texts.reason_if_given(why)
    owner_name = texts.display_name(owner_name, field="owner_name") if owner_name else ""
    about = {
        "name": name,
        "plan": checked_plan(plan or settings.TENANT_PLANS[0]),
        "metadata": checked_metadata(metadata),
    }
    with transaction.atomic():
        tenant = create_with_slug(texts.slug(slug) if slug else "", about)
        after = {**about, "slug": tenant.slug}
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


@_refusals_recorded
def activate(tenant: Tenant, *, by: Actor, why: str = "") -> Tenant:
    """Raises NotNow unless it is pending and somebody owns it."""
    why = texts.reason_if_given(why)
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        if tenant.state != TenantState.PENDING:
            raise NotNow(f"{tenant} {in_words(tenant.state)}, so it is not to be activated. Nothing was changed.")
        return _step(tenant, TenantState.ACTIVE, Action.TENANT_ACTIVATED, by=by, why=why, activated_at=timezone.now())


@_refusals_recorded
def suspend(tenant: Tenant, *, by: Actor, why: str) -> Tenant:
    """The first ring: nobody of it is let in from the next request on. Raises InvalidInput, NotNow."""
    why = texts.reason(why)
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        if tenant.state != TenantState.ACTIVE:
            check_step(name=tenant.name, now=tenant.state, to=TenantState.SUSPENDED)
            raise NotNow(f"{tenant} is being closed; reopen it instead.")
        _freeze(tenant)
        return _step(
            tenant,
            TenantState.SUSPENDED,
            Action.TENANT_SUSPENDED,
            by=by,
            why=why,
            reason=why,
            suspended_at=timezone.now(),
        )


@_refusals_recorded
def reactivate(tenant: Tenant, *, by: Actor, why: str = "") -> Tenant:
    """Ends a suspension. Raises NotNow for every other state."""
    why = texts.reason_if_given(why)
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        if tenant.state != TenantState.SUSPENDED:
            raise NotNow(f"{tenant} is not suspended. Nothing was changed.")
        _thaw(tenant)
        return _step(
            tenant, TenantState.ACTIVE, Action.TENANT_REACTIVATED, by=by, why=why, reason="", suspended_at=None
        )


@_refusals_recorded
def close(tenant: Tenant, *, by: Actor, why: str, grace: timedelta | None = None) -> Tenant:
    """Freezes it like a suspension; its rows may be purged once `grace` is over. Raises InvalidInput, NotNow."""
    why, now = texts.reason(why), timezone.now()
    grace = timedelta(days=settings.CLOSING_GRACE_DAYS) if grace is None else grace
    if not timedelta() <= grace <= timedelta(days=MOST_GRACE_DAYS):
        raise InvalidInput(f"A grace period is from 0 to {MOST_GRACE_DAYS:,} days long.", field="grace_days")
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        if tenant.state == TenantState.CLOSING:
            raise NotNow(f"{tenant} is being closed already. Nothing was changed.")
        check_step(name=tenant.name, now=tenant.state, to=TenantState.CLOSING)
        _freeze(tenant)
        Closing.objects.create(tenant=tenant, began_at=now)
        dates = {"closing_at": now, "purge_after": now + grace}
        return _step(tenant, TenantState.CLOSING, Action.TENANT_CLOSING, by=by, why=why, reason=why, **dates)


@_refusals_recorded
def reopen(tenant: Tenant, *, by: Actor, why: str = "") -> Tenant:
    """Back to what it was before, within the grace period and before anything was purged. Raises NotNow."""
    why = texts.reason_if_given(why)
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        closing = Closing.objects.select_for_update().filter(tenant=tenant, ended_at=None).first()
        check_may_reopen(tenant, closing)
        Closing.objects.filter(tenant=tenant, ended_at=None).update(ended_at=timezone.now())
        to, dates = state_after_reopening(tenant), {"closing_at": None, "purge_after": None}
        if to == TenantState.SUSPENDED:
            # It stays frozen: the suspension goes on, for the reason that it had.
            reason = _why_suspended(tenant)
            return _step(tenant, to, Action.TENANT_REOPENED, by=by, why=why, reason=reason, **dates)
        _thaw(tenant)
        return _step(tenant, to, Action.TENANT_REOPENED, by=by, why=why, reason="", **dates)


def check_may_reopen(tenant: Tenant, closing: Closing | None) -> None:
    """`closing` is the one under way. Raises NotNow where there is none, or it has gone too far."""
    if tenant.state != TenantState.CLOSING or tenant.purge_after is None or closing is None:
        raise NotNow(f"{tenant} is not being closed. Nothing was changed.")
    if closing.rows_purged or closing.purged_at or timezone.now() > tenant.purge_after:
        raise NotNow(f"The time to reopen {tenant} ended on {tenant.purge_after:%-d %B %Y, %H:%M} UTC.")


def state_after_reopening(tenant: Tenant) -> TenantState:
    """What it was before it was to be closed."""
    if tenant.suspended_at:
        return TenantState.SUSPENDED
    return TenantState.ACTIVE if tenant.activated_at else TenantState.PENDING


def _why_suspended(tenant: Tenant) -> str:
    """From the audit trail, since closing has overwritten it; the closing's own where retention took that entry."""
    entries = AuditEvent.objects.filter(org=tenant.org_id, action=Action.TENANT_SUSPENDED)
    entry = entries.order_by("-seq").first()
    return entry.why if entry else tenant.reason


@_refusals_recorded
def close_for_good(tenant: Tenant, *, by: Actor) -> Tenant:
    """The tombstone: closed for good, after its rows are gone and were looked for. Raises NotNow."""
    now = timezone.now()
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        check_step(name=tenant.name, now=tenant.state, to=TenantState.CLOSED)
        closing = Closing.objects.select_for_update().get(tenant=tenant, ended_at=None)
        if closing.verified_at is None:
            raise NotNow(f"The rows of {tenant} have not been purged and looked for yet.")
        closing.ended_at = now
        closing.save(update_fields=["ended_at"])
        # From here on Cognito should have none of them. The audit trail comes last: workers wait for it too.
        mark_due(tenant.members.all(), sign_out=True)
        return _step(tenant, TenantState.CLOSED, Action.TENANT_CLOSED, by=by, closed_at=now)


def _freeze(tenant: Tenant) -> None:
    _, is_new = Suspension.objects.get_or_create(tenant=tenant, lifted_at=None)
    if not is_new:
        Suspension.objects.begin_again([tenant.pk])
    mark_due(tenant.members.all(), sign_out=True)


def _thaw(tenant: Tenant) -> None:
    Suspension.objects.filter(tenant=tenant, lifted_at=None).update(lifted_at=timezone.now())
    # Who was disabled one by one may still have to be signed out for that.
    mark_due(tenant.members.filter(enabled=True), sign_out=False)
    mark_due(tenant.members.filter(enabled=False))


def _step(tenant: Tenant, to: TenantState, action: Action, *, by: Actor, why: str = "", **fields: Any) -> Tenant:
    check_step(name=tenant.name, now=tenant.state, to=to)
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
