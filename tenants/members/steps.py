"""The steps of a member's life, each with what it says and the use case of `roster` that does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from django.conf import settings

from tenants.domain.actor import Actor
from tenants.domain.dates import formatted
from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.permissions import MemberAction
from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.domain.steps import WHY, WHY_OPTIONAL, Choices, Field, Step, Typed, refusal_of, with_reason
from tenants.members import recovery, roster
from tenants.members.addresses import address
from tenants.members.in_cognito import (
    NOT_CREATED_YET,
    has_drifted,
    in_cognito,
    is_locked,
    is_not_created_yet,
    no_worker,
)
from tenants.members.rights import may, may_in
from tenants.models import Member, Provisioning, Tenant

_DOOR = "From their next request on, the portal does not let them in."
_CREDENTIALS = "AWS credentials already issued to them work until they expire, for up to an hour."


def _role_choices() -> Choices:
    return tuple((role.value, f"{role.capitalize()}: {role.in_words}") for role in IN_AN_ORGANISATION)


_ROLE = Field("role", "Role", widget="choice", choices=_role_choices)


def _with_worker(*sentences: str) -> tuple[str, ...]:
    return (*sentences, *filter(None, [no_worker()]))


def _prevented(member: Member) -> str:
    if member.removed:
        return f"{member.person} has been removed already."
    tenant = member.tenant
    return "" if tenant is None else refusal_of(lambda: roster.check_may_change(tenant))


def _only_owner(member: Member, **should_be: bool | str) -> str:
    return refusal_of(lambda: roster.check_owner_remains(member, should_be))


def _where(member: Member) -> str:
    return f"of {member.tenant}" if member.tenant else "of the platform"


def _says(sentence: str) -> Callable[[Member], str]:
    return lambda member: f"{member.person} {sentence}"


def _add(tenant: Tenant | None, typed: Typed, by: Actor) -> Member:
    return roster.add_member(
        tenant=tenant,
        email=typed["email"],
        name=typed["name"],
        role=typed["role"],
        language=typed.get("language", "en"),
        mail_invitation=not typed.get("no_mail"),
        why=typed["reason"],
        by=by,
    )


def _adding_expects(tenant: Tenant | None, typed: Typed) -> Sequence[str]:
    if is_locked(tenant):
        return (f"Cognito gets no user, and nobody is mailed, until members of {tenant} may sign in.",)
    mailed = "nobody is mailed" if typed.get("no_mail") else "Cognito mails the invitation"
    return _with_worker(f"The worker creates their user in Cognito, usually within seconds, and {mailed}.")


def _after_adding(member: Member) -> Sequence[str]:
    added = f"{member.person} becomes {member.role} {_where(member)}."
    return (added,) if is_not_created_yet(member) else (added, in_cognito(member))


def _added(member: Member) -> str:
    follows = NOT_CREATED_YET if is_not_created_yet(member) else "The worker creates their user in Cognito."
    return f"{member.person} is {member.role} {_where(member)} now. {follows}"


def _adding_prevented(tenant: Tenant | None) -> str:
    return "" if tenant is None else refusal_of(lambda: roster.check_may_change(tenant))


ADD = Step(
    name="add",
    verb="Add a member",
    help="invite somebody into a tenant, or make an operator",
    heading=lambda tenant: f"Add a member to {tenant}",
    fields=(
        Field("email", "E-mail address", "For the invitation, and for signing in.", widget="email"),
        Field("name", "Name", optional=True),
        _ROLE,
        WHY_OPTIONAL,
    ),
    values=lambda _: {"role": Role.VIEWER},
    expects=_adding_expects,
    then=_after_adding,
    prevented=_adding_prevented,
    does=_add,
    done=_added,
    allowed=may_in(MemberAction.INVITE),
)


def _role_prevented(member: Member) -> str:
    if member.tenant_id is None:
        return "Operators have no role in an organisation."
    return _prevented(member) or _only_owner(member, role="another")


ROLE = Step(
    name="role",
    verb="Change role",
    help="another role in the same tenant",
    heading=lambda member: f"Change the role of {member.person}",
    fields=(_ROLE, WHY_OPTIONAL),
    values=lambda member: {"role": member.role},
    expects=lambda _member, _typed: _with_worker(
        "Until Cognito has the new role too, the portal does not let them in.",
        "The worker usually sets it in Cognito within seconds. Their next page is opened with the new role.",
        "From then on the portal calls AWS for them with the new role only, and never with the old one.",
        "AWS credentials already issued to them carry the old role until they expire, for up to an hour.",
    ),
    then=lambda member: (in_cognito(member),),
    prevented=_role_prevented,
    does=lambda member, typed, by: roster.set_role(member, typed["role"], why=typed["reason"], by=by),
    done=lambda member: f"{member.person} is {member.role} now. The worker sets it in Cognito.",
    allowed=may(MemberAction.SET_ROLE),
)


def _disabling_prevented(member: Member) -> str:
    already = "" if member.enabled else f"{member.person} is disabled already."
    return _prevented(member) or already or _only_owner(member, enabled=False)


DISABLE = Step(
    name="disable",
    verb="Disable",
    help="lock them out, and keep them in the tenant",
    heading=lambda member: f"Disable {member.person}",
    expects=lambda member, _: _with_worker(
        _DOOR,
        in_cognito(member, enabled=False, sign_out=True),
        _CREDENTIALS,
        "They stay a member, and can be enabled again.",
    ),
    prevented=_disabling_prevented,
    does=with_reason(roster.disable),
    done=_says("is locked out of the portal. The worker disables them in Cognito."),
    allowed=may(MemberAction.DISABLE),
    grave=True,
)


def _enabling_prevented(member: Member) -> str:
    return _prevented(member) or (f"{member.person} is enabled already." if member.enabled else "")


def _enabling_expects(member: Member, _: Typed) -> Sequence[str]:
    if is_locked(member.tenant):
        return (_can_sign_in_once(member),)
    return _with_worker(in_cognito(member, enabled=True, sign_out=False), _can_sign_in_once(member))


def _can_sign_in_once(member: Member) -> str:
    if is_locked(member.tenant):
        return f"They can sign in once members of {member.tenant} may."
    return "They can sign in again once the worker has enabled them in Cognito."


ENABLE = Step(
    name="enable",
    verb="Enable",
    help="let them in again",
    heading=lambda member: f"Enable {member.person}",
    expects=_enabling_expects,
    prevented=_enabling_prevented,
    does=with_reason(roster.enable),
    done=lambda member: f"{member.person} is enabled. {_can_sign_in_once(member)}",
    allowed=may(MemberAction.ENABLE),
)


def _removing_prevented(member: Member) -> str:
    return _prevented(member) or _only_owner(member, removed=True)


REMOVE = Step(
    name="remove",
    verb="Remove",
    help="out of the tenant; their user in Cognito is deleted",
    heading=lambda member: f"Remove {member.person}",
    expects=lambda member, _: _with_worker(
        _DOOR,
        in_cognito(member, removed=True, sign_out=True),
        _CREDENTIALS,
        "To come back they need a new invitation.",
        "Records they wrote stay with the tenant.",
    ),
    prevented=_removing_prevented,
    does=with_reason(roster.remove),
    done=_says("was removed. The worker deletes their user in Cognito."),
    allowed=may(MemberAction.REMOVE),
    grave=True,
)


def _revoking_prevented(member: Member) -> str:
    signed_in = refusal_of(lambda: roster.check_never_signed_in(member))
    return _prevented(member) or signed_in or _only_owner(member, removed=True)


REVOKE = Step(
    name="revoke",
    verb="Revoke invitation",
    help="take back the invitation of somebody who never signed in",
    heading=lambda member: f"Revoke the invitation of {member.person}",
    expects=lambda member, _: _with_worker(
        "The temporary password in the invitation stops working once their user is deleted.",
        in_cognito(member, removed=True, sign_out=True),
        "Nobody is mailed. They can be invited again.",
    ),
    prevented=_revoking_prevented,
    does=with_reason(roster.revoke),
    done=_says("is not invited any more. The worker deletes their user in Cognito."),
    allowed=may(MemberAction.REVOKE),
    grave=True,
)


def _resending_prevented(member: Member) -> str:
    return _prevented(member) or refusal_of(lambda: roster.check_may_resend(member))


RESEND = Step(
    name="resend",
    verb="Send invitation again",
    help="mail the invitation again to somebody who never signed in",
    heading=lambda member: f"Send {member.person} the invitation again",
    expects=lambda member, _: _with_worker(
        f"The worker has Cognito mail {member.person} a new temporary password, usually within seconds.",
        "A temporary password that they have from before stops working.",
    ),
    prevented=_resending_prevented,
    does=with_reason(roster.resend),
    done=_says("is sent the invitation again, usually within seconds."),
    allowed=may(MemberAction.RESEND),
)


def _leaving_prevented(member: Member) -> str:
    return _prevented(member) or _only_owner(member, removed=True)


LEAVE = Step(
    name="leave",
    verb="Leave",
    help="end one’s own membership",
    heading=lambda member: f"Leave {member.tenant}",
    fields=(),
    expects=lambda member, _: _with_worker(
        "From your next request on, the portal does not let you in.",
        "Your user in Cognito is deleted, so you cannot sign in any more.",
        "AWS credentials already issued to you work until they expire, for up to an hour.",
        f"To come back, somebody at {member.tenant} has to invite you again.",
        "Records that you wrote stay with the organisation.",
    ),
    prevented=_leaving_prevented,
    does=lambda member, typed, by: roster.leave(member, why=typed.get("reason", ""), by=by),
    done=lambda member: f"You have left {member.tenant}.",
    allowed=may(MemberAction.LEAVE),
    grave=True,
)


def _transfer(member: Member, typed: Typed, by: Actor) -> Member:
    email = address(typed["to"])
    members = Member.objects.select_related("person", "tenant").filter(tenant=member.tenant, removed=False)
    to = members.filter(person__email=email).first()
    if to is None:
        raise InvalidInput(f"{email} is not a member of {member.tenant}.", field="to")
    return roster.transfer(member, to=to, why=typed["reason"], by=by)


def _transferring_prevented(member: Member) -> str:
    return _prevented(member) or ("" if member.role == Role.OWNER else f"{member.person} is not an owner.")


TRANSFER = Step(
    name="transfer",
    verb="Transfer ownership",
    help="make another member owner in one’s own place, and become an admin",
    heading=lambda member: f"Transfer {member.person}’s ownership of {member.tenant}",
    fields=(
        Field("to", "E-mail address of the new owner", "A member who has signed in before.", widget="email"),
        WHY_OPTIONAL,
    ),
    expects=lambda member, _: _with_worker(
        f"The other member becomes an owner, and {member.person} an admin. Both are changed at once, or neither.",
        "Until Cognito has the new roles too, the portal lets neither of them in. That usually takes seconds.",
        "Only an owner can undo this.",
    ),
    prevented=_transferring_prevented,
    does=_transfer,
    done=_says("is an admin now, and no longer an owner."),
    allowed=may(MemberAction.TRANSFER),
    grave=True,
)


def _try_now(member: Member, typed: Typed, by: Actor) -> Member:
    roster.try_now(member, why=typed.get("reason", ""), by=by)
    return member


def _trying_prevented(member: Member) -> str:
    if member.provisioning != Provisioning.SETTLED or has_drifted(member):
        return ""
    return f"{member.person} is settled: Cognito already matches."


TRY_NOW = Step(
    name="try-now",
    verb="Try now",
    help="have the worker try again now, however often it failed",
    heading=lambda member: f"Try {member.person} again now",
    fields=(),
    allowed=may(MemberAction.TRY_NOW),
    expects=lambda _member, _typed: _with_worker(
        "The worker compares them with Cognito again in its next round, however often that failed before.",
        "If the problem is still there, the worker reports it again.",
    ),
    prevented=_trying_prevented,
    does=_try_now,
    done=_says("is next in line. Look again in a few seconds."),
)


def _recover(tenant: Tenant, typed: Typed, by: Actor) -> Tenant:
    recovery.ask(
        tenant, email=typed["email"], name=typed["name"], why=typed["reason"], by=by, at_once=bool(typed.get("now"))
    )
    return Tenant.objects.get(pk=tenant.pk)


def _recovering_prevented(tenant: Tenant) -> str:
    closed = refusal_of(lambda: roster.check_may_change(tenant))
    if closed or not recovery.owner_has_signed_in(tenant):
        return closed
    return refusal_of(lambda: recovery.check_may_ask(tenant))


def _recovery_expects(tenant: Tenant, typed: Typed) -> Sequence[str]:
    if not recovery.owner_has_signed_in(tenant):
        owners = Member.objects.filter(tenant=tenant, role=Role.OWNER, removed=False).select_related("person")
        names = ", ".join(str(owner.person) for owner in owners.order_by("pk"))
        return _with_worker(
            f"No owner of {tenant} has signed in, so the owner is replaced at once.",
            "The worker creates the new owner in Cognito, and Cognito mails the invitation.",
            f"The owner until now is removed: {names or 'nobody'}. Their invitation stops working.",
        )
    if typed.get("now"):
        return _with_worker(
            "They become an owner at once. Nobody can stop it.",
            f"Owners of {tenant} who have signed in are told by mail that a terminal did this.",
        )
    return _with_worker(
        f"Every owner and admin of {tenant} is told by mail and on their pages, with your reason.",
        f"For {settings.OWNER_RECOVERY_HOURS} hours each of them can stop it, also without signing in.",
        "If nobody does, this person becomes an owner then: a member is raised, anybody else is invited.",
        f"It ends without an owner if {tenant} is suspended or closed meanwhile, or if operators disable, remove or "
        "demote an owner.",
    )


def _recovery_done(tenant: Tenant) -> str:
    waiting = recovery.open_recovery(tenant)
    if waiting is not None:
        return f"{waiting.email} becomes an owner of {tenant} after {formatted(waiting.due_at)}, unless it is stopped."
    return f"{tenant} has the new owner. The worker makes Cognito match."


RECOVER_OWNER = Step(
    name="recover-owner",
    verb="Recover owner",
    help="make somebody owner of a tenant whose owners cannot act; they and its admins can stop it",
    heading=lambda tenant: f"Recover an owner of {tenant}",
    fields=(
        Field("email", "E-mail address of the new owner", widget="email"),
        Field("name", "Name", optional=True),
        replace(WHY, hint="Its owners and admins read it, and it is kept in the audit trail."),
    ),
    expects=_recovery_expects,
    prevented=_recovering_prevented,
    does=_recover,
    done=_recovery_done,
    allowed=may_in(MemberAction.RECOVER_OWNER),
    grave=True,
)


def _cancel(tenant: Tenant, typed: Typed, by: Actor) -> Tenant:
    waiting = recovery.open_recovery(tenant)
    if waiting is None:
        raise NotNow(_cancelling_prevented(tenant))
    recovery.cancel(waiting, why=typed["reason"], by=by)
    return Tenant.objects.get(pk=tenant.pk)


def _cancelling_prevented(tenant: Tenant) -> str:
    return "" if recovery.open_recovery(tenant) else f"No owner recovery of {tenant} waits."


CANCEL_RECOVERY = Step(
    name="cancel-recovery",
    verb="Cancel owner recovery",
    help="take back an owner recovery that waits",
    heading=lambda tenant: f"Cancel the owner recovery of {tenant}",
    expects=lambda tenant, _: (f"Nobody becomes an owner of {tenant}, and its owners and admins are told by mail.",),
    prevented=_cancelling_prevented,
    does=_cancel,
    done=lambda tenant: f"The owner recovery of {tenant} was cancelled.",
    allowed=may_in(MemberAction.RECOVER_OWNER),
)
# What operators do with a member, and what an organisation's own people do.
MEMBER_STEPS = (TRY_NOW, ROLE, ENABLE, RESEND, DISABLE, REVOKE, REMOVE)
OWN_MEMBER_STEPS = (ROLE, ENABLE, RESEND, TRANSFER, DISABLE, REVOKE, REMOVE)
