"""The owner recovery that waits in a tenant, what it needs all the while, and its end.

`recovery` asks for one and carries it out. What ends one before stands here, for the use cases that do.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from tenants.audit import NewEntry
from tenants.audit.actions import Action
from tenants.domain.actor import Actor
from tenants.domain.dates import formatted
from tenants.domain.errors import NotNow
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState, in_words
from tenants.members.notices import people_to_tell, tell_owners_and_admins
from tenants.models import Member, OwnerRecovery, RecoveryResult, Suspension, Tenant, signed_in_members
from tenants.sign_in.standing import forget_standing

Clock = Callable[[], datetime]
_ACTIONS = {
    RecoveryResult.DONE: Action.RECOVERY_DONE,
    RecoveryResult.VETOED: Action.RECOVERY_VETOED,
    RecoveryResult.CANCELLED: Action.RECOVERY_CANCELLED,
    RecoveryResult.ENDED: Action.RECOVERY_ENDED,
}


def open_recovery(tenant: Tenant) -> OwnerRecovery | None:
    """The one that waits, None where none does."""
    return OwnerRecovery.objects.filter(tenant=tenant, result=RecoveryResult.WAITING).first()


def owner_has_signed_in(tenant: Tenant) -> bool:
    """Also where the portal did not see it, and Cognito says that an owner has chosen a password."""
    owners = Member.objects.filter(signed_in_members(), tenant=tenant, role=Role.OWNER)
    return tenant.owner_signed_in_at is not None or owners.exists()


def note_owners_with_a_password(members: QuerySet[Member]) -> None:
    """Owners among them whom Cognito calls CONFIRMED have signed in, though the portal did not see it.

    From then on operators make nobody a member there. Call it outside a transaction: a tenant is locked before members.
    """
    seen = members.filter(signed_in_members(), role=Role.OWNER, removed=False, tenant__owner_signed_in_at=None)
    # One by one: a statement that locked several could be a deadlock with a worker that locks some of them.
    for pk in list(seen.exclude(tenant=None).values_list("tenant", flat=True).distinct()):
        Tenant.objects.filter(pk=pk, owner_signed_in_at=None).update(owner_signed_in_at=timezone.now())


def wait() -> timedelta:
    return timedelta(hours=settings.OWNER_RECOVERY_HOURS)


def latest_now(clock: Clock = timezone.now) -> datetime:
    """The later of this machine's time and the database's: nobody gains by a clock that is slow."""
    return max(clock(), _database_now())


def earliest_now(clock: Clock = timezone.now) -> datetime:
    """The earlier of this machine's time and the database's: nobody gains by a clock that is fast."""
    return min(clock(), _database_now())


def _database_now() -> datetime:
    now: datetime = Tenant.objects.values_list(Now(), flat=True)[:1].get()
    return now


def end(
    recovery: OwnerRecovery, result: RecoveryResult, *, by: Actor, what: str, why: str = "", link: str = ""
) -> NewEntry:
    """Ends it and tells owners and admins `what`, a sentence, and `why`, a reason that somebody typed.

    The caller has locked the tenant, has seen the recovery wait, and records the entry, last. `link` says which link
    stopped it.
    """
    tenant = recovery.tenant
    OwnerRecovery.objects.filter(pk=recovery.pk, result=RecoveryResult.WAITING).update(
        result=result, why=why or what, ended_at=timezone.now()
    )
    tell_owners_and_admins("recovery_ended", tenant, {"person": recovery.email, "what": [what], "reason": why})
    forget_who_is_told(tenant)
    after = {"link": link} if link else {}
    return NewEntry(_ACTIONS[result], by, org=tenant.org_id, target=recovery.email, after=after, why=why or what)


def end_because(tenant: Tenant, why: str, *, by: Actor) -> list[NewEntry]:
    """Ends the one that waits, if any: `why`, a sentence, is against its conditions. The caller records the entries."""
    recovery = open_recovery(tenant)
    if recovery is None:
        return []
    recovery.tenant = tenant
    return [end(recovery, RecoveryResult.ENDED, by=by, what=why)]


def note_lost_owner(tenant: Tenant, *, by: Actor) -> list[NewEntry]:
    """Operators disabled, removed or demoted an owner. That is kept, and ends a recovery for good."""
    if not owner_has_signed_in(tenant):
        return []
    Tenant.objects.filter(pk=tenant.pk).update(owner_lost_at=latest_now())
    return end_because(tenant, "Operators disabled, removed or demoted an owner.", by=by)


def forget_who_is_told(tenant: Tenant) -> None:
    """Pages of owners and admins show a recovery from their next request on."""
    forget_standing(*people_to_tell(tenant, [Role.OWNER, Role.ADMIN]).values_list("person_id", flat=True))


def check_conditions(tenant: Tenant, *, since: datetime) -> None:
    """Raises NotNow unless the tenant is active, and operators have touched no owner since some time before `since`."""
    if tenant.state != TenantState.ACTIVE:
        raise NotNow(f"{tenant} {in_words(tenant.state)}. An owner recovery needs it to be active all the while.")
    if Suspension.objects.filter(Q(lifted_at=None) | Q(lifted_at__gt=since), tenant=tenant).exists():
        raise NotNow(f"{tenant} was suspended or being closed. An owner recovery needs it to be active all the while.")
    owners = Member.objects.filter(tenant=tenant, role=Role.OWNER, removed=False)
    if owners.filter(enabled=False, disabled_by_operator=True).exists():
        raise NotNow("An operator has disabled an owner. No owner recovery is possible while that is so.")
    if tenant.owner_lost_at is not None and tenant.owner_lost_at > since - wait():
        until = formatted(tenant.owner_lost_at + wait())
        raise NotNow(
            f"Operators disabled, removed or demoted an owner. An owner recovery can be asked for from {until} on."
        )
