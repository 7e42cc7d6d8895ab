"""What an operator can have done to a tenant: the use cases of `tenants.lifecycle.transitions`, as steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.urls import reverse

from tenants.domain.actor import Actor
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState, in_words
from tenants.lifecycle import details, transitions
from tenants.lifecycle.metadata import fingerprint
from tenants.lifecycle.preview import preview
from tenants.members.roster import add_member, owners
from tenants.models import Closing, Member, Tenant
from tenants.operators.member_steps import role_field, waits_for_tenant
from tenants.pages.step_pages import Field, Step, Typed, prevented_by, why_field

_LIVING = (TenantState.PENDING, TenantState.ACTIVE, TenantState.SUSPENDED)


def _expects(step: str) -> Callable[[Tenant], Sequence[str]]:
    return lambda tenant: preview(tenant, step)


def _only_in(*states: TenantState) -> Callable[[Tenant], str]:
    def prevented(tenant: Tenant) -> str:
        return "" if tenant.state in states else f"{tenant} {in_words(tenant.state)}, so this cannot be done now."

    return prevented


def _activation_prevented(tenant: Tenant) -> str:
    return _only_in(TenantState.PENDING)(tenant) or (
        "" if owners(tenant).exists() else f"{tenant} has no owner yet. Add one first."
    )


def _reopening_prevented(tenant: Tenant) -> str:
    if tenant.state != TenantState.CLOSING:
        return _only_in(TenantState.CLOSING)(tenant)
    closing = Closing.objects.filter(tenant=tenant, ended_at=None).first()
    return prevented_by(lambda: transitions.check_may_reopen(tenant, closing))


def _rename(tenant: Tenant, typed: Typed, by: Actor) -> Tenant:
    return details.rename(tenant, name=typed["name"], why=typed["reason"], by=by)


def _change_slug(tenant: Tenant, typed: Typed, by: Actor) -> Tenant:
    return details.change_slug(tenant, slug=typed["slug"], why=typed["reason"], by=by)


def _change_plan(tenant: Tenant, typed: Typed, by: Actor) -> Tenant:
    return details.change_plan(tenant, plan=typed["plan"], why=typed["reason"], by=by)


def _change_metadata(tenant: Tenant, typed: Typed, by: Actor) -> Tenant:
    return details.change_metadata(tenant, metadata=typed["metadata"], over=typed["over"], why=typed["reason"], by=by)


def _add_member(tenant: Tenant, typed: Typed, by: Actor) -> Member:
    return add_member(
        tenant=tenant,
        email=typed["email"],
        name=typed["name"],
        role=typed["role"],
        why=typed["reason"],
        by=by,
    )


def plan_choices() -> tuple[tuple[str, str], ...]:
    return tuple((plan, plan) for plan in settings.TENANT_PLANS)


def _as_json(metadata: Mapping[str, Any]) -> str:
    return json.dumps(metadata, indent=2, ensure_ascii=False) if metadata else "{}"


def _name_field(name: str = "") -> Field:
    return Field("name", "Name", "As its members see it. Up to 120 characters.", value=name)


def _plan_field(plan: str) -> Field:
    return Field("plan", "Plan", kind="choice", choices=plan_choices(), value=plan)


def _metadata_field(text: str = "", *, optional: bool = False) -> Field:
    hint = "A JSON object, for the platform’s own notes. No secrets: operators see it, and the audit trail keeps it."
    return Field("metadata", "Metadata", hint, kind="code", value=text, optional=optional)


RENAME = Step(
    name="rename",
    verb="Rename",
    heading=lambda tenant: f"Rename {tenant}",
    fields=lambda tenant: (_name_field(tenant.name), why_field(optional=True)),
    expects=_expects("rename"),
    prevented=_only_in(*_LIVING),
    does=_rename,
    done=lambda tenant: f"The name is {tenant} now.",
)
SLUG = Step(
    name="slug",
    verb="Change short name",
    heading=lambda tenant: f"Change the short name of {tenant}",
    fields=lambda tenant: (
        Field("slug", "Short name", "Small letters from a to z, digits and single hyphens.", value=tenant.slug),
        why_field(optional=True),
    ),
    expects=_expects("slug"),
    prevented=_only_in(*_LIVING),
    does=_change_slug,
    done=lambda tenant: f"The short name of {tenant} is {tenant.slug} now.",
)
PLAN = Step(
    name="plan",
    verb="Change plan",
    heading=lambda tenant: f"Change the plan of {tenant}",
    fields=lambda tenant: (_plan_field(tenant.plan), why_field(optional=True)),
    expects=_expects("plan"),
    prevented=_only_in(*_LIVING),
    does=_change_plan,
    done=lambda tenant: f"{tenant} is on the plan {tenant.plan} now.",
)
METADATA = Step(
    name="metadata",
    verb="Change metadata",
    heading=lambda tenant: f"Change the metadata of {tenant}",
    fields=lambda tenant: (
        _metadata_field(_as_json(tenant.metadata)),
        Field("over", "", kind="hidden", value=fingerprint(tenant.metadata)),
        why_field(optional=True),
    ),
    expects=_expects("metadata"),
    prevented=_only_in(*_LIVING),
    does=_change_metadata,
    done=lambda tenant: f"The metadata of {tenant} is as you wrote it.",
)
ACTIVATE = Step(
    name="activate",
    verb="Activate",
    heading=lambda tenant: f"Activate {tenant}",
    fields=lambda _: (why_field(optional=True),),
    expects=_expects("activate"),
    prevented=_activation_prevented,
    does=lambda tenant, typed, by: transitions.activate(tenant, why=typed["reason"], by=by),
    done=lambda tenant: f"{tenant} is active. Its members can work from now on.",
)
SUSPEND = Step(
    name="suspend",
    verb="Suspend",
    heading=lambda tenant: f"Suspend {tenant}",
    fields=lambda _: (why_field(),),
    expects=_expects("suspend"),
    prevented=_only_in(TenantState.ACTIVE),
    does=lambda tenant, typed, by: transitions.suspend(tenant, why=typed["reason"], by=by),
    done=lambda tenant: (
        f"{tenant} is suspended: the portal lets none of its members in from now on. "
        "Cognito and credentials already issued follow; this page says when they have."
    ),
    grave=True,
)
REACTIVATE = Step(
    name="reactivate",
    verb="Reactivate",
    heading=lambda tenant: f"Reactivate {tenant}",
    fields=lambda _: (why_field(optional=True),),
    expects=_expects("reactivate"),
    prevented=_only_in(TenantState.SUSPENDED),
    does=lambda tenant, typed, by: transitions.reactivate(tenant, why=typed["reason"], by=by),
    done=lambda tenant: f"{tenant} is active again. Its members can sign in once Cognito has enabled them.",
)
CLOSE = Step(
    name="close",
    verb="Close",
    heading=lambda tenant: f"Close {tenant}",
    fields=lambda _: (why_field(),),
    expects=_expects("close"),
    prevented=_only_in(*_LIVING),
    does=lambda tenant, typed, by: transitions.close(tenant, why=typed["reason"], by=by),
    done=lambda tenant: (
        f"{tenant} is being closed. It can be reopened until {tenant.purge_after:%-d %B %Y, %H:%M} UTC."
    ),
    grave=True,
)
REOPEN = Step(
    name="reopen",
    verb="Reopen",
    heading=lambda tenant: f"Reopen {tenant}",
    fields=lambda _: (why_field(optional=True),),
    expects=_expects("reopen"),
    prevented=_reopening_prevented,
    does=lambda tenant, typed, by: transitions.reopen(tenant, why=typed["reason"], by=by),
    done=lambda tenant: f"{tenant} was reopened and {in_words(tenant.state)} again.",
)
ADD_MEMBER = Step(
    name="add-member",
    verb="Add a member",
    heading=lambda tenant: f"Add a member to {tenant}",
    fields=lambda _: (
        Field("email", "E-mail address", "For the invitation, and for signing in.", kind="email"),
        Field("name", "Name", optional=True),
        role_field(Role.VIEWER),
        why_field(optional=True),
    ),
    expects=_expects("add-member"),
    prevented=_only_in(*_LIVING),
    does=_add_member,
    done=lambda member: f"{member.person} was added as {member.role}. {waits_for_tenant(member)}".strip(),
)
TENANT_STEPS: tuple[Step, ...] = (
    ACTIVATE,
    RENAME,
    SLUG,
    PLAN,
    METADATA,
    ADD_MEMBER,
    REACTIVATE,
    REOPEN,
    SUSPEND,
    CLOSE,
)


def possible_steps(tenant: Tenant) -> list[tuple[Step, str]]:
    """What can be done to it now, and where."""
    steps = [step for step in TENANT_STEPS if not step.prevented(tenant)]
    return [(step, reverse(f"operators:tenant_{step.name}", args=[tenant.org_id])) for step in steps]


def create_fields() -> Sequence[Field]:
    return (
        _name_field(),
        Field("email", "Owner’s e-mail address", "Cognito sends the invitation there.", kind="email"),
        Field("owner_name", "Owner’s name", optional=True),
        Field("slug", "Short name", "Made from the name if you leave it empty.", optional=True),
        _plan_field(settings.TENANT_PLANS[0]),
        _metadata_field(optional=True),
    )


def create(typed: Typed, by: Actor) -> Tenant:
    """Raises InvalidInput."""
    return transitions.create_tenant(
        name=typed["name"],
        owner_email=typed["email"],
        owner_name=typed["owner_name"],
        slug=typed["slug"],
        plan=typed["plan"],
        metadata=typed["metadata"],
        by=by,
    )
