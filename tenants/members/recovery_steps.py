"""The steps that give a tenant an owner when none can act, each with what it says and the use case that does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.conf import settings
from django.utils.timezone import localtime

from tenants.domain.actor import Actor
from tenants.domain.dates import formatted
from tenants.domain.permissions import MemberAction
from tenants.domain.roles import Role
from tenants.domain.steps import WHY, Field, Step, Typed, refusal_of
from tenants.members import checks, recovery
from tenants.members.adding_step import PERSON_FIELD
from tenants.members.addresses import address
from tenants.members.in_cognito import with_worker
from tenants.members.rights import may_in
from tenants.models import Member, Tenant


def _recover(tenant: Tenant, typed: Typed, by: Actor) -> Tenant:
    recovery.ask(
        tenant, email=typed["email"], name=typed["name"], why=typed["reason"], by=by, at_once=bool(typed.get("now"))
    )
    return Tenant.objects.get(pk=tenant.pk)


def _recovering_prevented(tenant: Tenant) -> str:
    closed = refusal_of(lambda: checks.check_may_change(tenant))
    if closed or not recovery.owner_has_signed_in(tenant):
        return closed
    return refusal_of(lambda: recovery.check_may_ask(tenant))


def _recovery_expects(tenant: Tenant, typed: Typed) -> Sequence[str]:
    if not recovery.owner_has_signed_in(tenant):
        owners = Member.objects.filter(tenant=tenant, role=Role.OWNER, removed=False).select_related("person")
        names = ", ".join(str(owner.person) for owner in owners.order_by("pk"))
        return with_worker(
            f"No owner of {tenant} has signed in, so the owner is replaced at once.",
            "The worker creates the new owner in Cognito, and Cognito mails the invitation.",
            f"The owner until now is removed: {names or 'nobody'}. Their invitation stops working.",
        )
    if typed.get("now"):
        return with_worker(
            "They become an owner at once. Nobody can stop it.",
            f"Owners of {tenant} who have signed in are told by mail that a terminal did this.",
        )
    return with_worker(
        f"Every owner and admin of {tenant} is told by mail and on their pages, with your reason.",
        f"For {settings.OWNER_RECOVERY_HOURS} hours each of them can stop it, also without signing in.",
        "If nobody does, this person becomes an owner then: a member is raised, anybody else is invited.",
        f"It ends without an owner if {tenant} is suspended or closed meanwhile, or if operators disable, remove or "
        "demote an owner.",
    )


def _recovery_done(tenant: Tenant) -> str:
    waiting = recovery.open_recovery(tenant)
    if waiting is not None:
        due_at = formatted(localtime(waiting.due_at))
        return f"{waiting.email} becomes an owner of {tenant} after {due_at}, unless it is stopped."
    return f"{tenant} has the new owner. The worker makes Cognito match."


RECOVER_OWNER = Step(
    name="recover-owner",
    verb="Recover owner",
    help="make somebody owner of a tenant whose owners cannot act; they and its admins can stop it",
    heading=lambda tenant: f"Recover an owner of {tenant}",
    fields=(
        Field("email", "E-mail address of the new owner", widget="email", check=address),
        PERSON_FIELD,
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
    recovery.cancel(tenant, why=typed["reason"], by=by)
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
