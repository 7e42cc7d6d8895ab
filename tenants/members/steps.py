"""The steps of a member's life, each with what it says and the use case of `roster` that does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenants.domain.actor import Actor
from tenants.domain.permissions import MemberAction
from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.domain.steps import WHY_OPTIONAL, Choices, Field, Step, Typed, refusal_of, with_reason
from tenants.members import roster
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
MEMBER_STEPS = (TRY_NOW, ROLE, ENABLE, DISABLE, REMOVE)
