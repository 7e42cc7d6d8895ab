"""A tenant's name, short name, contact, plan, metadata, and whose addresses it may invite."""

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
from tenants.domain.letters import oddity, skeleton
from tenants.domain.tenant_permissions import TenantAction as May
from tenants.domain.tenant_state import TenantState, in_words
from tenants.lifecycle.metadata import check_metadata, fingerprint, read_metadata
from tenants.lifecycle.metadata_keys import check_may_change_keys
from tenants.lifecycle.rights import check_may
from tenants.members.addresses import address
from tenants.members.allowed_domains import read_domains
from tenants.models import MOST_NAME_WARNING, MOST_SKELETON, Tenant
from tenants.sign_in.standing import forget_tenant

SLUGS_TO_TRY = 9
_audit_refusals = audit_refusals(Action.TENANT_REFUSED)


@_audit_refusals
def rename(tenant: Tenant, *, name: str, by: Actor, why: str = "") -> Tenant:
    """Raises InvalidInput, and NotNow once the tenant is being closed."""
    name = texts.display_name(name, field="name")
    noted = about_name(name, other_than=tenant)
    return _edit(tenant, Action.TENANT_RENAMED, May.RENAME, by=by, why=why, noted=noted, name=name)


@_audit_refusals
def change_slug(tenant: Tenant, *, slug: str, by: Actor, why: str = "") -> Tenant:
    """Raises InvalidInput if another tenant has the slug, NotNow once the tenant is being closed."""
    slug = texts.slug(slug)
    with _refuse_taken_slug(slug):
        return _edit(tenant, Action.TENANT_RENAMED, May.CHANGE_SLUG, by=by, why=why, slug=slug)


@_audit_refusals
def change_plan(tenant: Tenant, *, plan: str, by: Actor, why: str = "") -> Tenant:
    """Raises InvalidInput, and NotNow once the tenant is being closed."""
    return _edit(tenant, Action.TENANT_PLAN_CHANGED, May.CHANGE_PLAN, by=by, why=why, plan=checked_plan(plan))


@_audit_refusals
def change_contact(tenant: Tenant, *, contact: str, by: Actor, why: str = "") -> Tenant:
    """`contact` is an e-mail address, "" for none. Raises InvalidInput, NotAllowed, NotNow."""
    checked = _contact(contact)
    return _edit(tenant, Action.TENANT_CONTACT_CHANGED, May.CHANGE_CONTACT, by=by, why=why, contact=checked)


@_audit_refusals
def change_invitation_domains(tenant: Tenant, *, domains: str, by: Actor, why: str = "") -> Tenant:
    """`domains` are as typed, one a line; "" for any. Members stay. Raises InvalidInput, NotAllowed, NotNow."""
    checked = read_domains(domains)
    return _edit(tenant, Action.TENANT_DOMAINS_CHANGED, May.CHANGE_DOMAINS, by=by, why=why, invitation_domains=checked)


@_audit_refusals
def change_metadata(
    tenant: Tenant, *, metadata: Mapping[str, Any] | str, by: Actor, why: str = "", over: str | None = None
) -> Tenant:
    """Replaces the metadata by `metadata`, which may be JSON as typed. `over` is the fingerprint of the old metadata.

    A form always has one. None, from a command, replaces whatever is there.

    Raises InvalidInput; NotNow once the tenant is being closed, or if the old metadata do not have that fingerprint.
    """
    checked = checked_metadata(metadata)
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        if over == "":
            raise NotNow("The form did not say which metadata it replaces. Open it again.")
        if over is not None and over != fingerprint(tenant.metadata):
            raise NotNow(f"Somebody else has changed the metadata of {tenant} meanwhile. Your change was not saved.")
        check_may_change_keys(by, tenant.metadata, checked)
        return _edit(tenant, Action.TENANT_METADATA_CHANGED, May.CHANGE_METADATA, by=by, why=why, metadata=checked)


def _edit(
    tenant: Tenant,
    action: Action,
    needs: May,
    *,
    by: Actor,
    why: str,
    noted: Mapping[str, str] | None = None,
    **fields: Any,
) -> Tenant:
    """`noted` are fields that follow from the others, and are not recorded."""
    noted, why = noted or {}, texts.reason_if_given(why)
    with transaction.atomic():
        tenant = Tenant.objects.locked(tenant)
        if not TenantState(tenant.state).may_be_changed:
            raise NotNow(f"{tenant} {in_words(tenant.state)}, so it stays as it is.")
        check_may(by, needs, tenant=tenant)
        before = {name: getattr(tenant, name) for name in fields}
        if before == fields:
            return tenant
        for name, value in {**fields, **noted}.items():
            setattr(tenant, name, value)
        tenant.save(update_fields=[*fields, *noted])
        forget_tenant(tenant)
        record(action, by=by, org=tenant.org_id, target=tenant.name, before=before, after=fields, why=why)
    return tenant


def _contact(typed: str) -> str:
    try:
        return address(typed) if texts.trimmed(typed) else ""
    except InvalidInput as problem:
        raise InvalidInput(problem.message, field="contact") from problem


def about_name(name: str, *, other_than: Tenant | None = None) -> dict[str, str]:
    """The fields of a tenant that follow from its name, by their columns."""
    likeness = skeleton(name)[:MOST_SKELETON]
    alike = Tenant.objects.filter(name_skeleton=likeness).exclude(state=TenantState.CLOSED).order_by("pk")
    others = alike.exclude(pk=other_than.pk) if other_than else alike
    known = others.values_list("name", "slug").first() if likeness else None
    return {"name_skeleton": likeness, "name_warning": name_warning(name, known)}


def name_warning(name: str, known: tuple[str, str] | None) -> str:
    """What operators should know of a name; "" if nothing. `known` is name and slug of a tenant with its skeleton."""
    warnings = [oddity(name)]
    if known:
        same = known[0].casefold() == name.casefold()
        warnings.append(
            f"{known[1]} has the same name." if same else f"Looks like the name of {known[1]}, “{known[0]}”."
        )
    return " ".join(filter(None, warnings))[:MOST_NAME_WARNING]


def checked_metadata(metadata: Mapping[str, Any] | str) -> dict[str, Any]:
    """As they are stored. `metadata` may be JSON as typed. Raises InvalidInput, Misconfigured."""
    return check_metadata(read_metadata(metadata) if isinstance(metadata, str) else metadata)


def checked_plan(plan: str) -> str:
    """`plan`, if it is one of TENANT_PLANS. Raises InvalidInput."""
    if plan not in settings.TENANT_PLANS:
        raise InvalidInput(
            f"There is no plan “{plan}”. Choose one of {', '.join(settings.TENANT_PLANS)}.", field="plan"
        )
    return plan


@contextmanager
def _refuse_taken_slug(slug: str) -> Iterator[None]:
    """Raises InvalidInput if the database refuses the slug, also if another tenant took it at the same moment."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "slug" not in str(error):
            raise
        says = f"The short name “{slug}” is taken. Choose another one, such as {_free_slug(slug)}."
        raise InvalidInput(says, field="slug") from error


def create_with_slug(wanted: str, fields: Mapping[str, Any]) -> Tenant:
    """A new row with the slug `wanted`, or with one made from the name if that is "". Raises InvalidInput."""
    while True:
        slug = wanted or _free_slug(fields["name"])
        try:
            with _refuse_taken_slug(slug):
                return Tenant.objects.create(**fields, slug=slug)
        except InvalidInput:
            # Another tenant took the slug at the same moment: try the next one.
            if wanted:
                raise


def _free_slug(name: str) -> str:
    """Made from the name. With a number if another tenant has it; with random characters if many tenants do."""
    plain = texts.slug_from(name)
    tried = [plain, *(f"{plain}-{number}" for number in range(2, SLUGS_TO_TRY + 1))]
    taken = set(Tenant.objects.filter(slug__in=tried).values_list("slug", flat=True))
    return next((slug for slug in tried if slug not in taken), f"{plain}-{secrets.token_hex(4)}")
