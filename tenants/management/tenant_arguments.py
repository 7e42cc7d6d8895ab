"""What `manage.py tenant` can have done to a tenant: the use cases of `tenants.lifecycle.transitions`, as steps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from tenants.domain.actor import Actor
from tenants.domain.tenant_state import in_words
from tenants.lifecycle import details, transitions
from tenants.lifecycle.preview import consequences_of_closing, preview
from tenants.management.lookup import tenant_called
from tenants.management.output import tenant_facts
from tenants.management.step_commands import Kind, Options, Step, argument, text_from, whole_number
from tenants.models import Tenant

WAITS_SECONDS = 120
TENANT = argument("tenant", metavar="SLUG|ORG_ID")
_METADATA = "a JSON object; @FILE reads it from a file, - from standard input"
WAIT = (
    argument("--wait", action="store_true", help="until Cognito and AWS have followed"),
    argument(
        "--timeout",
        type=whole_number(0, 86_400),
        default=WAITS_SECONDS,
        metavar="SECONDS",
        help="how long (%(default)s)",
    ),
)


def _create(_: None, typed: Options, by: Actor) -> Tenant:
    return transitions.create_tenant(
        name=typed["name"],
        owner_email=typed["owner"],
        owner_name=typed["owner_name"],
        slug=typed["slug"],
        plan=typed["plan"],
        metadata=text_from(typed["metadata"]),
        mail_invitation=not typed["no_mail"],
        why=typed["reason"],
        by=by,
    )


def _would_create(made: Tenant) -> tuple[str, ...]:
    owner = made.members.select_related("person").get()
    mailed = "Cognito mails the invitation." if owner.mail_invitation else "Nobody is mailed."
    return (
        f"{made} begins as pending, with the short name {made.slug} and the plan {made.plan}.",
        f"The worker makes {owner.person} in Cognito, as its owner. {mailed}",
        "It is active once Cognito has made the owner.",
    )


def _close(tenant: Tenant, typed: Options, by: Actor) -> Tenant:
    days = typed["grace_days"]
    # More than any calendar holds is as refused as a day too many.
    grace = None if days is None else timedelta(days=min(days, transitions.MOST_GRACE_DAYS + 1))
    return transitions.close(tenant, grace=grace, why=typed["reason"], by=by)


def _close_expects(tenant: Tenant, typed: Options) -> tuple[str, ...]:
    days = typed["grace_days"]
    return preview(tenant, "close") if days is None else consequences_of_closing(tenant, grace_days=days)


def _is_being_closed(tenant: Tenant) -> str:
    until = f"{tenant.purge_after:%-d %B %Y, %H:%M} UTC"
    return f"{tenant} is being closed. It can be reopened until {until}. {_follows(tenant)}"


def _change_metadata(tenant: Tenant, typed: Options, by: Actor) -> Tenant:
    return details.change_metadata(tenant, metadata=text_from(typed["metadata"]), why=typed["reason"], by=by)


def _as_on_the_page(step: str) -> Callable[[Tenant, Options], tuple[str, ...]]:
    return lambda tenant, _: preview(tenant, step)


def _follows(tenant: Tenant) -> str:
    return f"The worker does the rest: manage.py tenant rings {tenant.slug} says how far it is."


TENANTS = Kind(find=lambda typed: tenant_called(typed["tenant"]) if "tenant" in typed else None, facts=tenant_facts)
TENANT_STEPS: tuple[Step, ...] = (
    Step(
        "create",
        "a new tenant with its first owner",
        does=_create,
        then=_would_create,
        done=lambda tenant: f"{tenant} was created: {tenant.slug}, {tenant.org_id}. The worker invites its owner.",
        arguments=(
            argument("name"),
            argument("--owner", required=True, metavar="EMAIL"),
            argument("--owner-name", default="", metavar="NAME"),
            argument("--slug", default="", help="the short name; made from the name if left out"),
            argument("--plan", default="", help="one of TENANT_PLANS; the first if left out"),
            argument("--metadata", default="", metavar="JSON", help=_METADATA),
            argument("--no-mail", action="store_true", help="Cognito mails no invitation"),
        ),
    ),
    Step(
        "rename",
        "another name",
        does=lambda tenant, typed, by: details.rename(tenant, name=typed["name"], why=typed["reason"], by=by),
        done=lambda tenant: f"The name is {tenant} now.",
        expects=_as_on_the_page("rename"),
        arguments=(TENANT, argument("name")),
    ),
    Step(
        "slug",
        "another short name",
        does=lambda tenant, typed, by: details.change_slug(tenant, slug=typed["slug"], why=typed["reason"], by=by),
        done=lambda tenant: f"The short name of {tenant} is {tenant.slug} now.",
        expects=_as_on_the_page("slug"),
        arguments=(TENANT, argument("slug")),
    ),
    Step(
        "plan",
        "another plan",
        does=lambda tenant, typed, by: details.change_plan(tenant, plan=typed["plan"], why=typed["reason"], by=by),
        done=lambda tenant: f"{tenant} is on the plan {tenant.plan} now.",
        expects=_as_on_the_page("plan"),
        arguments=(TENANT, argument("plan")),
    ),
    Step(
        "metadata",
        "other metadata, in place of what is there",
        does=_change_metadata,
        done=lambda tenant: f"The metadata of {tenant} is as you gave it.",
        expects=_as_on_the_page("metadata"),
        arguments=(TENANT, argument("metadata", metavar="JSON", help=_METADATA)),
    ),
    Step(
        "activate",
        "by hand what happens by itself once Cognito has made the first owner",
        does=lambda tenant, typed, by: transitions.activate(tenant, why=typed["reason"], by=by),
        done=lambda tenant: f"{tenant} is active.",
        expects=_as_on_the_page("activate"),
        arguments=(TENANT,),
    ),
    Step(
        "suspend",
        "shut its members out, in three rings",
        does=lambda tenant, typed, by: transitions.suspend(tenant, why=typed["reason"], by=by),
        done=lambda tenant: f"{tenant} is suspended: the portal lets none of its members in. {_follows(tenant)}",
        expects=_as_on_the_page("suspend"),
        arguments=(TENANT, *WAIT),
        needs_reason=True,
    ),
    Step(
        "reactivate",
        "end a suspension",
        does=lambda tenant, typed, by: transitions.reactivate(tenant, why=typed["reason"], by=by),
        done=lambda tenant: f"{tenant} is active again. Its members can sign in once the worker has enabled them.",
        expects=_as_on_the_page("reactivate"),
        arguments=(TENANT,),
    ),
    Step(
        "close",
        "freeze it, and have its rows purged after a grace period",
        does=_close,
        done=_is_being_closed,
        expects=_close_expects,
        arguments=(
            TENANT,
            argument("--grace-days", type=int, metavar="N", help="instead of CLOSING_GRACE_DAYS"),
            *WAIT,
        ),
        needs_reason=True,
        confirm=lambda tenant: str(tenant.slug),
    ),
    Step(
        "reopen",
        "take a closing back, within the grace period",
        does=lambda tenant, typed, by: transitions.reopen(tenant, why=typed["reason"], by=by),
        done=lambda tenant: f"{tenant} was reopened and {in_words(tenant.state)} again.",
        expects=_as_on_the_page("reopen"),
        arguments=(TENANT,),
    ),
)
