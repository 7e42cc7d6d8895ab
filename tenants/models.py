"""What the portal's own database knows: tenants, people, who is a member of what, and who is signed in.

Rows of tenants are not here. They are in DynamoDB, and only a person's own credentials reach them.
"""

from __future__ import annotations

import uuid

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import Q

from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.domain.tenant_state import TenantState

MOST_NAME = 120
MOST_EMAIL = 254


class Tenant(models.Model):
    """An organisation's record."""

    org_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=MOST_NAME)
    state = models.CharField(
        max_length=16, choices=[(state, state) for state in TenantState], default=TenantState.PENDING
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(state__in=list(TenantState)), name="tenant_state_is_known")]

    def __str__(self) -> str:
        return self.name


class Person(AbstractBaseUser):
    """Somebody who can sign in, known by their `sub`; e-mail and name are only for showing. Passwords are Cognito's."""

    password = None  # type: ignore[assignment]
    last_login = None

    sub = models.UUIDField(unique=True, null=True)
    email = models.EmailField(max_length=MOST_EMAIL)
    name = models.CharField(max_length=MOST_NAME, blank=True)

    USERNAME_FIELD = "sub"

    def __str__(self) -> str:
        return self.email


class Member(models.Model):
    """A person in a tenant, or an operator, who is in none."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="memberships")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="members", null=True)
    role = models.CharField(max_length=16, choices=[(role, role) for role in Role])
    enabled = models.BooleanField(default=True)
    # The identity pool's id for this person: asked for once, since GetId is the scarcest call of all.
    identity_id = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            # A user pool's user carries one org, so today a person is in one organisation.
            models.UniqueConstraint(fields=["person"], name="one_membership_per_person"),
            models.CheckConstraint(
                condition=Q(tenant__isnull=True, role=Role.OPERATOR)
                | Q(tenant__isnull=False, role__in=IN_AN_ORGANISATION),
                name="operators_are_in_no_organisation",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} as {self.role}"


class SignIn(models.Model):
    """One signed-in browser's tokens, sealed for this very row. Deleted when it signs out."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="sign_ins")
    sealed_tokens = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    renewed_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.person} since {self.created_at:%Y-%m-%d %H:%M}"
