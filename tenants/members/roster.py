"""Members: who is in a tenant, with which role. Changes are written to the rows; a worker makes Cognito match later.

The portal follows the rows from the next request on. A tenant keeps an owner: the database refuses anything else, and
the checks here say so in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from tenants.audit import NewEntry, audit_refusals, record, record_all
from tenants.audit.actions import Action
from tenants.domain import texts
from tenants.domain.actor import Actor, ActorKind
from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.permissions import MemberAction
from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.domain.tenant_state import MAY_SIGN_IN, TenantState, in_words
from tenants.domain.user_plan import Change, Conflict, DesiredUser, plan
from tenants.members.addresses import address
from tenants.members.notices import tell_owners, tell_person
from tenants.members.open_recovery import note_lost_owner
from tenants.members.rights import check_allowed
from tenants.members.sign_up import give_way
from tenants.models import Member, Person, Provisioning, RateCount, Tenant
from tenants.models import signed_in_members as signed_in_members
from tenants.sign_in.federation import forget_credentials
from tenants.sign_in.standing import forget_standing

_NO_SUCH_ROLE = f"Choose one of the roles {', '.join(IN_AN_ORGANISATION)}."
_GONE = {"removed": True, "sign_out": True}
_NOT_IN_HERE = "Choose another member of this organisation."
_NO_TENANT = "Choose a tenant. Only operators are in none."
TO_GIVE_WAY = timedelta(seconds=2)
# Invitations of the same organisation to the same address. Each one is a mail.
MOST_A_DAY_EACH = 5
TOO_OFTEN = f"This address was invited {MOST_A_DAY_EACH} times today. Invite it again tomorrow."
_DAY = 86_400
_audit_refusals = audit_refusals(Action.MEMBER_REFUSED)
# Of what a change sets, what the audit trail keeps.
_RECORDED = ("role", "enabled", "removed")
_OPERATING = (ActorKind.OPERATOR, ActorKind.BREAK_GLASS, ActorKind.TERMINAL)


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
        organisation=tenant.name if tenant else "",
    )


def planned_changes(member: Member) -> tuple[Change, ...] | Conflict:
    """What a worker would do in Cognito for this member, if the user is still as last seen."""
    return plan(desired_user(member), member.seen, org=str(member.org_id or ""))


@_audit_refusals
def add_member(
    *,
    tenant: Tenant | None,
    email: str,
    name: str,
    role: str,
    by: Actor,
    invited_by: Person | None = None,
    mail_invitation: bool = True,
    language: str = "en",
    why: str = "",
) -> Member:
    """Adds a person to `tenant`, or adds an operator if that is None. A pending sign-up of the address ends.

    Raises InvalidInput, NotAllowed, NotNow.
    """
    email, language, role = address(email), texts.language(language), _role(role)
    name, why = texts.display_name(name, field="name") if name else "", texts.reason_if_given(why)
    if (tenant is None) != (role == Role.OPERATOR):
        raise InvalidInput(_NO_SUCH_ROLE if tenant else _NO_TENANT, field="role")
    with transaction.atomic():
        if tenant is not None:
            tenant = Tenant.objects.locked(tenant)
            check_may_change(tenant)
        check_allowed(by, MemberAction.INVITE, tenant=tenant, new_role=role)
        person = _person_to_invite(email, name, language, tenant)
        now = timezone.now()
        # Of a pending sign-up with the address, the worker deletes the unused user first.
        due_at = now + TO_GIVE_WAY if give_way(email) else now
        with _refuse_second_membership(person, tenant):
            member = Member.objects.create(
                person=person,
                tenant=tenant,
                role=role,
                invited_by=invited_by,
                invited_at=now,
                mail_invitation=mail_invitation,
                due_at=due_at,
            )
        tell_owners(Action.MEMBER_ADDED, tenant, by=by, why=why, person=email, role=role)
        record(Action.MEMBER_ADDED, by=by, org=member.org_id, target=str(person), after={"role": role}, why=why)
    forget_standing(person.pk)
    return member


@_audit_refusals
def set_role(member: Member, role: str, *, by: Actor, why: str = "") -> Member:
    """Raises InvalidInput if the member is or would be an operator, NotAllowed, NotNow for the only owner."""
    role = _role(role)
    if (role == Role.OPERATOR) != (member.tenant_id is None):
        raise InvalidInput("A change of role cannot make a member an operator, or an operator a member.", field="role")
    return _change(member, MemberAction.SET_ROLE, Action.MEMBER_ROLE_CHANGED, {"role": role}, by=by, why=why)


@_audit_refusals
def disable(member: Member, *, by: Actor, why: str = "") -> Member:
    """They stay in the tenant but cannot sign in. Raises NotAllowed, NotNow for the only owner."""
    of_operators = by.kind in _OPERATING
    should_be = {"enabled": False, "sign_out": True, "disabled_by_operator": of_operators}
    return _change(member, MemberAction.DISABLE, Action.MEMBER_DISABLED, should_be, by=by, why=why)


@_audit_refusals
def enable(member: Member, *, by: Actor, why: str = "") -> Member:
    """Ends what `disable` did. Raises NotAllowed, and NotNow once the tenant is being closed."""
    should_be = {"enabled": True, "sign_out": False, "disabled_by_operator": False}
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
def transfer(member: Member, *, to: Member, by: Actor, why: str = "") -> Member:
    """`to` becomes an owner and `member`, who is one, an admin: both or neither. Returns `member`.

    Raises InvalidInput, NotAllowed, NotNow.
    """
    why = texts.reason_if_given(why)
    if to.tenant_id != member.tenant_id:
        raise InvalidInput(_NOT_IN_HERE, field="to")
    with transaction.atomic():
        tenant = _locked_tenant(member)
        if tenant is None:
            raise NotNow("Operators own no organisation.")
        giver, heir = _locked(member), _locked(to)
        check_allowed(by, MemberAction.TRANSFER, tenant=tenant, member=giver, new_role=Role.OWNER)
        check_may_transfer(giver, to=heir)
        _tell_of_transfer(tenant, giver, heir, by=by, why=why)
        mark_due(Member.objects.filter(pk=heir.pk), role=Role.OWNER)
        mark_due(Member.objects.filter(pk=giver.pk), role=Role.ADMIN)
        _note_owner(tenant, heir)
        _forget(giver, heir)
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
    """Sets the fields and makes the members due. Returns how many there were. The caller calls `forget_standing`."""
    return members.update(
        **should_be,
        provisioning=Provisioning.DUE,
        due_at=timezone.now(),
        generation=F("generation") + 1,
        attempts=0,
        last_error="",
    )


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError as error:
        raise InvalidInput(_NO_SUCH_ROLE, field="role") from error


def owners(tenant: Tenant) -> QuerySet[Member]:
    """The owners who can act: disabled and removed ones do not count."""
    return Member.objects.filter(tenant=tenant, role=Role.OWNER, enabled=True, removed=False)


def check_never_signed_in(member: Member) -> None:
    """Raises NotNow."""
    if member.has_signed_in:
        raise NotNow(f"{member.person} has signed in already, so there is no invitation any more.")


def check_may_resend(member: Member) -> None:
    """Raises NotNow for somebody who has signed in, or may not."""
    check_never_signed_in(member)
    if not member.enabled:
        raise NotNow(f"{member.person} is disabled. Enable them first.")
    if member.tenant is not None and member.tenant.state not in MAY_SIGN_IN:
        raise NotNow(f"{member.tenant} {in_words(member.tenant.state)}, so nobody is invited now.")


def _check_and_count(member: Member) -> None:
    check_may_resend(member)
    if not may_be_invited(member.org_id, member.person.email):
        raise NotNow(TOO_OFTEN)


def may_be_invited(org_id: UUID | None, email: str) -> bool:
    """Counts an invitation to this address. False where it has had enough today."""
    return RateCount.objects.add_one(f"invited {org_id} {email}", seconds=_DAY) <= MOST_A_DAY_EACH


def check_may_transfer(member: Member, *, to: Member) -> None:
    """Raises InvalidInput if `to` cannot be the owner, NotNow if `member` is none."""
    if member.role != Role.OWNER:
        raise NotNow(f"{member.person} is not an owner. Nothing was changed.")
    if to.pk == member.pk:
        raise InvalidInput(_NOT_IN_HERE, field="to")
    if to.role == Role.OWNER:
        raise InvalidInput(f"{to.person} is an owner already.", field="to")
    if not to.enabled:
        raise InvalidInput(f"{to.person} is disabled. Enable them first.", field="to")
    if not to.has_signed_in:
        raise InvalidInput(f"{to.person} has never signed in, so it is not known whether they can.", field="to")


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
        _tell(action, current, str(should_be.get("role", "")), by=by, why=why)
        mark_due(Member.objects.filter(pk=current.pk), **should_be)
        lost = _note_owners(tenant, current, should_be, by=by) if tenant else []
        _forget(current)
        target = str(current.person)
        record_all([*lost, NewEntry(action, by, current.org_id, target, before=before, after=after, why=why)])
    return _fresh(current)


def _tell(action: Action, member: Member, new_role: str, *, by: Actor, why: str) -> None:
    words = {"person": str(member.person), "role": new_role, "before": member.role}
    tell_owners(action, member.tenant, by=by, why=why, **words)
    tell_person(action, member, by=by, why=why, role=new_role)


def _note_owners(
    tenant: Tenant, member: Member, should_be: Mapping[str, bool | str], *, by: Actor
) -> Sequence[NewEntry]:
    """What a change of `member` means for who owns the tenant. The caller records the entries."""
    if should_be.get("role") == Role.OWNER:
        _note_owner(tenant, member)
    if member.role == Role.OWNER and by.kind in _OPERATING and not _stays(member, should_be):
        return note_lost_owner(tenant, by=by)
    return ()


def _stays(member: Member, should_be: Mapping[str, bool | str]) -> bool:
    """Whether they remain what they are, and able to act."""
    same = should_be.get("role", member.role) == member.role and should_be.get("enabled", member.enabled)
    return bool(same) and not should_be.get("removed", False)


def _forget(*members: Member) -> None:
    """The members as they were: the next page and the next call to AWS follow their rows as they are now."""
    forget_standing(*(member.person_id for member in members))
    for member in members:
        forget_credentials(member.person_id, org=str(member.org_id or ""), role=member.role)


def _locked_tenant(member: Member) -> Tenant | None:
    """Raises NotNow if its members cannot change now. For an operator, all operators are locked."""
    if member.tenant is None:
        # There is no tenant to lock. If two operators remove each other, the second one is refused.
        list(_operators().select_for_update().order_by("pk"))
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


def check_owner_remains(member: Member, should_be: Mapping[str, bool | str]) -> None:
    """Raises NotNow if with these fields the tenant would have no owner, or the platform no operator.

    An owner who has signed in counts only on others who have: an organisation that nobody can enter has no owner.
    """
    if _stays(member, should_be):
        return
    if member.tenant is None:
        peers, kind, whose = _operators(), "operator", ""
    else:
        peers, kind, whose = owners(member.tenant), "owner", f" of {member.tenant}"
    if member not in peers:
        return
    others = peers.exclude(pk=member.pk)
    if not others.exists():
        first = "Make somebody else an owner first." if member.tenant else "Add another one first."
        raise NotNow(f"{member.person} is the only {kind}{whose}. {first}")
    if member.has_signed_in and not others.filter(signed_in_members()).exists():
        raise NotNow(f"{member.person} is the only {kind}{whose} who has signed in. Another one has to do so first.")


def check_may_change(tenant: Tenant) -> None:
    """Raises NotNow for a tenant that is being closed or is closed."""
    if not TenantState(tenant.state).may_be_changed:
        raise NotNow(f"{tenant} {in_words(tenant.state)}, so its members stay as they are.")


def _operators() -> QuerySet[Member]:
    return Member.objects.filter(tenant=None, enabled=True, removed=False)


def _person_to_invite(email: str, name: str, language: str, tenant: Tenant | None) -> Person:
    person, created = Person.objects.get_or_create(email=email, defaults={"name": name, "language": language})
    if created:
        return person
    _check_has_no_membership(person, tenant)
    if name and person.sub is None:
        # Cognito has no user for them, so the name of the latest invitation is the best one known.
        person.name = name
        person.save(update_fields=["name"])
    return person


@contextmanager
def _refuse_second_membership(person: Person, tenant: Tenant | None) -> Iterator[None]:
    """Raises InvalidInput if the person is a member already, also if they were added at the same moment."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        _check_has_no_membership(person, tenant)
        raise


def _check_has_no_membership(person: Person, tenant: Tenant | None) -> None:
    membership = Member.objects.filter(person=person).first()
    if membership is None:
        return
    if membership.tenant_id != (tenant.pk if tenant else None):
        # Does not say which one: that would tell a stranger about another organisation.
        raise InvalidInput(f"{person.email} belongs to somebody who is in another organisation.", field="email")
    if membership.removed:
        why = "was removed, and Cognito still has their user. Add them again once the worker has deleted it."
        raise InvalidInput(f"{person.email} {why}", field="email")
    where = f"a member of {tenant}" if tenant else "an operator"
    raise InvalidInput(f"{person.email} is {where} already.", field="email")


def _removed(member: Member) -> NotNow:
    return NotNow(f"{member.person} has been removed already. Nothing was changed.")
