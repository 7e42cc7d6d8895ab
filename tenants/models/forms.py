"""Forms that were sent, so that the same one sent twice is done once."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

# In letters of base64.
MOST_SEALED_ADDRESS = 2_000


class SentForm(models.Model):
    """`key` is a hash of who sent what to where, `address` where the first one led to, sealed: "" while that is under
    way.
    """

    key = models.CharField(max_length=64, primary_key=True)
    begun_at = models.DateTimeField(default=timezone.now)
    address = models.CharField(max_length=MOST_SEALED_ADDRESS, blank=True)

    class Meta:
        indexes = [models.Index(fields=["begun_at"], name="sent_form_by_age")]

    def __str__(self) -> str:
        return self.key
