"""Whether somebody may change a tenant now: the table of `domain.tenant_permissions`, asked with the present rows."""

from __future__ import annotations

from tenants.domain.actor import Actor, ActorKind
from tenants.domain.errors import NotAllowed, NotNow
from tenants.domain.tenant_permissions import TenantAction, why_may_not
from tenants.domain.tenant_state import TenantState, in_words
from tenants.members.rights import with_present_role
from tenants.models import Tenant

_A_STRANGER = "You are not a member of this organisation."


def check_may(by: Actor, action: TenantAction, *, tenant: Tenant) -> None:
    """Raises NotAllowed; NotNow for a member of a tenant that is not active. Call it once the tenant is locked."""
    if why := why_not(by, action, tenant=tenant):
        raise NotAllowed(why)
    is_open = tenant.state == TenantState.ACTIVE or action == TenantAction.REOPEN
    if by.kind == ActorKind.MEMBER and not is_open:
        raise NotNow(f"{tenant} {in_words(tenant.state)}, so its own people cannot change it.")


def why_not(by: Actor, action: TenantAction, *, tenant: Tenant) -> str:
    """ "" where they may. A member's role is read again: their page may be older than a change of it."""
    present = with_present_role(by, tenant)
    return _A_STRANGER if present is None else why_may_not(present, action)
