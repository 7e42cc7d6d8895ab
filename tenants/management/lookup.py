"""Finds the tenant or the member that was typed in a command."""

from __future__ import annotations

import uuid

from django.core.management import CommandError
from django.db.models import Q

from tenants.drift.lockout import KINDS
from tenants.members.addresses import address
from tenants.models import Drift, Member, Tenant


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


def user_found_by_a_comparison(text: str) -> Drift:
    """The newest difference of a user with this sub or e-mail address who may be nobody's. Raises CommandError."""
    theirs = Q(sub=text) | Q(email__iexact=text)
    # A terminal may pass on half a character, which no query can hold.
    found = Drift.objects.filter(theirs, kind__in=KINDS).order_by("-pk").first() if text.isprintable() else None
    if found is None:
        raise CommandError(
            f"No comparison found a user “{text}” that belongs to no member. Compare first: manage.py reconcile."
        )
    return found


def member_called(text: str, *, tenant: Tenant | None = None) -> Member:
    """By the e-mail address or the sub, in this tenant if one is given. Raises CommandError, InvalidInput."""
    rows = Member.objects.select_related("person", "tenant")
    try:
        rows = rows.filter(person__sub=uuid.UUID(text))
    except ValueError:
        rows = rows.filter(person__email=address(text))
    found = list((rows.filter(tenant=tenant) if tenant else rows)[:2])
    if not found:
        raise CommandError(f"There is no member “{text}”{f' in {tenant}' if tenant else ''}.")
    if len(found) > 1:
        raise CommandError(f"{text} is in several tenants. Choose one with --tenant.")
    return found[0]
