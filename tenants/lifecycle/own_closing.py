"""Closing by an owner, and reopening by an owner during the grace period. Operators close and reopen with steps.

An owner undoes what an owner did. What an operator closed, only operators reopen.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tenants.audit import audit_refusals
from tenants.audit.actions import Action
from tenants.domain.actor import Actor
from tenants.domain.dates import formatted
from tenants.domain.errors import InvalidInput, NotAllowed, NotNow
from tenants.domain.roles import Role
from tenants.domain.steps import refusal_of
from tenants.domain.tenant_permissions import TenantAction
from tenants.domain.texts import reason, trimmed
from tenants.lifecycle.reopen_keys import holder_of, key_called, make_key, person_of
from tenants.lifecycle.rights import check_may
from tenants.lifecycle.transitions import check_may_reopen, close, reopen
from tenants.models import Closing, ReopenKey, Tenant

_audit_refusals = audit_refusals(Action.TENANT_REFUSED)
_OWNER_NO_MORE = "You are no longer an owner of this organisation, so you cannot reopen it."


def closing_problems(tenant: Tenant, *, typed: str, why: str) -> dict[str, str]:
    """What is wrong with the form, by its fields."""
    wrong = {}
    for check in (lambda: _check_typed(tenant, typed), lambda: reason(why)):
        try:
            check()
        except InvalidInput as problem:
            wrong[problem.field] = problem.message
    return wrong


@_audit_refusals
def close_by_owner(tenant: Tenant, *, typed: str, why: str, by: Actor) -> str:
    """`typed` is the name or the short name, to be sure. Returns the key of the page on which `by` can reopen it.

    Raises InvalidInput, NotAllowed, NotNow.
    """
    _check_typed(tenant, typed)
    with transaction.atomic():
        check_may(by, TenantAction.CLOSE, tenant=Tenant.objects.locked(tenant))
        close(tenant, why=why, by=by)
        person = person_of(by)
        if person is None:
            raise TypeError("an owner closes an organisation with this")
        return make_key(Closing.objects.get(tenant=tenant, ended_at=None), person)


def reopening_prevented(found: ReopenKey) -> str:
    """Why the link opens nothing any more, "" where it does. Any later closing has links of its own."""
    closing = found.closing
    open_closing = closing if closing.ended_at is None else None
    return _why_no_owner(found) or refusal_of(lambda: check_may_reopen(closing.tenant, open_closing))


@_audit_refusals
def reopen_by_key(tenant: Tenant, *, found: ReopenKey, by: Actor) -> Tenant:
    """With an owner's link; `by` is `holder_of` it. Raises NotAllowed where they are an owner no more, NotNow."""
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        if why := _why_no_owner(found):
            raise NotAllowed(why)
        closing = Closing.objects.select_for_update().get(pk=found.closing_id)
        if closing.ended_at is not None:
            raise NotNow(f"This closing of {tenant} has ended already. Nothing was changed.")
        return reopen(tenant, by=by, link="the mail")


def _why_no_owner(found: ReopenKey) -> str:
    holder = holder_of(found)
    return "" if holder.role == Role.OWNER and holder.id else _OWNER_NO_MORE


def closing_expects(tenant: Tenant) -> Sequence[str]:
    """A sentence each, in the order in which it happens."""
    days = settings.CLOSING_GRACE_DAYS
    until = formatted(timezone.now() + timedelta(days=days))
    grace = "1 day" if days == 1 else f"{days:,} days"
    return (
        f"Everybody in {tenant} is signed out at once and cannot sign in, you included.",
        "AWS refuses the credentials that they still hold, usually within seconds.",
        "Owners and admins who have signed in are told by mail, with your name and your reason.",
        "Each owner’s mail has a link with which they can reopen it without signing in.",
        f"For {grace}, until {until}, any owner can reopen it, and nothing is lost.",
        "After that the operators’ closing job deletes every record. The portal cannot bring them back.",
        "In the end the users of its members are deleted, so their passwords work no more.",
        "The name, the org id and the audit trail stay with the operators, and nobody else ever gets the org id.",
    )


def _check_typed(tenant: Tenant, typed: str) -> None:
    if _folded(typed) not in (_folded(tenant.name), tenant.slug):
        raise InvalidInput(f"Type “{tenant.name}” or “{tenant.slug}”, to be sure that you mean it.", field="typed")


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", trimmed(text)).casefold().split())


__all__ = ["close_by_owner", "closing_expects", "closing_problems", "holder_of", "key_called", "reopen_by_key",
           "reopening_prevented"]  # fmt: skip
