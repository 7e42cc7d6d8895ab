"""What an operator can have done to a member: the use cases of `tenants.members.roster`, as steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.urls import reverse

from tenants.domain.actor import Actor
from tenants.domain.roles import IN_AN_ORGANISATION
from tenants.domain.tenant_state import MAY_SIGN_IN
from tenants.lifecycle.no_worker import no_worker
from tenants.members import roster
from tenants.models import Member, Provisioning
from tenants.operators.member_rows import drifted
from tenants.pages.step_pages import Field, Step, Typed, prevented_by, why_field


def _prevented(member: Member) -> str:
    if member.removed:
        return f"{member.person} has been removed already."
    tenant = member.tenant
    return "" if tenant is None else prevented_by(lambda: roster.check_may_change(tenant))


def _only_owner(member: Member, **should_be: bool | str) -> str:
    return prevented_by(lambda: roster.check_owner_remains(member, should_be))


def _role_prevented(member: Member) -> str:
    if member.tenant_id is None:
        return "Operators have no role in an organisation."
    return _prevented(member) or _only_owner(member, role="another")


def _disabling_prevented(member: Member) -> str:
    already = "" if member.enabled else f"{member.person} is disabled already."
    return _prevented(member) or already or _only_owner(member, enabled=False)


def _enabling_prevented(member: Member) -> str:
    return _prevented(member) or (f"{member.person} is enabled already." if member.enabled else "")


def _removing_prevented(member: Member) -> str:
    return _prevented(member) or _only_owner(member, removed=True)


def _set_role(member: Member, typed: Typed, by: Actor) -> Member:
    return roster.set_role(member, typed["role"], why=typed["reason"], by=by)


def role_field(role: str) -> Field:
    return Field(
        "role",
        "Role",
        kind="choice",
        choices=tuple((role.value, f"{role.capitalize()}: {role.in_words}") for role in IN_AN_ORGANISATION),
        value=role,
    )


def _why(_: Any) -> Sequence[Field]:
    return (why_field(optional=True),)


def _expects(*sentences: str) -> Callable[[Member], Sequence[str]]:
    return lambda _: (*sentences, *filter(None, [no_worker()]))


_SOON = "They can sign in again once Cognito has been told."


def waits_for_tenant(member: Member) -> str:
    """ "" where they do not."""
    frozen = member.tenant is not None and member.tenant.state not in MAY_SIGN_IN
    return f"They can sign in once {member.tenant} works again." if frozen else ""


def _expects_of_enabling(member: Member) -> Sequence[str]:
    if waits := waits_for_tenant(member):
        return (waits,)
    return _expects("The worker enables them in Cognito, usually within seconds. Then they can sign in again.")(member)


def _says(sentence: str) -> Callable[[Member], str]:
    return lambda member: f"{member.person} {sentence}"


ROLE = Step(
    name="role",
    verb="Change role",
    heading=lambda member: f"Change the role of {member.person}",
    fields=lambda member: (
        role_field(member.role),
        why_field(optional=True),
    ),
    expects=_expects(
        "Until Cognito has the new role too, the portal does not let them in: it opens only where both agree.",
        "The worker sets it in Cognito, usually within seconds. Their next page is opened with it.",
    ),
    prevented=_role_prevented,
    does=_set_role,
    done=lambda member: f"{member.person} is {member.role} now, as soon as Cognito has it.",
)
DISABLE = Step(
    name="disable",
    verb="Disable",
    heading=lambda member: f"Disable {member.person}",
    fields=_why,
    expects=_expects(
        "The portal lets them in no longer, from their next request on.",
        "The worker disables them in Cognito and signs them out, usually within seconds.",
        "AWS credentials that they hold already go on working until they run out, an hour at the most.",
        "They stay a member, and can be enabled again.",
    ),
    prevented=_disabling_prevented,
    does=lambda member, typed, by: roster.disable(member, why=typed["reason"], by=by),
    done=_says("is locked out of the portal. Cognito follows."),
    grave=True,
)
ENABLE = Step(
    name="enable",
    verb="Enable",
    heading=lambda member: f"Enable {member.person}",
    fields=_why,
    expects=_expects_of_enabling,
    prevented=_enabling_prevented,
    does=lambda member, typed, by: roster.enable(member, why=typed["reason"], by=by),
    done=lambda member: f"{member.person} is enabled. {waits_for_tenant(member) or _SOON}",
)
REMOVE = Step(
    name="remove",
    verb="Remove",
    heading=lambda member: f"Remove {member.person}",
    fields=_why,
    expects=_expects(
        "The portal lets them in no longer, from their next request on.",
        "The worker deletes their user in Cognito. To have them back they need a new invitation.",
        "AWS credentials that they hold already go on working until they run out, an hour at the most.",
        "Records they wrote stay with the tenant.",
    ),
    prevented=_removing_prevented,
    does=lambda member, typed, by: roster.remove(member, why=typed["reason"], by=by),
    done=_says("was removed. Their user in Cognito is deleted next."),
    grave=True,
)


def _try_now(member: Member, _: Typed, by: Actor) -> None:
    roster.try_now(member, by=by)


TRY_NOW = Step(
    name="try-now",
    verb="Try now",
    heading=lambda member: f"Try {member.person} again now",
    expects=_expects(
        "The worker compares them with Cognito again in its next round, however often that failed before.",
        "If what was in the way is still there, it will say so again.",
    ),
    prevented=lambda member: (
        "" if member.provisioning != Provisioning.SETTLED or drifted(member) else "Cognito agrees already."
    ),
    does=_try_now,
    done=_says("is next in line. Look again in a few seconds."),
)
MEMBER_STEPS = (TRY_NOW, ROLE, ENABLE, DISABLE, REMOVE)


def possible_steps(member: Member) -> list[tuple[Step, str]]:
    steps = [step for step in MEMBER_STEPS if not step.prevented(member)]
    return [(step, reverse(f"operators:member_{step.name}", args=[member.pk])) for step in steps]
