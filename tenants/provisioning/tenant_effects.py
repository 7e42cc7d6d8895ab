"""What attempts for members mean for their tenants: a pending tenant opens, a suspension has to begin again."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from tenants.domain.actor import Actor
from tenants.domain.errors import NotNow
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.domain.user_plan import Delete, Disable
from tenants.lifecycle import transitions
from tenants.lifecycle.suspension import begin_again
from tenants.members.roster import owners
from tenants.models import Tenant
from tenants.provisioning.results import Attempted, Outcome

_log = logging.getLogger(__name__)


def tenants_to_activate(ended: Sequence[Attempted]) -> dict[int, Tenant]:
    """By primary key, locked: tenants that may become active, since Cognito has their owner now."""
    pending = (one.claim.member.tenant for one in ended if _makes_tenant_active(one))
    pks = {tenant.pk for tenant in pending if tenant is not None}
    locked = Tenant.objects.filter(pk__in=pks).select_for_update().order_by("pk") if pks else ()
    return {tenant.pk: tenant for tenant in locked}


def activate_tenants(tenants: dict[int, Tenant], unchanged: Iterable[Attempted], *, by: Actor) -> None:
    """Activates those of the `tenants` whose owner's row was not changed meanwhile."""
    opened = {one.claim.member.tenant_id for one in unchanged if _makes_tenant_active(one)}
    for pk, tenant in tenants.items():
        if pk in opened:
            _activate(tenant, by=by)


def restart_suspensions(ended: Sequence[Attempted]) -> None:
    """Where a member of a suspended tenant had to be locked out again: somebody had let them in meanwhile."""
    tenants = [one.claim.member.tenant_id for one in ended if _was_locked_out(one)]
    if pks := {pk for pk in tenants if pk is not None}:
        begin_again(pks)


def _makes_tenant_active(one: Attempted) -> bool:
    member, seen = one.claim.member, one.claim.attempt.seen
    if member.tenant is None or member.tenant.state != TenantState.PENDING or one.outcome != Outcome.SETTLED:
        return False
    return member.role == Role.OWNER and seen is not None and seen.enabled


def _was_locked_out(one: Attempted) -> bool:
    """A sign-out alone says nothing: a member who is disabled twice is signed out twice."""
    attempt = one.claim.attempt
    return attempt.was_enabled and any(isinstance(change, Disable | Delete) for change in attempt.done)


def _activate(tenant: Tenant, *, by: Actor) -> None:
    try:
        if tenant.state == TenantState.PENDING and owners(tenant).exists():
            transitions.activate(tenant, by=by)
    except NotNow:
        _log.info("not activated", extra={"tenant": tenant.slug})
