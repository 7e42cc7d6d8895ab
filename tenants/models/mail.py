"""The portal's own mails on their way out. The worker sends them; invitations and codes are Cognito's."""

from __future__ import annotations

import random
import uuid
from datetime import timedelta

from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now
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
            models.Index(
                fields=["created_at"], condition=Q(due_at__isnull=True, sent_at__isnull=True), name="mail_given_up"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.to}"


_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 2.0, 300.0


class _Outages(models.QuerySet["MailOutage"]):
    def lasts(self) -> bool:
        """Whether nobody should try the mail server yet."""
        return self.filter(next_try_at__gt=Now()).exists()

    def prolong(self, why: str) -> None:
        """Another try failed. The next one may come after two seconds, then four, eight, … up to five minutes."""
        with transaction.atomic():
            row, _ = self.select_for_update().get_or_create(pk=1, defaults={"next_try_at": timezone.now()})
            seconds = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(row.failures, 10))
            pause = timedelta(seconds=seconds * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            self.filter(pk=1).update(failures=row.failures + 1, next_try_at=Now() + pause, why=why)

    def end(self) -> None:
        if self.exists():
            self.all().delete()


class MailOutage(models.Model):
    """One row while the mail server cannot be reached or takes no mail of the portal's. `why` is for the operators."""

    began_at = models.DateTimeField(default=timezone.now)
    next_try_at = models.DateTimeField()
    failures = models.PositiveIntegerField(default=0)
    why = models.CharField(max_length=500, blank=True)

    objects = _Outages.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_mail_outage")]

    def __str__(self) -> str:
        return f"no mail since {self.began_at:%Y-%m-%d %H:%M}: {self.why}"
