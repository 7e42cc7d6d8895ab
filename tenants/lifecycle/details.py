"""A tenant's name, short name, plan and metadata."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from tenants.audit import audit_refusals, record
from tenants.audit.actions import Action
from tenants.domain import texts
from tenants.domain.actor import Actor
from tenants.domain.errors import InvalidInput, NotNow
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.metadata import check_metadata, fingerprint, read_metadata
from tenants.models import Tenant
from tenants.sign_in.standing import forget_tenant

_MAY_BE_EDITED = (TenantState.PENDING, TenantState.ACTIVE, TenantState.SUSPENDED)


_SLUGS_TO_TRY = 9
_refusals_recorded = audit_refusals(Action.TENANT_REFUSED)


@_refusals_recorded
def rename(tenant: Tenant, *, name: str, by: Actor, why: str = "") -> Tenant:
    """Suspended tenants too. Raises InvalidInput, NotNow."""
    return _edit(tenant, Action.TENANT_RENAMED, by=by, why=why, name=texts.display_name(name, field="name"))


@_refusals_recorded
def change_slug(tenant: Tenant, *, slug: str, by: Actor, why: str = "") -> Tenant:
    """Raises InvalidInput where another tenant has it, NotNow."""
    slug = texts.slug(slug)
    with _one_tenant_a_slug(slug):
        return _edit(tenant, Action.TENANT_RENAMED, by=by, why=why, slug=slug)


@_refusals_recorded
def change_plan(tenant: Tenant, *, plan: str, by: Actor, why: str = "") -> Tenant:
    return _edit(tenant, Action.TENANT_PLAN_CHANGED, by=by, why=why, plan=checked_plan(plan))


@_refusals_recorded
def change_metadata(
    tenant: Tenant, *, metadata: Mapping[str, Any] | str, by: Actor, why: str = "", over: str = ""
) -> Tenant:
    """`metadata` may be JSON as it was typed; `over`, the fingerprint of what it is to take the place of.

    Raises InvalidInput, and NotNow where somebody else has changed them since.
    """
    checked = checked_metadata(metadata)
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        if over and over != fingerprint(tenant.metadata):
            raise NotNow(f"Somebody else has changed the metadata of {tenant} meanwhile. Nothing of yours was kept.")
        return _edit(tenant, Action.TENANT_METADATA_CHANGED, by=by, why=why, metadata=checked)


def _edit(tenant: Tenant, action: Action, *, by: Actor, why: str, **fields: Any) -> Tenant:
    why = texts.reason_if_given(why)
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        if tenant.state not in _MAY_BE_EDITED:
            raise NotNow(f"{tenant} is {tenant.state}, so it stays as it is.")
        before = {name: getattr(tenant, name) for name in fields}
        if before == fields:
            return tenant
        for name, value in fields.items():
            setattr(tenant, name, value)
        tenant.save(update_fields=list(fields))
        forget_tenant(tenant)
        record(action, by=by, org=tenant.org_id, target=tenant.name, before=before, after=fields, why=why)
    return tenant


def checked_metadata(metadata: Mapping[str, Any] | str) -> dict[str, Any]:
    return check_metadata(read_metadata(metadata) if isinstance(metadata, str) else metadata)


def checked_plan(plan: str) -> str:
    if plan not in settings.TENANT_PLANS:
        raise InvalidInput(
            f"There is no plan “{plan}”. Choose one of {', '.join(settings.TENANT_PLANS)}.", field="plan"
        )
    return plan


@contextmanager
def _one_tenant_a_slug(slug: str) -> Iterator[None]:
    """The database decides, so that of two who choose the same at once one is told. Raises InvalidInput."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "slug" not in str(error):
            raise
        raise InvalidInput(f"The short name “{slug}” is taken. Choose another one.", field="slug") from error


def create_with_slug(asked: str, about: Mapping[str, Any]) -> Tenant:
    """Called as was asked for or, for "", by a slug made from the name."""
    while True:
        slug = asked or _free_slug(about["name"])
        try:
            with _one_tenant_a_slug(slug):
                return Tenant.objects.create(**about, slug=slug)
        except InvalidInput:
            # Somebody took it at the same moment; there are others.
            if asked:
                raise


def _free_slug(name: str) -> str:
    """Made from the name; with a number where another tenant has that, and something random where very many have."""
    wished = texts.slug_from(name)
    tried = [wished, *(f"{wished}-{number}" for number in range(2, _SLUGS_TO_TRY + 1))]
    taken = set(Tenant.objects.filter(slug__in=tried).values_list("slug", flat=True))
    return next((slug for slug in tried if slug not in taken), f"{wished}-{secrets.token_hex(4)}")
