"""The third ring: the list of suspended organisations in the policy SuspendedTenants.

The list is always made from the rows and compared with what the policy says. So suspensions at the same time, lost
writes and edits by hand all end in the same list.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.aws.suspension_policy import SuspensionPolicy
from tenants.domain.actor import WORKER
from tenants.domain.errors import Misconfigured, PortalError
from tenants.domain.suspension_policy import ROOM
from tenants.lifecycle.suspension import to_deny
from tenants.models import Lease, Suspension

_log = logging.getLogger(__name__)
_LEASE, _LEASE_SECONDS = "suspension-list", 60.0
FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 60.0
VERIFY_SECONDS = 60.0


def orgs_to_list() -> frozenset[str]:
    """The org ids that the policy should list: as many as it has room for. Tenants already in it stay in it."""
    return frozenset(str(org) for org in to_deny().values_list("tenant__org_id", flat=True)[:ROOM])


def write_list(policy: SuspensionPolicy, *, holder: str) -> frozenset[str] | None:
    """Makes the policy list the organisations that it should. Returns them, or None if another worker is writing it.

    Raises Misconfigured, Throttled or Unreachable. The caller then has to try again.
    """
    if not Lease.objects.take(_LEASE, holder=holder, seconds=_LEASE_SECONDS):
        return None
    try:
        while True:
            orgs = orgs_to_list()
            if _read(policy) != orgs:
                policy.write(orgs)
                _log.info("suspension list written", extra={"listed": len(orgs)})
            _note_denied(orgs)
            if orgs_to_list() == orgs:
                _log_lack_of_room()
                return orgs
    finally:
        Lease.objects.give_back(_LEASE, holder=holder)


def _read(policy: SuspensionPolicy) -> frozenset[str] | None:
    """None for a text that the portal did not write. If reading fails with Misconfigured, so will the write."""
    try:
        return policy.listed()
    except Misconfigured as error:
        _log.warning("replacing a suspension list that the portal did not write", extra={"why": error.why})
        return None


def _note_denied(orgs: frozenset[str]) -> None:
    for suspension in to_deny().filter(denied_at=None, tenant__org_id__in=orgs).select_related("tenant"):
        with transaction.atomic():
            if Suspension.objects.filter(pk=suspension.pk, denied_at=None).update(denied_at=timezone.now()):
                tenant = suspension.tenant
                record(Action.TENANT_DENIED, by=WORKER, org=tenant.org_id, target=tenant.name)


def _log_lack_of_room() -> None:
    waiting = to_deny().count() - ROOM
    if waiting > 0:
        _log.error("more tenants are suspended than the policy has room for", extra={"waiting": waiting})


@dataclass(slots=True)
class ThirdRing:
    """Keeps the policy's list correct: writes it when the rows change, and compares it every minute.

    `problem` is why the last write failed, None if it did not. `next_look_at` is on the monotonic clock.
    """

    policy: SuspensionPolicy
    holder: str
    problem: PortalError | None = None
    next_look_at: float = 0.0
    _written: frozenset[str] | None = None
    _pause: float = FIRST_PAUSE_SECONDS

    def tick(self) -> None:
        now = time.monotonic()
        if now < self.next_look_at and (self.problem is not None or orgs_to_list() == self._written):
            return
        try:
            self._written = write_list(self.policy, holder=self.holder)
        except PortalError as error:
            _log.error("suspension list not written", extra={"why": error.for_operators})
            self.problem, self._written = error, None
            self.next_look_at, self._pause = now + self._pause, min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
            return
        self.problem, self._pause = None, FIRST_PAUSE_SECONDS
        self.next_look_at = now + (VERIFY_SECONDS if self._written is not None else FIRST_PAUSE_SECONDS)
