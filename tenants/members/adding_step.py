"""The step that adds a member, with what it says and the use case that does it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tenants.domain import texts
from tenants.domain.actor import Actor
from tenants.domain.permissions import MemberAction
from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.domain.steps import WHY_OPTIONAL, Choices, Field, Step, Typed, refusal_of
from tenants.members import adding, checks
from tenants.members.addresses import address
from tenants.members.allowed_domains import check_may_be_invited
from tenants.members.in_cognito import NOT_CREATED_YET, in_cognito, is_locked, is_not_created_yet, with_worker
from tenants.members.made_before import member_made_before
from tenants.members.rights import may_in
from tenants.models import Member, Tenant


def _role_choices() -> Choices:
    return tuple((role.value, f"{role.capitalize()}: {role.in_words}") for role in IN_AN_ORGANISATION)


ROLE_FIELD = Field("role", "Role", widget="choice", choices=_role_choices, check=adding.known_role)
PERSON_FIELD = Field("name", "Name", check=partial(texts.display_name, field="name"), optional=True)


def _where(member: Member) -> str:
    return f"of {member.tenant}" if member.tenant else "of the platform"


def _add(tenant: Tenant | None, typed: Typed, by: Actor) -> Member:
    check_may_be_invited(tenant, email=typed["email"], by=by)
    return adding.add_member(
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
    return with_worker(f"The worker creates their user in Cognito, usually within seconds, and {mailed}.")


def _after_adding(member: Member) -> Sequence[str]:
    added = f"{member.person} becomes {member.role} {_where(member)}."
    return (added,) if is_not_created_yet(member) else (added, in_cognito(member))


def _added(member: Member) -> str:
    follows = NOT_CREATED_YET if is_not_created_yet(member) else "The worker creates their user in Cognito next."
    return f"{member.person} is {member.role} {_where(member)} now. {follows}"


def _adding_prevented(tenant: Tenant | None) -> str:
    return "" if tenant is None else refusal_of(lambda: checks.check_may_change(tenant))


ADD = Step(
    name="add",
    verb="Add a member",
    help="invite somebody into a tenant, or make an operator",
    heading=lambda tenant: f"Add a member to {tenant}",
    fields=(
        Field("email", "E-mail address", "For the invitation, and for signing in.", widget="email", check=address),
        PERSON_FIELD,
        ROLE_FIELD,
        WHY_OPTIONAL,
    ),
    values=lambda _: {"role": Role.VIEWER},
    expects=_adding_expects,
    then=_after_adding,
    prevented=_adding_prevented,
    does=_add,
    done=_added,
    made_before=member_made_before,
    allowed=may_in(MemberAction.INVITE),
)
