"""What the worker will do in Cognito for one member, in sentences, from what was last seen there."""

from __future__ import annotations

from copy import copy
from typing import Any

from django.utils import timezone

from tenants.domain.tenant_state import MAY_SIGN_IN
from tenants.domain.user_plan import Conflict
from tenants.members.desired import desired_user, planned_changes
from tenants.members.invitation_state import invitation_state
from tenants.models import Member, Provisioning, Tenant, Worker

NO_WORKER = "No worker is running. Start one: manage.py provision --watch."
NOT_CREATED_YET = "Cognito gets no user, and nobody is mailed, until they may sign in."


def in_cognito(member: Member, **should_be: Any) -> str:
    """What will be done for the member once their row says what `should_be` says. Needs `person` and `tenant`."""
    after = copy(member)
    for name, value in should_be.items():
        setattr(after, name, value)
    changes = planned_changes(after)
    if isinstance(changes, Conflict):
        return f"In Cognito nothing is changed: {changes.why}"
    if changes:
        return f"In Cognito the worker will {', then '.join(change.in_words for change in changes)}."
    if is_not_created_yet(after):
        return NOT_CREATED_YET
    if (invitation := invitation_state(after)).needs_a_resend:
        return f"In Cognito nothing has to be changed, but their invitation has not helped: {invitation.in_words}."
    return "In Cognito nothing has to be changed, unless somebody changed it there."


def is_not_created_yet(member: Member) -> bool:
    """Whether Cognito has no user because the member may not sign in yet."""
    desired = desired_user(member)
    return desired is not None and not desired.enabled and member.seen is None


def has_drifted(member: Member) -> bool:
    """Whether a settled member's user was changed outside the portal, as a comparison saw."""
    if member.provisioning != Provisioning.SETTLED:
        return False
    changes = planned_changes(member)
    return isinstance(changes, Conflict) or bool(changes)


def is_locked(tenant: Tenant | None) -> bool:
    """Whether nobody may sign in to it. Operators are in no tenant, which is None."""
    return tenant is not None and tenant.state not in MAY_SIGN_IN


def no_worker() -> str:
    """NO_WORKER, or "" while a worker is running."""
    return "" if Worker.objects.alive(timezone.now()).exists() else NO_WORKER


def with_worker(*sentences: str) -> tuple[str, ...]:
    """The sentences, and NO_WORKER while none is running."""
    return (*sentences, *filter(None, [no_worker()]))
