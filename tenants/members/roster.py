"""Members: who is in a tenant, with which role. Changes are written to the rows; a worker makes Cognito match later.

The portal follows the rows from the next request on. A tenant keeps an owner: the database refuses anything else, and
`checks` says so in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from tenants.audit import NewEntry, audit_refusals, record, record_all
from tenants.audit.actions import Action
from tenants.domain import texts
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.permissions import MemberAction
from tenants.domain.roles import Role
from tenants.members.adding import TO_GIVE_WAY, add_member, known_role
from tenants.members.checks import (
    NOT_IN_HERE,
    check_may_change,
    check_may_resend,
    check_may_transfer,
    check_never_signed_in,
    check_owner_remains,
    operators,
    owners,
    stays,
)
from tenants.members.desired import desired_user, planned_changes
from tenants.members.notices import confirm_deletion, tell_of_mfa_reset, tell_owners, tell_person
from tenants.members.open_recovery import note_lost_owner
from tenants.members.rights import check_allowed
from tenants.members.second_factor import check_may_reset
from tenants.models import Member, Provisioning, RateCount, Tenant
from tenants.sign_in.endings import end_sessions_of

__all__ = ["MOST_A_DAY_EACH", "TOO_OFTEN", "TO_GIVE_WAY", "add_member", "check_may_change", "check_may_resend",
           "check_may_transfer", "check_never_signed_in", "check_owner_remains", "delete_account", "desired_user",
           "disable", "enable", "leave", "mark_due", "may_be_invited", "owners", "planned_changes", "remove",
           "resend", "reset_mfa", "revoke", "set_role", "sign_out", "transfer", "try_now"]  # fmt: skip
_GONE = {"removed": True, "sign_out": True}
# Invitations of the same organisation to the same address. Each one is a mail.
MOST_A_DAY_EACH = 5
TOO_OFTEN = f"This address was invited {MOST_A_DAY_EACH} times today. Invite it again tomorrow."
_DAY = 86_400
_audit_refusals = audit_refusals(Action.MEMBER_REFUSED)
# Of what a change sets, what the audit trail keeps.
_RECORDED = ("role", "enabled", "removed")
_OPERATING = (ActorKind.OPERATOR, ActorKind.BREAK_GLASS, ActorKind.TERMINAL)


@_audit_refusals
def set_role(member: Member, role: str, *, by: Actor, why: str = "") -> Member:
    """Raises InvalidInput if the member is or would be an operator, NotAllowed, NotNow for the only owner."""
    role = known_role(role)
    if (role == Role.OPERATOR) != (member.tenant_id is None):
        raise InvalidInput("A change of role cannot make a member an operator, or an operator a member.", field="role")
    should_be: dict[str, bool | str] = {"role": role, "sign_out": True}
    return _change(member, MemberAction.SET_ROLE, Action.MEMBER_ROLE_CHANGED, should_be, by=by, why=why)


@_audit_refusals
def disable(member: Member, *, by: Actor, why: str = "") -> Member:
    """They stay in the tenant but cannot sign in. Raises NotAllowed, NotNow for the only owner."""
    of_operators = by.kind in _OPERATING
    should_be = {"enabled": False, "sign_out": True, "disabled_by_operator": of_operators}
    return _change(member, MemberAction.DISABLE, Action.MEMBER_DISABLED, should_be, by=by, why=why)


@_audit_refusals
def enable(member: Member, *, by: Actor, why: str = "") -> Member:
    """Ends what `disable` did. Raises NotAllowed, and NotNow once the tenant is being closed.

    Sessions from before stay ended, and where the worker has not signed them out in Cognito yet, it still does.
    """
    should_be = {"enabled": True, "disabled_by_operator": False}
    return _change(member, MemberAction.ENABLE, Action.MEMBER_ENABLED, should_be, by=by, why=why)


@_audit_refusals
def remove(member: Member, *, by: Actor, why: str = "") -> Member:
    """A worker deletes their user in Cognito, then the row. Raises NotAllowed, NotNow for the only owner."""
    return _change(member, MemberAction.REMOVE, Action.MEMBER_REMOVED, _GONE, by=by, why=why)


@_audit_refusals
def leave(member: Member, *, by: Actor, why: str = "") -> Member:
    """What `remove` does, done by the member. Raises NotAllowed, NotNow for the only owner."""
    return _change(member, MemberAction.LEAVE, Action.MEMBER_LEFT, _GONE, by=by, why=why)


@_audit_refusals
def delete_account(member: Member, *, by: Actor) -> Member:
    """What `leave` does, for good: the worker also deletes the person, and a mail confirms it.

    Raises NotAllowed, NotNow for the only owner or operator.
    """
    should_be = {**_GONE, "forgotten": True}
    return _change(member, MemberAction.LEAVE, Action.MEMBER_LEFT, should_be, by=by, why="deleted their account")


@_audit_refusals
def revoke(member: Member, *, by: Actor, why: str = "") -> Member:
    """Takes back the invitation of somebody who has never signed in. Raises NotAllowed, NotNow."""
    asks, action = MemberAction.REVOKE, Action.MEMBER_REVOKED
    return _change(member, asks, action, _GONE, by=by, why=why, check=check_never_signed_in)


@_audit_refusals
def resend(member: Member, *, by: Actor, why: str = "") -> Member:
    """A worker has Cognito mail the invitation again. Raises NotAllowed, NotNow once they have signed in.

    What an organisation's own people send counts as invitations do: otherwise they could fill anybody's mailbox.
    """
    should_be = {"resend": True, "mail_invitation": True}
    check = _check_and_count if by.kind == ActorKind.MEMBER else check_may_resend
    return _change(member, MemberAction.RESEND, Action.MEMBER_RESENT, should_be, by=by, why=why, check=check)


@_audit_refusals
def sign_out(member: Member, *, by: Actor, why: str = "") -> Member:
    """Ends all their sessions and tokens; they may sign in again at once. Raises NotAllowed, NotNow."""
    should_be = {"sign_out": True}
    return _change(member, MemberAction.SIGN_OUT, Action.MEMBER_SIGNED_OUT, should_be, by=by, why=why)


@_audit_refusals
def reset_mfa(member: Member, *, by: Actor, why: str = "") -> Member:
    """A worker deletes their authenticator; their sessions end now. For somebody who lost their phone.

    They and the owners are told by mail. Raises NotAllowed, NotNow.
    """
    should_be = {"reset_mfa": True, "sign_out": True}
    asks, action = MemberAction.RESET_MFA, Action.MEMBER_MFA_RESET
    return _change(member, asks, action, should_be, by=by, why=why, check=check_may_reset)


@_audit_refusals
def transfer(member: Member, *, to: Member, by: Actor, why: str = "") -> Member:
    """`to` becomes an owner and `member`, who is one, an admin: both or neither. Returns `member`.

    Raises InvalidInput, NotAllowed, NotNow.
    """
    why = texts.reason_if_given(why)
    if to.tenant_id != member.tenant_id:
        raise InvalidInput(NOT_IN_HERE, field="to")
    with transaction.atomic():
        tenant = _locked_tenant(member)
        if tenant is None:
            raise NotNow("Operators cannot own an organisation. Nothing was changed.")
        giver, heir = _locked(member), _locked(to)
        check_allowed(by, MemberAction.TRANSFER, tenant=tenant, member=giver, new_role=Role.OWNER)
        check_may_transfer(giver, to=heir)
        _tell_of_transfer(tenant, giver, heir, by=by, why=why)
        mark_due(Member.objects.filter(pk=heir.pk), role=Role.OWNER, sign_out=True)
        mark_due(Member.objects.filter(pk=giver.pk), role=Role.ADMIN, sign_out=True)
        _note_owner(tenant, heir)
        end_sessions_of(giver.person_id, heir.person_id)
        lost = note_lost_owner(tenant, by=by) if by.kind in _OPERATING else []
        record_all([*lost, _transferred(tenant, giver, heir, by=by, why=why)])
    return _fresh(giver)


def _transferred(tenant: Tenant, giver: Member, heir: Member, *, by: Actor, why: str) -> NewEntry:
    before, after = {"owner": str(giver.person), "role": heir.role}, {"role": Role.OWNER}
    action, target = Action.OWNERSHIP_TRANSFERRED, str(heir.person)
    return NewEntry(action, by, org=tenant.org_id, target=target, before=before, after=after, why=why)


def _tell_of_transfer(tenant: Tenant, giver: Member, heir: Member, *, by: Actor, why: str) -> None:
    words = {"person": str(heir.person), "before": str(giver.person)}
    tell_owners(Action.OWNERSHIP_TRANSFERRED, tenant, by=by, why=why, **words)
    tell_person(Action.OWNERSHIP_TRANSFERRED, heir, by=by, why=why, role=Role.OWNER)
    tell_person(Action.OWNERSHIP_TRANSFERRED, giver, by=by, why=why, role=Role.ADMIN)


@_audit_refusals
def try_now(member: Member, *, by: Actor, why: str = "") -> None:
    """Makes the member due now, even after many failures. Raises NotNow for a removed member."""
    why = texts.reason_if_given(why) or member.last_error
    with transaction.atomic():
        check_allowed(by, MemberAction.TRY_NOW, tenant=member.tenant, member=member)
        if not mark_due(Member.objects.filter(pk=member.pk)):
            raise _removed(member)
        record(Action.MEMBER_RETRIED, by=by, org=member.org_id, target=str(member.person), why=why)


def mark_due(members: QuerySet[Member], **should_be: bool | str) -> int:
    """Sets the fields and makes the members due. Returns how many there were.

    The caller calls `end_sessions_of`, or `forget_standing` where nothing of what the members may do has changed.
    """
    return members.update(
        **should_be,
        provisioning=Provisioning.DUE,
        due_at=timezone.now(),
        generation=F("generation") + 1,
        attempts=0,
        last_error="",
    )


def _check_and_count(member: Member) -> None:
    check_may_resend(member)
    if not may_be_invited(member.org_id, member.person.email):
        raise NotNow(TOO_OFTEN)


def may_be_invited(org_id: UUID | None, email: str) -> bool:
    """Counts an invitation to this address. False where it has had enough today."""
    return RateCount.objects.add_one(f"invited {org_id} {email}", seconds=_DAY) <= MOST_A_DAY_EACH


def _change(
    member: Member,
    asks: MemberAction,
    action: Action,
    should_be: Mapping[str, bool | str],
    *,
    by: Actor,
    why: str,
    check: Callable[[Member], None] = lambda _: None,
) -> Member:
    why = texts.reason_if_given(why)
    with transaction.atomic():
        tenant = _locked_tenant(member)
        current = _locked(member)
        check_allowed(by, asks, tenant=tenant, member=current, new_role=str(should_be.get("role", "")))
        check(current)
        before = {name: getattr(current, name) for name in should_be if name in _RECORDED}
        after = {name: value for name, value in should_be.items() if name in _RECORDED}
        if before and before == after:
            return current
        check_owner_remains(current, should_be)
        _tell(action, current, should_be, by=by, why=why)
        mark_due(Member.objects.filter(pk=current.pk), **should_be)
        lost = _note_owners(tenant, current, should_be, by=by) if tenant else []
        # Of every change: also an enabling ends what began while they were locked out.
        end_sessions_of(current.person_id)
        target = str(current.person)
        record_all([*lost, NewEntry(action, by, current.org_id, target, before=before, after=after, why=why)])
    return _fresh(current)


def _tell(action: Action, member: Member, should_be: Mapping[str, bool | str], *, by: Actor, why: str) -> None:
    new_role = str(should_be.get("role", ""))
    words = {"person": str(member.person), "role": new_role, "before": member.role}
    tell_owners(action, member.tenant, by=by, why=why, **words)
    tell_person(action, member, by=by, why=why, role=new_role)
    if action == Action.MEMBER_MFA_RESET:
        tell_of_mfa_reset(member, by=by, why=why)
    if should_be.get("forgotten"):
        confirm_deletion(member)


def _note_owners(
    tenant: Tenant, member: Member, should_be: Mapping[str, bool | str], *, by: Actor
) -> Sequence[NewEntry]:
    """What a change of `member` means for who owns the tenant. The caller records the entries."""
    if should_be.get("role") == Role.OWNER:
        _note_owner(tenant, member)
    if member.role == Role.OWNER and by.kind in _OPERATING and not stays(member, should_be):
        return note_lost_owner(tenant, by=by)
    return ()


def _locked_tenant(member: Member) -> Tenant | None:
    """Raises NotNow if its members cannot change now. For an operator, all operators are locked."""
    if member.tenant is None:
        # There is no tenant to lock. If two operators remove each other, the second one is refused.
        list(operators().select_for_update().order_by("pk"))
        return None
    tenant = Tenant.objects.locked(member.tenant)
    check_may_change(tenant)
    return tenant


def _locked(member: Member) -> Member:
    """The row as it is now. Raises NotNow for a removed member."""
    rows = Member.objects.select_for_update(of=("self",)).select_related("person", "tenant")
    current = rows.filter(pk=member.pk, removed=False).first()
    if current is None:
        raise _removed(member)
    return current


def _fresh(member: Member) -> Member:
    return Member.objects.select_related("person", "tenant").get(pk=member.pk)


def _note_owner(tenant: Tenant, member: Member) -> None:
    """A member who has signed in becomes an owner: from now on operators make nobody a member of the tenant."""
    if tenant.owner_signed_in_at is None and member.has_signed_in:
        Tenant.objects.filter(pk=tenant.pk).update(owner_signed_in_at=timezone.now())


def _removed(member: Member) -> NotNow:
    return NotNow(f"{member.person} has been removed already. Nothing was changed.")
