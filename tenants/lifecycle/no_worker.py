"""What pages and commands say to people whose change waits for a worker."""

from __future__ import annotations

from django.utils import timezone

from tenants.models import Worker

NO_WORKER = "No worker is running. Start one: manage.py provision --watch."


def no_worker() -> str:
    """The sentence; "" while a worker is running."""
    return "" if Worker.objects.alive(timezone.now()).exists() else NO_WORKER
