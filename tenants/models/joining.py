"""How people come in: sign-ups of new organisations, invitations into one, and recoveries of one without its owners.

The web process writes these rows, and the worker acts on them. None of them reserves an address or a short name.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from tenants.domain.roles import IN_AN_ORGANISATION, Role
from tenants.models.people import MOST_EMAIL, Person
from tenants.models.tenants import MOST_NAME, MOST_REASON, Tenant


class SignUpState(models.TextChoices):
    """`known`: the address had a user already, whose owner was mailed. Such a sign-up comes to nothing.

    `ending`: nobody arrives any more, and its user is about to be deleted, unless they have chosen a password.
    """

    WAITING = "waiting", "waiting for the worker"
    INVITED = "invited", "invited"
    KNOWN = "known", "known address"
    FAILED = "failed", "failed"
    ENDING = "ending", "ending"


class SignUp(models.Model):
    """A visitor's wish for an organisation, until its owner signs in for the first time: then the tenant is made.

    `org_id` is the tenant's from the beginning, since the user in Cognito is created with it. `sub` is that user's.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(max_length=MOST_EMAIL)
    organisation = models.CharField(max_length=MOST_NAME)
    name = models.CharField(max_length=MOST_NAME)
    language = models.CharField(max_length=16, default="en")
    org_id = models.UUIDField(default=uuid.uuid4, unique=True)
    sub = models.UUIDField(null=True)
    state = models.CharField(max_length=16, choices=SignUpState, default=SignUpState.WAITING)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True)

    due_at = models.DateTimeField(null=True, default=timezone.now)
    leased_until = models.DateTimeField(null=True)
    leased_by = models.CharField(max_length=64, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=MOST_REASON, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="sign_up_due"),
            models.Index(fields=["expires_at"], name="sign_up_expires"),
            models.Index(fields=["email", "created_at"], name="sign_up_of_address"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=list(SignUpState)), name="sign_up_state_is_known"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="sign_up_ends_after_it_began"),
        ]

    def __str__(self) -> str:
        return f"sign-up of {self.organisation} by {self.email}"


class Invitation(models.Model):
    """Somebody whom a tenant invited and the worker has not made a member yet, or cannot.

    `why` is "" until the person could not join. `terminal` is who typed the command, such as ada@host, "" where
    somebody invited them on a page: then it is `invited_by`, whose right is checked again when they are taken in.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(max_length=MOST_EMAIL)
    name = models.CharField(max_length=MOST_NAME, blank=True)
    language = models.CharField(max_length=16, default="en")
    role = models.CharField(max_length=16, choices=[(role, role) for role in IN_AN_ORGANISATION])
    invited_by = models.ForeignKey(Person, on_delete=models.SET_NULL, related_name="+", null=True)
    terminal = models.CharField(max_length=254, blank=True)
    invited_at = models.DateTimeField(default=timezone.now)
    mail_invitation = models.BooleanField(default=True)
    why = models.CharField(max_length=MOST_REASON, blank=True)

    due_at = models.DateTimeField(null=True, default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=MOST_REASON, blank=True)

    class Meta:
        indexes = [models.Index(fields=["due_at", "id"], condition=Q(due_at__isnull=False), name="invitation_due")]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "email"], name="one_invitation_an_address"),
            models.CheckConstraint(
                condition=~Q(role=Role.OPERATOR) & Q(role__in=IN_AN_ORGANISATION), name="invited_into_an_organisation"
            ),
        ]

    def __str__(self) -> str:
        return f"invitation of {self.email} as {self.role}"


class RecoveryResult(models.TextChoices):
    WAITING = "waiting", "waiting"
    DONE = "done", "done"
    VETOED = "vetoed", "stopped by the organisation"
    CANCELLED = "cancelled", "taken back"
    ENDED = "ended", "ended: the conditions were no longer met"


class OwnerRecovery(models.Model):
    """An operator's request to make somebody owner of a tenant. Its owners and admins may stop it until `due_at`.

    `asked_by` is an actor's id. The key of the link that stops it is not kept, only its hash. `told_at` is when the
    worker saw that no mail about it waits any more.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="recoveries")
    email = models.EmailField(max_length=MOST_EMAIL)
    name = models.CharField(max_length=MOST_NAME, blank=True)
    reason = models.CharField(max_length=MOST_REASON)
    asked_by = models.CharField(max_length=120)
    asked_by_name = models.CharField(max_length=254)
    asked_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True)
    key_hash = models.CharField(max_length=64, unique=True)
    result = models.CharField(max_length=16, choices=RecoveryResult, default=RecoveryResult.WAITING)
    why = models.CharField(max_length=MOST_REASON, blank=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(result=RecoveryResult.WAITING), name="one_recovery_at_a_time"
            ),
            models.CheckConstraint(condition=Q(result__in=list(RecoveryResult)), name="recovery_result_is_known"),
            models.CheckConstraint(
                condition=Q(result=RecoveryResult.WAITING, ended_at__isnull=True)
                | (~Q(result=RecoveryResult.WAITING) & Q(ended_at__isnull=False)),
                name="ended_recovery_has_its_date",
            ),
        ]

    def __str__(self) -> str:
        return f"owner recovery of {self.tenant}"
