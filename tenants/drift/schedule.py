"""The comparison of the whole pool that a worker makes by itself, every RECONCILE_EVERY. It repairs nothing.

It goes at a quarter of each quota, so that provisioning has the rest, and ends at once where somebody at a terminal
wants to compare. Of several workers one makes it; when it was cut off, one goes on with it.
"""

from __future__ import annotations

import logging
import secrets
import threading
from datetime import timedelta

from django.utils import timezone

from tenants.domain.actor import WORKER
from tenants.domain.errors import NotNow, PortalError
from tenants.drift.run import RunOptions, reconcile
from tenants.drift.run_lock import GIVES_WAY
from tenants.models import Drift, Lease, Reconciliation
from tenants.provisioning.dispatcher import Tools

_log = logging.getLogger(__name__)
# One that fails, or was cut off by a kill, is begun again no sooner than this.
_AGAIN = timedelta(minutes=5)
_TURN = "scheduled-reconciliation"


def compare_when_due(tools: Tools, stop: threading.Event, *, every: timedelta, hosted_sign_ups: bool) -> int:
    """How many comparisons were made to their end: 0 or 1. `hosted_sign_ups` as in RunOptions."""
    holder = f"{GIVES_WAY}{secrets.token_hex(8)}"
    if not is_due(every) or not Lease.objects.take(_TURN, holder=holder, seconds=min(every, _AGAIN).total_seconds()):
        return 0
    options = RunOptions(hosted_sign_ups=hosted_sign_ups, scheduled=True)
    try:
        reconcile(options, directory=tools.directory, pacer=tools.pacer, holder=holder, by=WORKER, stop=stop)
    except PortalError as error:
        if stop.is_set():
            # Another worker, or this one after a restart, goes on with it at once.
            Lease.objects.give_back(_TURN, holder=holder)
        elif not isinstance(error, NotNow):
            _log.warning("the scheduled comparison could not go on", extra={"why": error.for_operators})
        return 0
    # infra/portal.yaml counts these lines.
    _log.info("the pool was compared", extra={"unknown_users": _enabled_strangers()})
    return 1


def _enabled_strangers() -> int:
    """Users that the newest comparison found, can sign in, and were not made by the portal."""
    found = Drift.objects.filter(reconciliation=Reconciliation.objects.of_the_pool())
    return found.strangers().that_can_sign_in().count()


def is_due(every: timedelta) -> bool:
    """By when the newest comparison of the whole pool began. One that was cut off is due."""
    newest = Reconciliation.objects.of_the_pool()
    return newest is None or newest.finished_at is None or newest.started_at + every <= timezone.now()
