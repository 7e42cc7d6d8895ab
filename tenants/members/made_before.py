"""What the same person has just made, so that a form that was sent twice is answered with it and not with an error."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from tenants.audit.actions import Action
from tenants.domain.actor import Actor
from tenants.domain.roles import Role
from tenants.domain.steps import Typed
from tenants.domain.texts import hidden_character
from tenants.models import AuditEvent, Member, Tenant

JUST_NOW = timedelta(minutes=10)


def tenant_made_before(_: None, typed: Typed, by: Actor) -> Tenant | None:
    """With the name, the short name if one was typed, and the owner."""
    member = _added_before(typed["email"], by)
    tenant = member.tenant if member is not None and member.role == Role.OWNER else None
    if tenant is None or tenant.created_at < timezone.now() - JUST_NOW:
        return None
    is_same = tenant.name == typed["name"] and typed["slug"] in {"", tenant.slug}
    return tenant if is_same else None


def member_made_before(tenant: Tenant | None, typed: Typed, by: Actor) -> Member | None:
    member = _added_before(typed["email"], by)
    is_same = member is not None and member.tenant == tenant and member.role == typed["role"]
    return member if is_same else None


def _added_before(email: str, by: Actor) -> Member | None:
    """An address in another spelling was typed anew, so the form was not sent twice."""
    if not email or hidden_character(email):
        return None
    member = Member.objects.select_related("person", "tenant").filter(person__email=email, removed=False).first()
    if member is None:
        return None
    since = timezone.now() - JUST_NOW
    added = AuditEvent.objects.filter(action=Action.MEMBER_ADDED, actor=by.id, org=member.org_id, at__gte=since)
    return member if added.filter(target=str(member.person)).exists() else None
