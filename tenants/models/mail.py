"""The portal's own mails on their way out. The worker sends them; invitations and codes are Cognito's."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tenants.models.people import MOST_EMAIL


class OutgoingMail(models.Model):
    """A mail until it is sent, then a trace of it for a while, without its text.

    `message_id` stays the same for every attempt, so that a mail sent twice can be told for one. `due_at` is None once
    it is sent or given up; `kind` is the name of its template; `org` is the org id of the tenant it is about.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    message_id = models.CharField(max_length=200, unique=True)
    to = models.EmailField(max_length=MOST_EMAIL)
    kind = models.CharField(max_length=60)
    org = models.UUIDField(null=True)
    subject = models.CharField(max_length=200, blank=True)
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)

    due_at = models.DateTimeField(null=True, default=timezone.now)
    leased_until = models.DateTimeField(null=True)
    leased_by = models.CharField(max_length=64, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="mail_due"),
            models.Index(fields=["created_at"], name="mail_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.to}"
