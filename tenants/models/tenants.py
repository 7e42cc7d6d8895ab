"""Tenants, their suspensions and their closings."""

from __future__ import annotations

import secrets
import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

from tenants.domain.tenant_state import TenantState

MOST_NAME = 120
MOST_SLUG = 40
MOST_REASON = 500
MOST_CONTACT = 254
MOST_EXTERNAL_ID = 120
MOST_NAME_WARNING = 200
MOST_SKELETON = 200
_UNDER_WAY = (TenantState.ACTIVE, TenantState.SUSPENDED)


def unclaimed_slug() -> str:
    """The default: a random slug that no tenant has."""
    return f"org-{secrets.token_hex(8)}"


class _Tenants(models.QuerySet["Tenant"]):
    def locked(self, tenant: Tenant) -> Tenant:
        """The row as it is now, which nobody else can change until the transaction ends."""
        return self.select_for_update().get(pk=tenant.pk)


class Tenant(models.Model):
    """An organisation's record. It is never deleted: a closed tenant is a tombstone, so its org id is not reused.

    `reason` is why it is suspended or being closed. Triggers too check that a state may follow another, and that an
    active tenant has an owner.
    """

    org_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=MOST_NAME)
    slug = models.SlugField(max_length=MOST_SLUG, unique=True, default=unclaimed_slug)
    plan = models.CharField(max_length=MOST_SLUG, default="free")
    state = models.CharField(
        max_length=16, choices=[(state, state) for state in TenantState], default=TenantState.PENDING
    )
    reason = models.CharField(max_length=MOST_REASON, blank=True)
    # Where the organisation itself can be reached; "" where it has not said so.
    contact = models.EmailField(max_length=MOST_CONTACT, blank=True)
    # Whose addresses may be invited, in ASCII; empty for any.
    invitation_domains = models.JSONField(default=list, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    # The tenant's id in another system that it was imported from.
    external_id = models.CharField(max_length=MOST_EXTERNAL_ID, null=True, unique=True)  # noqa: DJ001 - "" is not unique
    # What is odd about its name, for operators; "" where nothing is.
    name_warning = models.CharField(max_length=MOST_NAME_WARNING, blank=True)
    # The same for names that can be taken for each other.
    name_skeleton = models.CharField(max_length=MOST_SKELETON, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    activated_at = models.DateTimeField(null=True, editable=False)
    # When an owner first signed in. From then on operators make nobody a member here.
    owner_signed_in_at = models.DateTimeField(null=True, editable=False)
    # When operators last disabled, removed or demoted an owner after one had signed in. No owner recovery gets past it.
    owner_lost_at = models.DateTimeField(null=True, editable=False)
    suspended_at = models.DateTimeField(null=True, editable=False)
    closing_at = models.DateTimeField(null=True, editable=False)
    # Until then a closing tenant can be reopened; afterwards its rows may go.
    purge_after = models.DateTimeField(null=True, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False)

    objects = _Tenants.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="tenant_newest"),
            models.Index(fields=["state", "-created_at", "-id"], name="tenant_newest_in_state"),
            models.Index(fields=["plan", "-created_at", "-id"], name="tenant_newest_on_plan"),
            models.Index(Lower("name"), "id", name="tenant_by_name"),
            models.Index(fields=["name_skeleton"], name="tenant_by_likeness"),
            # SQLite keeps no statistics: of the two above it would take either for both.
            models.Index(fields=["state", "plan", "-created_at", "-id"], name="tenant_newest_in_state_on_plan"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=list(TenantState)), name="tenant_state_is_known"),
            models.CheckConstraint(condition=~Q(name="") & ~Q(slug=""), name="tenant_has_a_name"),
            models.CheckConstraint(
                condition=~Q(state__in=_UNDER_WAY) | Q(activated_at__isnull=False), name="tenant_was_activated"
            ),
            models.CheckConstraint(
                condition=~Q(state=TenantState.ACTIVE) | Q(suspended_at__isnull=True, closing_at__isnull=True),
                name="active_tenant_is_free",
            ),
            models.CheckConstraint(
                condition=~Q(state=TenantState.SUSPENDED) | (Q(suspended_at__isnull=False) & ~Q(reason="")),
                name="suspension_has_date_and_reason",
            ),
            models.CheckConstraint(
                condition=~Q(state=TenantState.CLOSING)
                | (
                    Q(closing_at__isnull=False, purge_after__isnull=False, purge_after__gte=F("closing_at"))
                    & ~Q(reason="")
                ),
                name="closing_has_dates_and_reason",
            ),
            models.CheckConstraint(
                condition=Q(state=TenantState.CLOSED, closed_at__isnull=False)
                | (~Q(state=TenantState.CLOSED) & Q(closed_at__isnull=True)),
                name="closed_has_its_date",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Suspension(models.Model):
    """The three rings around a suspended or closing tenant: portal, Cognito, credentials already issued.

    The portal is shut at `began_at`, the others at the dates below. `lifted_at` is when the suspension ended.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="suspensions")
    began_at = models.DateTimeField(default=timezone.now)
    # Every member is disabled and signed out in Cognito: nobody gets new credentials after this.
    signed_out_at = models.DateTimeField(null=True)
    # Since when the policy should name the tenant: later than `began_at` where the rings began again.
    deny_since = models.DateTimeField(default=timezone.now)
    # The policy names the tenant and denies credentials that were issued before.
    denied_at = models.DateTimeField(null=True)
    # All credentials issued before have expired; the policy need not name the tenant after this.
    deny_until = models.DateTimeField(null=True)
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["deny_until"], condition=Q(lifted_at__isnull=True), name="suspension_standing")]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(lifted_at__isnull=True), name="one_standing_suspension"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant} since {self.began_at:%Y-%m-%d %H:%M}"


class Closing(models.Model):
    """The progress of a tenant's closing. `ended_at` is when it was closed for good, or reopened."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="closings")
    began_at = models.DateTimeField(default=timezone.now)
    # The owner who closed it. None where an operator did: then no owner can reopen it.
    by_owner = models.ForeignKey("tenants.Person", on_delete=models.SET_NULL, related_name="+", null=True)
    # The number of the current export. Each export goes to a place of its own.
    exports = models.PositiveIntegerField(default=1)
    export_url = models.CharField(max_length=500, blank=True)
    exported_at = models.DateTimeField(null=True)
    rows_exported = models.PositiveBigIntegerField(default=0)
    # SHA-256 of the export's manifest, which holds the hashes of its files.
    manifest_hash = models.CharField(max_length=64, blank=True)
    rows_purged = models.PositiveBigIntegerField(default=0)
    purged_at = models.DateTimeField(null=True)
    verified_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant"], condition=Q(ended_at__isnull=True), name="one_closing_at_a_time")
        ]

    def __str__(self) -> str:
        return f"closing of {self.tenant}"


class ReopenKey(models.Model):
    """The key of a link with which one owner can reopen an organisation that an owner closed. Only its hash is kept.

    It opens nothing else, and nothing once the closing has ended or its grace period is over.
    """

    closing = models.ForeignKey(Closing, on_delete=models.CASCADE, related_name="reopen_keys")
    person = models.ForeignKey("tenants.Person", on_delete=models.CASCADE, related_name="+")
    key_hash = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return f"key of {self.person} for the {self.closing}"
