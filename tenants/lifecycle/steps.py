"""The steps of a tenant's life, each with what it says and the use case that does it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.utils.timezone import localtime

from tenants.domain import texts
from tenants.domain.actor import Actor
from tenants.domain.dates import formatted
from tenants.domain.steps import (
    WHY,
    WHY_OPTIONAL,
    Choices,
    Field,
    Step,
    Typed,
    refusal_of,
    signed_in_operators_may,
    with_reason,
)
from tenants.domain.tenant_state import MOST_GRACE_DAYS, TenantState, in_words
from tenants.lifecycle import details, transitions
from tenants.lifecycle.metadata import fingerprint
from tenants.lifecycle.preview import preview, preview_closing
from tenants.members import steps as member_steps
from tenants.members.addresses import address
from tenants.members.allowed_domains import as_lines, read_domains, readable
from tenants.members.in_cognito import no_worker
from tenants.members.made_before import tenant_made_before
from tenants.members.roster import owners
from tenants.models import Closing, Suspension, Tenant

_CHANGEABLE = tuple(state for state in TenantState if state.may_be_changed)


def plan_choices() -> Choices:
    return tuple((plan, plan) for plan in settings.TENANT_PLANS)


NAME_FIELD = Field(
    "name", "Name", "As its members see it. Up to 120 characters.", check=partial(texts.display_name, field="name")
)
SLUG_FIELD = Field("slug", "Short name", "Small letters from a to z, digits and single hyphens.", check=texts.slug)
CONTACT_FIELD = Field(
    "contact",
    "Contact",
    "An e-mail address at which the operators reach the organisation.",
    widget="email",
    check=address,
    optional=True,
    autocomplete="email",
)
DOMAINS_FIELD = Field(
    "invitation_domains",
    "E-mail domains for invitations",
    "One a line, such as example.com. Left empty, addresses of any domain can be invited. Only exactly these domains "
    "count: example.com does not include mail.example.com.",
    widget="lines",
    check=read_domains,
    optional=True,
)
_PLAN = Field("plan", "Plan", widget="choice", choices=plan_choices, check=details.checked_plan)
_METADATA = Field(
    "metadata",
    "Metadata",
    "A JSON object, for the platform’s own notes. No secrets: operators see it, the organisation sees keys that the "
    "schema marks for it, and the audit trail keeps it.",
    widget="code",
    check=details.checked_metadata,
)


def _locked_out_follows(tenant: Tenant) -> str:
    """What is not done yet, as it is now: of a suspended tenant that is closed both may be done."""
    standing = Suspension.objects.filter(tenant=tenant, lifted_at=None).first()
    if standing is None:
        return ""
    cognito = "" if standing.signed_out_at else "disabling and signing out its members in Cognito"
    credentials = "" if standing.denied_at else "having AWS refuse the credentials they hold"
    left = " and ".join(filter(None, [cognito, credentials]))
    return f"Not done yet: {left}. {no_worker() or 'The worker does this next.'}" if left else ""


def _let_in_follows() -> str:
    return f"Not done yet: enabling its members in Cognito. {no_worker() or 'The worker does this next.'}"


def _expects(step: str) -> Callable[[Tenant, Typed], Sequence[str]]:
    return lambda tenant, _: preview(tenant, step)


def _only_in(*states: TenantState) -> Callable[[Tenant], str]:
    def prevented(tenant: Tenant) -> str:
        return "" if tenant.state in states else f"{tenant} {in_words(tenant.state)}, so this cannot be done now."

    return prevented


def _create(_: None, typed: Typed, by: Actor) -> Tenant:
    return transitions.create_tenant(
        name=typed["name"],
        owner_email=typed["email"],
        owner_name=typed["owner_name"],
        slug=typed["slug"],
        plan=typed["plan"],
        metadata=typed["metadata"],
        mail_invitation=not typed.get("no_mail"),
        why=typed.get("reason", ""),
        by=by,
    )


def _creating_expects(_: None, typed: Typed) -> Sequence[str]:
    mailed = "Nobody is mailed." if typed.get("no_mail") else "Cognito mails the invitation."
    return (
        "The tenant gets an org id of its own, for good.",
        f"The worker creates its owner in Cognito, usually within seconds. {mailed}",
        "The tenant becomes active once Cognito has its owner.",
        *filter(None, [no_worker()]),
    )


def _created(tenant: Tenant) -> str:
    return (
        f"{tenant} was created, with the short name {tenant.slug} and the org id {tenant.org_id}. It is pending. "
        f"It becomes active once Cognito has its owner. {no_worker()}".strip()
    )


CREATE = Step(
    name="create",
    verb="Create a tenant",
    help="a new tenant with its first owner",
    heading=lambda _: "Create a tenant",
    fields=(
        NAME_FIELD,
        Field("email", "Owner’s e-mail address", "Cognito sends the invitation there.", widget="email", check=address),
        replace(member_steps.PERSON_FIELD, name="owner_name", label="Owner’s name"),
        replace(SLUG_FIELD, hint="Made from the name if you leave it empty.", optional=True),
        replace(_PLAN, optional=True),
        replace(_METADATA, optional=True),
    ),
    values=lambda _: {"plan": settings.TENANT_PLANS[0]},
    expects=_creating_expects,
    then=lambda it: (f"{it} begins as pending, with the short name {it.slug} and the plan {it.plan}.",),
    does=_create,
    done=_created,
    made_before=tenant_made_before,
    allowed=signed_in_operators_may,
)


def _change_of(field: Field, use_case: Callable[..., Tenant], **about: Any) -> Step:
    """A step that changes one property of a tenant, which the field and the use case's argument are called after."""
    return Step(
        fields=(field, WHY_OPTIONAL),
        values=lambda tenant: {field.name: getattr(tenant, field.name)},
        expects=_expects(about["name"]),
        prevented=_only_in(*_CHANGEABLE),
        does=lambda tenant, typed, by: use_case(tenant, **{field.name: typed[field.name]}, why=typed["reason"], by=by),
        **about,
    )


RENAME = _change_of(
    NAME_FIELD,
    details.rename,
    name="rename",
    verb="Rename",
    help="another name",
    heading=lambda tenant: f"Rename {tenant}",
    done=lambda tenant: f"The name is {tenant} now.",
)
SLUG = _change_of(
    SLUG_FIELD,
    details.change_slug,
    name="slug",
    verb="Change short name",
    help="another short name",
    heading=lambda tenant: f"Change the short name of {tenant}",
    done=lambda tenant: f"The short name of {tenant} is {tenant.slug} now.",
)
PLAN = _change_of(
    _PLAN,
    details.change_plan,
    name="plan",
    verb="Change plan",
    help="another plan",
    heading=lambda tenant: f"Change the plan of {tenant}",
    done=lambda tenant: f"{tenant} is on the plan {tenant.plan} now.",
)


CONTACT = _change_of(
    CONTACT_FIELD,
    details.change_contact,
    name="contact",
    verb="Change contact",
    help="another e-mail address of the organisation, or none",
    heading=lambda tenant: f"Change the contact of {tenant}",
    done=lambda tenant: f"The contact of {tenant} is {tenant.contact or 'not set'} now.",
)


def _change_domains(tenant: Tenant, typed: Typed, by: Actor) -> Tenant:
    return details.change_invitation_domains(tenant, domains=typed["invitation_domains"], why=typed["reason"], by=by)


def _domains_now(tenant: Tenant) -> str:
    domains = ", ".join(map(readable, tenant.invitation_domains))
    return f"{tenant} invites only addresses at {domains}." if domains else f"{tenant} invites addresses of any domain."


DOMAINS = Step(
    name="domains",
    verb="Change e-mail domains",
    help="the e-mail domains of the people it may invite",
    heading=lambda tenant: f"Change the e-mail domains for invitations of {tenant}",
    fields=(DOMAINS_FIELD, WHY_OPTIONAL),
    values=lambda tenant: {"invitation_domains": as_lines(tenant.invitation_domains)},
    expects=_expects("domains"),
    prevented=_only_in(*_CHANGEABLE),
    does=_change_domains,
    done=_domains_now,
)


def _change_metadata(tenant: Tenant, typed: Typed, by: Actor) -> Tenant:
    over = typed.get("over")
    return details.change_metadata(tenant, metadata=typed["metadata"], over=over, why=typed["reason"], by=by)


def _as_json(metadata: Mapping[str, Any]) -> str:
    return json.dumps(metadata, indent=2, ensure_ascii=False) if metadata else "{}"


METADATA = Step(
    name="metadata",
    verb="Change metadata",
    help="other metadata, in place of what is there",
    heading=lambda tenant: f"Change the metadata of {tenant}",
    fields=(_METADATA, Field("over", "", widget="hidden"), WHY_OPTIONAL),
    values=lambda tenant: {"metadata": _as_json(tenant.metadata), "over": fingerprint(tenant.metadata)},
    expects=_expects("metadata"),
    prevented=_only_in(*_CHANGEABLE),
    does=_change_metadata,
    done=lambda tenant: f"The metadata of {tenant} is as you wrote it.",
)


def _activation_prevented(tenant: Tenant) -> str:
    without_owner = "" if owners(tenant).exists() else f"{tenant} has no owner yet. Add one first."
    return _only_in(TenantState.PENDING)(tenant) or without_owner


ACTIVATE = Step(
    name="activate",
    verb="Activate",
    help="by hand what happens by itself once Cognito has the first owner",
    heading=lambda tenant: f"Activate {tenant}",
    expects=_expects("activate"),
    prevented=_activation_prevented,
    does=with_reason(transitions.activate),
    allowed=signed_in_operators_may,
    done=lambda tenant: f"{tenant} is active. Its members can work from now on.",
)
SUSPEND = Step(
    name="suspend",
    verb="Suspend",
    help="lock its members out of the portal, Cognito and AWS",
    heading=lambda tenant: f"Suspend {tenant}",
    fields=(WHY,),
    expects=_expects("suspend"),
    prevented=_only_in(TenantState.ACTIVE),
    does=with_reason(transitions.suspend),
    done=lambda tenant: f"{tenant} is suspended: the portal lets none of its members in. {_locked_out_follows(tenant)}",
    grave=True,
    confirm=lambda tenant: str(tenant.slug),
)
REACTIVATE = Step(
    name="reactivate",
    verb="Reactivate",
    help="end a suspension",
    heading=lambda tenant: f"Reactivate {tenant}",
    expects=_expects("reactivate"),
    prevented=_only_in(TenantState.SUSPENDED),
    does=with_reason(transitions.reactivate),
    done=lambda tenant: f"{tenant} is active again in the portal. {_let_in_follows()}",
)


def _close(tenant: Tenant, typed: Typed, by: Actor) -> Tenant:
    days = typed.get("grace_days")
    # A number too large for timedelta is refused like one that is a day too long.
    grace = None if days is None else timedelta(days=min(days, MOST_GRACE_DAYS + 1))
    return transitions.close(tenant, grace=grace, why=typed["reason"], by=by)


def _is_being_closed(tenant: Tenant) -> str:
    if tenant.purge_after is None:
        raise TypeError("a tenant that is being closed has a grace period")
    until = formatted(localtime(tenant.purge_after))
    begun = f"{tenant} is being closed: the portal lets none of its members in. It can be reopened until {until}."
    return f"{begun} {_locked_out_follows(tenant)}".strip()


CLOSE = Step(
    name="close",
    verb="Close",
    help="lock its members out, and delete its records after a grace period",
    heading=lambda tenant: f"Close {tenant}",
    fields=(WHY,),
    expects=lambda tenant, typed: preview_closing(tenant, grace_days=typed.get("grace_days")),
    prevented=_only_in(*_CHANGEABLE),
    does=_close,
    done=_is_being_closed,
    grave=True,
    confirm=lambda tenant: str(tenant.slug),
)


def _reopening_prevented(tenant: Tenant) -> str:
    if tenant.state != TenantState.CLOSING:
        return _only_in(TenantState.CLOSING)(tenant)
    closing = Closing.objects.filter(tenant=tenant, ended_at=None).first()
    return refusal_of(lambda: transitions.check_may_reopen(tenant, closing))


def _reopened(tenant: Tenant) -> str:
    follows = "" if tenant.state == TenantState.SUSPENDED else _let_in_follows()
    return f"{tenant} was reopened and {in_words(tenant.state)} again. {follows}".strip()


REOPEN = Step(
    name="reopen",
    verb="Reopen",
    help="take a closing back, within the grace period",
    heading=lambda tenant: f"Reopen {tenant}",
    expects=_expects("reopen"),
    prevented=_reopening_prevented,
    does=with_reason(transitions.reopen),
    done=_reopened,
)
# Of the tenant's page; a terminal has it as `member add`.
ADD_MEMBER = replace(member_steps.ADD, name="add-member")
TENANT_STEPS = (
    ACTIVATE, RENAME, SLUG, PLAN, METADATA, CONTACT, DOMAINS, ADD_MEMBER, member_steps.RECOVER_OWNER,
    member_steps.CANCEL_RECOVERY, REACTIVATE, REOPEN, SUSPEND, CLOSE,
)  # fmt: skip
