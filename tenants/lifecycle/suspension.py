"""The second and third ring around a tenant that may not work: Cognito, and credentials that were issued before.

The third is a list in a policy. It is always made anew from the rows and compared with what the policy really says, so
suspensions at the same time, lost writes and edits by hand all end in the same list.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.domain.actor import WORKER
from tenants.domain.suspension_policy import ROOM
from tenants.models import Closing, Member, Provisioning, Suspension, Tenant

_log = logging.getLogger(__name__)
# An ID token from just before the sign-out may be traded for credentials while it lives, and those live an hour. The
# rest is for clocks, and for IAM to tell all of its machines.
OUTLIVES = timedelta(minutes=10) + timedelta(minutes=60) + timedelta(minutes=5)
# In a conflict the user in the pool is another organisation's, so they have none with this one. Who was settled and is
# seen to be enabled was let in past the portal.
_NOT_DONE = Q(provisioning__in=[Provisioning.DUE, Provisioning.STUCK]) | Q(
    provisioning=Provisioning.SETTLED, seen_enabled=True
)


@dataclass(frozen=True, slots=True)
class Rings:
    """How far a suspension has come; None for a ring that has not been reached.

    `waits_for_room`: the list that the third ring is made of is full, and older suspensions go first. `ended_at` is
    when nothing issued before can live any longer, None where that is not known yet; `is_over` after that.
    """

    door_at: datetime
    signed_out_at: datetime | None
    denied_at: datetime | None
    ended_at: datetime | None
    members_left: int
    waits_for_room: bool
    lifted_at: datetime | None
    is_over: bool

    @property
    def all_reached(self) -> bool:
        """Whether nobody can do anything any more, be it since what they held has run out."""
        return self.signed_out_at is not None and (self.denied_at is not None or self.is_over)

    @property
    def in_words(self) -> tuple[str, str, str, str]:
        """The door, Cognito, credentials issued before, and when it is over: a sentence each."""
        return (
            f"The portal has let none of its members in since {_when(self.door_at)}.",
            self._cognito(),
            self._credentials(),
            self._end(),
        )

    def _cognito(self) -> str:
        if self.signed_out_at:
            return f"Cognito has given none of them new credentials since {_when(self.signed_out_at)}."
        if self.lifted_at:
            return "Not everybody had been signed out in Cognito before it was lifted."
        left = "1 member has" if self.members_left == 1 else f"{self.members_left} members have"
        return f"Cognito: {left} not been disabled and signed out yet."

    def _credentials(self) -> str:
        if self.denied_at:
            return f"AWS has refused the credentials they held since {_when(self.denied_at)}."
        if self.lifted_at:
            return "AWS had not begun to refuse the credentials they held when it was lifted."
        if self.is_over:
            return "The credentials they held ran out before AWS had room to refuse them."
        if self.waits_for_room:
            return (
                f"AWS does not yet refuse the credentials they hold: its list has room for {ROOM} tenants and is full."
            )
        return "AWS does not yet refuse the credentials they hold."

    def _end(self) -> str:
        if self.lifted_at:
            return f"Lifted: {_when(self.lifted_at)}."
        if self.ended_at and self.is_over:
            return f"Nothing issued before has been alive since {_when(self.ended_at)}."
        if self.ended_at:
            return f"Nothing issued before can be alive after {_when(self.ended_at)}."
        return f"Nothing issued before lives longer than {_minutes(OUTLIVES)} after everybody is signed out in Cognito."


def rings(suspension: Suspension) -> Rings:
    standing = suspension.lifted_at is None
    over = suspension.deny_until is not None and suspension.deny_until <= timezone.now()
    return Rings(
        door_at=suspension.began_at,
        signed_out_at=suspension.signed_out_at,
        denied_at=suspension.denied_at,
        ended_at=suspension.deny_until,
        members_left=_not_done(suspension.tenant_id).count() if standing and not suspension.signed_out_at else 0,
        waits_for_room=standing and not over and suspension.denied_at is None and _is_past_the_room(suspension),
        lifted_at=suspension.lifted_at,
        is_over=over,
    )


def begin_again(tenants: Collection[int]) -> None:
    """For tenants, by primary key, whose members may have got new credentials after all of them were signed out.

    Those whose time in the policy was over are written into it again. Their members may have written rows since, so
    an earlier export may be incomplete and is made again.
    """
    standing = Suspension.objects.filter(tenant__in=tenants, lifted_at=None)
    if open_again := list(standing.filter(deny_until__lte=timezone.now()).values_list("tenant", flat=True)):
        standing.filter(tenant__in=open_again).update(denied_at=None)
        closings = Closing.objects.filter(tenant__in=open_again, ended_at=None, purged_at=None)
        closings.exclude(exported_at=None).update(exported_at=None, exports=F("exports") + 1)
    standing.exclude(signed_out_at=None).update(signed_out_at=None, deny_until=None)


def note_signed_out() -> int:
    """Finds the suspensions that have reached the second ring, and writes it down. How many it was."""
    left = Member.objects.filter(_NOT_DONE, tenant=OuterRef("tenant"))
    found = Suspension.objects.filter(~Exists(left), lifted_at=None, signed_out_at=None)
    return sum(_note_signed_out(suspension) for suspension in found)


def _note_signed_out(suspension: Suspension) -> bool:
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().get(pk=suspension.tenant_id)
        if _not_done(tenant.pk).exists():
            return False
        now = timezone.now()
        standing = Suspension.objects.filter(pk=suspension.pk, lifted_at=None, signed_out_at=None)
        if not standing.update(signed_out_at=now, deny_until=now + OUTLIVES):
            return False
        until = (now + OUTLIVES).isoformat()
        record(
            Action.TENANT_SIGNED_OUT, by=WORKER, org=tenant.org_id, target=tenant.name, after={"denied_until": until}
        )
    return True


def to_deny(now: datetime | None = None) -> QuerySet[Suspension]:
    """Whose credentials from before may be alive: first those that are denied, then the oldest suspension."""
    alive = Q(deny_until=None) | Q(deny_until__gt=now or timezone.now())
    first = F("denied_at").asc(nulls_last=True)
    return Suspension.objects.filter(alive, lifted_at=None).order_by(first, "began_at", "pk")


def _is_past_the_room(suspension: Suspension) -> bool:
    older = Q(began_at__lt=suspension.began_at) | Q(began_at=suspension.began_at, pk__lt=suspension.pk)
    return to_deny().filter(older | Q(denied_at__isnull=False)).count() >= ROOM


def _not_done(tenant_id: int) -> QuerySet[Member]:
    return Member.objects.filter(_NOT_DONE, tenant_id=tenant_id)


def _minutes(length: timedelta) -> str:
    return f"{length // timedelta(minutes=1)} minutes"


def _when(at: datetime) -> str:
    return f"{at:%-d %B %Y, %H:%M:%S} UTC"
