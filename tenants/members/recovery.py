"""Owner recovery: an operator asks for a new owner, and owners and admins have time to stop it.

The worker carries it out. Nothing that operators can do meanwhile makes it come sooner or go unnoticed: what they do to
the tenant or to its owners ends it. Until an owner has signed in, operators replace the owner at once.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from tenants.audit import audit_refusals, record, record_all
from tenants.audit.actions import Action
from tenants.domain import texts
from tenants.domain.actor import VISITOR, WORKER, Actor, ActorKind
from tenants.domain.dates import formatted
from tenants.domain.errors import InvalidInput, NotAllowed, NotNow, PortalError
from tenants.domain.permissions import MemberAction
from tenants.domain.roles import Role
from tenants.members.addresses import address
from tenants.members.notices import tell_owners_and_admins, who_in_words
from tenants.members.open_recovery import (
    Clock,
    check_conditions,
    earliest_now,
    end,
    forget_who_is_told,
    latest_now,
    open_recovery,
    owner_has_signed_in,
    wait,
)
from tenants.members.rights import check_allowed
from tenants.members.roster import add_member, check_may_change, remove, set_role
from tenants.models import Member, OutgoingMail, OwnerRecovery, RecoveryResult, Tenant

__all__ = ["ask", "cancel", "carry_out_due", "check_may_ask", "find_by_key", "open_recovery", "owner_has_signed_in",
           "veto", "veto_by_key"]  # fmt: skip
_KEY_BYTES = 32
# Mails that left later than this after the asking make the time to stop it begin later too.
_MAILS_LEAVE_WITHIN = timedelta(minutes=10)
_AT_A_TIME = 100
_ELSEWHERE = "belongs to somebody who is in another organisation, so they cannot become an owner here."
_audit_refusals = audit_refusals(Action.RECOVERY_REFUSED)


@_audit_refusals
def ask(
    tenant: Tenant,
    *,
    email: str,
    name: str = "",
    why: str,
    by: Actor,
    at_once: bool = False,
    clock: Clock = timezone.now,
) -> OwnerRecovery | None:
    """None where the owner was made at once: no owner has signed in yet, or a terminal asked for it with `at_once`.

    Raises InvalidInput, NotAllowed, NotNow.
    """
    email, why = address(email), texts.reason(why)
    name = texts.display_name(name, field="name") if name else ""
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        check_allowed(by, MemberAction.RECOVER_OWNER, tenant=tenant)
        if at_once and by.kind != ActorKind.TERMINAL:
            raise NotAllowed("Only a terminal can make an owner at once.")
        check_may_change(tenant)
        if not owner_has_signed_in(tenant):
            _replace_owner(tenant, email, name, by=by, why=why)
            return None
        if at_once:
            _make_owner_at_once(tenant, email, name, by=by, why=why)
            return None
        check_may_ask(tenant, clock=clock)
        _check_may_become_owner(tenant, email)
        return _begin(tenant, email, name, by=by, why=why, clock=clock)


def check_may_ask(tenant: Tenant, *, clock: Clock = timezone.now) -> None:
    """Raises NotNow."""
    waiting = open_recovery(tenant)
    if waiting is not None:
        raise NotNow(f"An owner recovery for {waiting.email} waits already, until {formatted(waiting.due_at)}.")
    check_conditions(tenant, since=earliest_now(clock))


@_audit_refusals
def veto(tenant: Tenant, *, by: Actor) -> OwnerRecovery:
    """An owner or an admin stops the one that waits. Raises NotAllowed, NotNow if none does."""
    what = f"It was stopped by {who_in_words(by)}."
    return _stop(tenant, RecoveryResult.VETOED, MemberAction.VETO_RECOVERY, by=by, why="", what=what)


@_audit_refusals
def cancel(tenant: Tenant, *, by: Actor, why: str = "") -> OwnerRecovery:
    """An operator takes back the one that waits. Raises InvalidInput, NotAllowed, NotNow if none does."""
    why = texts.reason_if_given(why)
    asks, what = MemberAction.RECOVER_OWNER, "An operator took it back."
    return _stop(tenant, RecoveryResult.CANCELLED, asks, by=by, why=why, what=what)


def find_by_key(key: str) -> OwnerRecovery | None:
    """By the key of a mail's link, also where it has ended."""
    return OwnerRecovery.objects.select_related("tenant").filter(key_hash=_hash(key)).first()


def veto_by_key(key: str) -> OwnerRecovery | None:
    """Stops the recovery of a mail's link, if it waits. Returns it as it is then; None for an unknown key."""
    found = find_by_key(key)
    if found is None:
        return None
    with transaction.atomic():
        tenant = Tenant.objects.locked(found.tenant)
        if waiting := _waiting(found, tenant):
            what, link = "Somebody stopped it with the link in the mail.", "the mail"
            record_all([end(waiting, RecoveryResult.VETOED, by=VISITOR, what=what, link=link)])
    return find_by_key(key)


def carry_out_due(*, clock: Clock = timezone.now) -> int:
    """The worker's part: makes the owners whose time has come. Returns how many recoveries it carried out or ended."""
    waiting = OwnerRecovery.objects.filter(result=RecoveryResult.WAITING).select_related("tenant")
    return sum(_look_at(recovery, clock) for recovery in waiting.order_by("pk")[:_AT_A_TIME])


def _begin(tenant: Tenant, email: str, name: str, *, by: Actor, why: str, clock: Clock) -> OwnerRecovery:
    key, now = secrets.token_urlsafe(_KEY_BYTES), latest_now(clock)
    recovery = OwnerRecovery.objects.create(
        tenant=tenant,
        email=email,
        name=name,
        reason=why,
        asked_by=by.id[:120],
        asked_by_name=by.name[:254],
        asked_at=now,
        due_at=now + wait(),
        key_hash=_hash(key),
    )
    about = {"person": email, "by": who_in_words(by), "until": formatted(recovery.due_at), "reason": why}
    tell_owners_and_admins("recovery_asked", tenant, {**about, "link": f"/recovery/{key}/"})
    forget_who_is_told(tenant)
    after = {"due_at": recovery.due_at}
    record(Action.RECOVERY_ASKED, by=by, org=tenant.org_id, target=email, after=after, why=why)
    return recovery


def _replace_owner(tenant: Tenant, email: str, name: str, *, by: Actor, why: str) -> None:
    owners = list(_locked_members().filter(tenant=tenant, role=Role.OWNER, removed=False).order_by("pk"))
    if any(owner.person.email == email for owner in owners):
        raise InvalidInput(f"{email} is an owner already. Send them the invitation again instead.", field="email")
    _make_owner(tenant, email, name, by=by, why=why)
    for owner in owners:
        remove(owner, by=by, why=why)
    before = {"owners": [owner.person.email for owner in owners]}
    record(Action.OWNER_REPLACED, by=by, org=tenant.org_id, target=email, before=before, why=why)


def _make_owner_at_once(tenant: Tenant, email: str, name: str, *, by: Actor, why: str) -> None:
    waiting = open_recovery(tenant)
    entries = []
    if waiting is not None:
        waiting.tenant = tenant
        what = "An operator made an owner at once instead, with a command on the platform’s own machines."
        entries = [end(waiting, RecoveryResult.CANCELLED, by=by, why=why, what=what)]
    _make_owner(tenant, email, name, by=by, why=why)
    record_all(entries)


def _make_owner(tenant: Tenant, email: str, name: str, *, by: Actor, why: str) -> Member:
    """Raises InvalidInput, NotNow where the address cannot become an owner."""
    member = _check_may_become_owner(tenant, email)
    if member is None:
        return add_member(tenant=tenant, email=email, name=name, role=Role.OWNER, by=by, why=why)
    return set_role(member, Role.OWNER, by=by, why=why)


def _check_may_become_owner(tenant: Tenant, email: str) -> Member | None:
    """The member with this address, None where nobody has it. Raises InvalidInput for one who cannot become owner."""
    member = _locked_members().filter(person__email=email).first()
    if member is None:
        return None
    if member.tenant_id != tenant.pk:
        raise InvalidInput(f"{email} {_ELSEWHERE}", field="email")
    if member.removed:
        raise InvalidInput(f"{email} was removed from {tenant}, so they cannot become an owner now.", field="email")
    if not member.enabled:
        raise InvalidInput(f"{email} is disabled in {tenant}, so they cannot become an owner now.", field="email")
    if member.role == Role.OWNER:
        raise InvalidInput(f"{email} is an owner of {tenant} already.", field="email")
    return member


def _locked_members() -> QuerySet[Member]:
    """Locked before the first audit entry: a worker that holds one of them waits for the trail, which we would hold."""
    return Member.objects.select_for_update(of=("self",)).select_related("person", "tenant")


def _stop(
    tenant: Tenant, result: RecoveryResult, asks: MemberAction, *, by: Actor, why: str, what: str
) -> OwnerRecovery:
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        check_allowed(by, asks, tenant=tenant)
        waiting = open_recovery(tenant)
        if waiting is None:
            raise NotNow(f"No owner recovery of {tenant} waits. Nothing was changed.")
        waiting.tenant = tenant
        record_all([end(waiting, result, by=by, why=why, what=what)])
    return OwnerRecovery.objects.select_related("tenant").get(pk=waiting.pk)


def _waiting(recovery: OwnerRecovery, tenant: Tenant) -> OwnerRecovery | None:
    """The row as it is now, with the locked tenant. None once it has ended."""
    rows = OwnerRecovery.objects.select_for_update().filter(pk=recovery.pk, result=RecoveryResult.WAITING)
    now = rows.first()
    if now is not None:
        now.tenant = tenant
    return now


def _look_at(recovery: OwnerRecovery, clock: Clock) -> bool:
    """Whether it was carried out or ended. Locks nothing while there is nothing to do."""
    if recovery.told_at is None:
        _note_told(recovery, clock)
        return False
    if earliest_now(clock) < recovery.due_at:
        return False
    with transaction.atomic():
        tenant = Tenant.objects.locked(recovery.tenant)
        waiting = _waiting(recovery, tenant)
        if waiting is None or earliest_now(clock) < waiting.due_at:
            return False
        _carry_out(waiting)
    return True


def _note_told(recovery: OwnerRecovery, clock: Clock) -> None:
    """Once no mail about it waits any more. If that took long, the time to stop it begins now.

    Otherwise stopping the worker, or the mails, until it is over would leave nobody time.
    """
    mails = OutgoingMail.objects.filter(kind="recovery_asked", org=recovery.tenant.org_id, due_at__isnull=False)
    if mails.exists():
        return
    now = latest_now(clock)
    late = now - recovery.asked_at > _MAILS_LEAVE_WITHIN
    due_at = now + wait() if late else recovery.due_at
    OwnerRecovery.objects.filter(pk=recovery.pk, told_at=None).update(told_at=now, due_at=due_at)


def _carry_out(recovery: OwnerRecovery) -> None:
    tenant, result = recovery.tenant, RecoveryResult.DONE
    what = f"Nobody stopped it, so {recovery.email} becomes an owner now."
    try:
        with transaction.atomic():
            check_conditions(tenant, since=recovery.asked_at)
            _make_owner(tenant, recovery.email, recovery.name, by=WORKER, why=recovery.reason)
    except PortalError as refusal:
        result, what = RecoveryResult.ENDED, refusal.message
    record_all([end(recovery, result, by=WORKER, what=what)])


def _hash(key: str) -> str:
    """Plain SHA-256 is enough: a key is 32 random bytes, which nobody finds by trying."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
