"""Finds the tenant or the member that was typed in a command."""

from __future__ import annotations

import uuid

from django.core.management import CommandError

from tenants.members.addresses import address
from tenants.models import Member, Tenant


def tenant_called(text: str) -> Tenant:
    """By its slug or its org id. Raises CommandError."""
    try:
        found = Tenant.objects.filter(org_id=uuid.UUID(text)).first()
    except ValueError:
        # A terminal may pass on half a character, which no query can hold.
        found = Tenant.objects.filter(slug=text.strip().lower()).first() if text.isprintable() else None
    if found is None:
        raise CommandError(f"There is no tenant with the short name or organisation id “{text}”.")
    return found


def member_called(email: str, *, tenant: Tenant | None = None) -> Member:
    """By the e-mail address, in this tenant if one is given. Raises CommandError, InvalidInput."""
    rows = Member.objects.select_related("person", "tenant").filter(person__email=address(email))
    found = list((rows.filter(tenant=tenant) if tenant else rows)[:2])
    if not found:
        raise CommandError(f"There is no member “{email}”{f' in {tenant}' if tenant else ''}.")
    if len(found) > 1:
        raise CommandError(f"{email} is in several tenants. Choose one with --tenant.")
    return found[0]
