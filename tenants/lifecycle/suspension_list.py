"""The third ring: the list of suspended organisations in the policy SuspendedTenants."""

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


def listed_orgs() -> frozenset[str]:
    """The organisations that the policy should name: as many as it has room for. Who is in it stays in it."""
    return frozenset(str(org) for org in to_deny().values_list("tenant__org_id", flat=True)[:ROOM])


def write_list(policy: SuspensionPolicy, *, holder: str) -> frozenset[str] | None:
    """Makes the policy name who should be in it. None where another worker is at it; else what it names now.

    Raises Misconfigured, Throttled or Unreachable; the list is then to be written again.
    """
    if not Lease.objects.take(_LEASE, holder=holder, seconds=_LEASE_SECONDS):
        return None
    try:
        while True:
            orgs = listed_orgs()
            if _read(policy) != orgs:
                policy.write(orgs)
                _log.info("suspension list written", extra={"listed": len(orgs)})
            _note_denied(orgs)
            if listed_orgs() == orgs:
                _tell_who_waits()
                return orgs
    finally:
        Lease.objects.give_back(_LEASE, holder=holder)


def _read(policy: SuspensionPolicy) -> frozenset[str] | None:
    """None where it says something that nobody here wrote. Where it cannot be read, writing it will fail as well."""
    try:
        return policy.listed()
    except Misconfigured as error:
        _log.warning("suspension list to be replaced", extra={"why": error.why})
        return None


def _note_denied(orgs: frozenset[str]) -> None:
    for suspension in to_deny().filter(denied_at=None, tenant__org_id__in=orgs).select_related("tenant"):
        with transaction.atomic():
            if Suspension.objects.filter(pk=suspension.pk, denied_at=None).update(denied_at=timezone.now()):
                tenant = suspension.tenant
                record(Action.TENANT_DENIED, by=WORKER, org=tenant.org_id, target=tenant.name)


def _tell_who_waits() -> None:
    waiting = to_deny().count() - ROOM
    if waiting > 0:
        _log.error("more tenants are suspended than the policy has room for", extra={"waiting": waiting})


VERIFY_SECONDS = 60.0


@dataclass(slots=True)
class ThirdRing:
    """Keeps the suspension list as it should be: at once when it changed, and looked at every minute."""

    policy: SuspensionPolicy
    holder: str
    problem: PortalError | None = None
    _written: frozenset[str] | None = None
    _look_at: float = 0.0
    _pause: float = FIRST_PAUSE_SECONDS

    def tick(self) -> None:
        now = time.monotonic()
        if now < self._look_at and (self.problem is not None or listed_orgs() == self._written):
            return
        try:
            self._written = write_list(self.policy, holder=self.holder)
        except PortalError as error:
            _log.error("suspension list not written", extra={"why": error.for_operators})
            self.problem, self._written = error, None
            self._look_at, self._pause = now + self._pause, min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
            return
        self.problem, self._pause = None, FIRST_PAUSE_SECONDS
        self._look_at = now + (VERIFY_SECONDS if self._written is not None else FIRST_PAUSE_SECONDS)
