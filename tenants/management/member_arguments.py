"""What `manage.py member` can have done to a member: the use cases of `tenants.members.roster`, as steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tenants.domain.actor import Actor
from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.domain.user_plan import Conflict
from tenants.management.lookup import member_called, tenant_called
from tenants.management.output import member_facts
from tenants.management.step_commands import Kind, Options, Step, argument
from tenants.members import roster
from tenants.models import Member, Tenant

_EMAIL = argument("email")
_WHERE = argument("--tenant", metavar="SLUG|ORG_ID", help="in which one, for somebody who is in several")
_ROLES = [str(role) for role in IN_AN_ORGANISATION]


_NOBODY_YET = "Nobody is made in Cognito, and nobody is mailed, before they may sign in."


def _tenant(typed: Options) -> Tenant | None:
    return tenant_called(typed["tenant"]) if typed["tenant"] else None


def _find(typed: Options) -> Member | None:
    """Nobody yet, for somebody to be added."""
    return None if typed["step"] == "add" else member_called(typed["email"], tenant=_tenant(typed))


def _add(_: None, typed: Options, by: Actor) -> Member:
    return roster.add_member(
        tenant=_tenant(typed),
        email=typed["email"],
        name=typed["name"],
        role=typed["role"],
        language=typed["language"],
        mail_invitation=not typed["no_mail"],
        why=typed["reason"],
        by=by,
    )


def _try_now(member: Member, typed: Options, by: Actor) -> Member:
    roster.try_now(member, why=typed["reason"], by=by)
    return member


def _in_cognito(member: Member) -> tuple[str, ...]:
    """What the worker would do for the member as they are then, by what it last saw."""
    changes = roster.planned_changes(member)
    if isinstance(changes, Conflict):
        return (f"In Cognito nothing is changed: {changes.why}",)
    if not changes and _is_not_made_yet(member):
        return (_NOBODY_YET,)
    if not changes:
        return ("In Cognito nothing has to be changed, unless somebody changed it there.",)
    return (f"In Cognito the worker would {', then '.join(change.in_words for change in changes)}.",)


def _says(*sentences: str) -> Callable[[Any, Options], tuple[str, ...]]:
    return lambda _member, _typed: sentences


_DOOR = "The portal goes by it from their next request on."

MEMBERS = Kind(find=_find, facts=member_facts)
MEMBER_STEPS: tuple[Step, ...] = (
    Step(
        "add",
        "invite somebody into a tenant, or make an operator",
        does=_add,
        then=lambda member: (f"{member.person} becomes {member.role} {_where(member)}.", *_in_cognito(member)),
        done=lambda member: f"{member.person} is {member.role} {_where(member)}. {_is_made(member)}",
        arguments=(
            _EMAIL,
            argument("--role", required=True, choices=[*_ROLES, str(Role.OPERATOR)]),
            argument("--tenant", metavar="SLUG|ORG_ID", help="left out for an operator, who is in none"),
            argument("--name", default=""),
            argument("--language", default="en", metavar="CODE", help="such as en-gb (%(default)s)"),
            argument("--no-mail", action="store_true", help="Cognito mails no invitation"),
        ),
    ),
    Step(
        "role",
        "another role in the same tenant",
        does=lambda member, typed, by: roster.set_role(member, typed["role"], why=typed["reason"], by=by),
        expects=_says("Until Cognito has the new role too, the portal does not let them in."),
        then=_in_cognito,
        done=lambda member: f"{member.person} is {member.role} now. The worker tells Cognito.",
        arguments=(_EMAIL, argument("role", choices=_ROLES), _WHERE),
    ),
    Step(
        "disable",
        "lock them out, and keep them in the tenant",
        does=lambda member, typed, by: roster.disable(member, why=typed["reason"], by=by),
        expects=_says(_DOOR),
        then=_in_cognito,
        done=lambda member: f"{member.person} is locked out of the portal. The worker tells Cognito.",
        arguments=(_EMAIL, _WHERE),
    ),
    Step(
        "enable",
        "let them in again",
        does=lambda member, typed, by: roster.enable(member, why=typed["reason"], by=by),
        expects=_says(_DOOR),
        then=_in_cognito,
        done=lambda member: f"{member.person} can sign in again once the worker has told Cognito.",
        arguments=(_EMAIL, _WHERE),
    ),
    Step(
        "remove",
        "out of the tenant; their user in Cognito is deleted",
        does=lambda member, typed, by: roster.remove(member, why=typed["reason"], by=by),
        expects=_says(_DOOR, "Records they wrote stay with the tenant."),
        then=_in_cognito,
        done=lambda member: f"{member.person} was removed. The worker deletes their user in Cognito.",
        arguments=(_EMAIL, _WHERE),
    ),
    Step(
        "retry",
        "have the worker try again now, however often it failed",
        does=_try_now,
        expects=_says("The worker looks at their user in Cognito again at its next round."),
        done=lambda member: f"{member.person} is next in line.",
        arguments=(_EMAIL, _WHERE),
    ),
)


def _is_made(member: Member) -> str:
    return _NOBODY_YET if _is_not_made_yet(member) else "The worker makes them in Cognito."


def _is_not_made_yet(member: Member) -> bool:
    wanted = roster.desired_user(member)
    return wanted is not None and not wanted.enabled and member.seen is None


def _where(member: Member) -> str:
    return f"of {member.tenant}" if member.tenant else "of the platform"
