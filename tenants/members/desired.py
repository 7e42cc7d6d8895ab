"""What Cognito should have for a member, and what a worker would change there."""

from __future__ import annotations

from tenants.domain.tenant_state import MAY_SIGN_IN, TenantState
from tenants.domain.user_plan import Change, Conflict, DesiredUser, plan
from tenants.models import Member


def desired_user(member: Member) -> DesiredUser | None:
    """The user that Cognito should have for this member, None if it should have none. Reads `person` and `tenant`.

    Without who invited them, which costs a query and only matters to the worker.
    """
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
        resend=member.resend,
        reset_mfa=member.reset_mfa,
        organisation=tenant.name if tenant else "",
    )


def planned_changes(member: Member) -> tuple[Change, ...] | Conflict:
    """What a worker would do in Cognito for this member, if the user is still as last seen. A worker looks first at the
    user of somebody who has just arrived, so nothing is planned for them yet.
    """
    if member.seen_at is None and member.person.sub is not None:
        return ()
    return plan(desired_user(member), member.seen, org=str(member.org_id or ""))
