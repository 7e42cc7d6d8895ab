"""The third ring: the list of suspended organisations in the policy SuspendedTenants.

The list is always made from the rows and compared with what the policy says. So suspensions at the same time, lost
writes and edits by hand all end in the same list.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace

from django.db import transaction
from django.utils import timezone

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.aws.suspension_policy import SuspensionPolicy
from tenants.domain.actor import WORKER
from tenants.domain.errors import Misconfigured, PortalError
from tenants.domain.suspension_policy import ROOM
from tenants.lifecycle.suspension import to_deny, waiting_for_room
from tenants.models import Lease, Suspension

_log = logging.getLogger(__name__)
# Somebody waits for the list, so a writer that was killed, or that hangs in a call, keeps its turn no longer than this.
_LEASE, LEASE_SECONDS = "suspension-list", 3.0
FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 4.0
VERIFY_SECONDS = 60.0


def orgs_to_list() -> frozenset[str]:
    """The org ids that the policy should list: as many as it has room for. Tenants already in it stay in it."""
    return frozenset(str(org) for org in to_deny().values_list("tenant__org_id", flat=True)[:ROOM])


def write_list(policy: SuspensionPolicy, *, holder: str) -> frozenset[str] | None:
    """Makes the policy list the organisations that it should. Returns them, or None if another worker is writing it.

    Raises Misconfigured, Throttled or Unreachable. The caller then has to try again.
    """
    other = Lease.objects.filter(name=_LEASE).exclude(holder=holder).first()
    if not Lease.objects.take(_LEASE, holder=holder, seconds=LEASE_SECONDS):
        _log_turn_of(other)
        return None
    if other is not None:
        _log.warning("taking over from a worker that did not end its turn", extra={"holder": other.holder})
    try:
        return _write_until_current(policy, holder=holder, takes_over=other is not None)
    except _TurnLost:
        _log.warning("another worker has taken over the suspension list, since this one was slow")
        return None
    finally:
        Lease.objects.give_back(_LEASE, holder=holder)


class _TurnLost(Exception):
    """Another worker has had the lease since it was taken, so what this one has read may be old."""


def _write_until_current(policy: SuspensionPolicy, *, holder: str, takes_over: bool) -> frozenset[str]:
    """With `takes_over` it writes in any case: that takes the place which the former writer made for its own list."""

    def check() -> None:
        """Called between the calls to IAM, so a writer that hangs in one does not renew."""
        if not Lease.objects.renew(_LEASE, holder=holder, seconds=LEASE_SECONDS):
            raise _TurnLost

    while True:
        orgs = orgs_to_list()
        # A read of IAM may be old, so a list that is right already proves nothing for a tenant that is new in it.
        if takes_over or _are_new(orgs) or _read(policy) != orgs or not policy.is_full():
            replace(policy, check=check).write(orgs)
            takes_over = False
            _log.info("suspension list written", extra={"listed": len(orgs)})
        check()
        _note_denied(orgs)
        if orgs_to_list() == orgs:
            _log_lack_of_room()
            return orgs


def _are_new(orgs: frozenset[str]) -> bool:
    return to_deny().filter(denied_at=None, tenant__org_id__in=orgs).exists()


def _log_turn_of(other: Lease | None) -> None:
    if other is not None:
        facts = {"holder": other.holder, "until": other.until.isoformat()}
        _log.info("waiting for another worker to write the suspension list", extra=facts)


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
    if waiting := waiting_for_room().count():
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
            if self.problem is None or self.problem.for_operators != error.for_operators:
                _log.error("suspension list not written", extra={"why": error.for_operators})
            self.problem, self._written = error, None
            self.next_look_at, self._pause = now + self._pause, min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
            return
        self.problem, self._pause = None, FIRST_PAUSE_SECONDS
        self.next_look_at = now + (VERIFY_SECONDS if self._written is not None else FIRST_PAUSE_SECONDS)
