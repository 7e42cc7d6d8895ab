"""How far a suspension has come: the portal, Cognito, and credentials that were issued before.

These are its three rings. The portal refuses members at once (`transitions`). Here the second ring is recorded, and the
third is decided; `suspension_list` writes the policy.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.domain.actor import WORKER
from tenants.domain.dates import formatted
from tenants.domain.suspension_policy import ROOM
from tenants.models import Closing, Member, Provisioning, Suspension, Tenant

# How long credentials may still work after the sign-out. An ID token from just before it can be exchanged for
# credentials for ten minutes, and those live an hour. Five minutes are for clocks that differ and for IAM to spread.
OUTLIVES = timedelta(minutes=10) + timedelta(minutes=60) + timedelta(minutes=5)
# Members who may still get credentials. A settled member who was seen to be enabled was enabled outside the portal. A
# member in conflict has no user of this organisation, so they can get none.
_NOT_SIGNED_OUT = Q(provisioning__in=[Provisioning.DUE, Provisioning.STUCK]) | Q(
    provisioning=Provisioning.SETTLED, seen_enabled=True
)


@dataclass(frozen=True, slots=True)
class Rings:
    """When each ring was reached; None for one that has not been reached.

    `members_left` are not signed out yet. `waits_for_room`: the policy's list is full, and older suspensions go first.
    `ended_at` is when the last credentials issued before expire, None while that is not known; `is_over` after that.
    """

    portal_at: datetime
    signed_out_at: datetime | None
    denied_at: datetime | None
    ended_at: datetime | None
    members_left: int
    waits_for_room: bool
    lifted_at: datetime | None
    is_over: bool

    @property
    def all_reached(self) -> bool:
        """Whether no member can do anything: their credentials are denied or have expired."""
        return self.signed_out_at is not None and (self.denied_at is not None or self.is_over)

    @property
    def sentences(self) -> tuple[str, str, str, str]:
        """A sentence each about the portal, Cognito, credentials issued before, and the end."""
        return (
            f"The portal has refused its members since {_when(self.portal_at)}.",
            self._cognito(),
            self._credentials(),
            self._end(),
        )

    def _cognito(self) -> str:
        if self.signed_out_at:
            return f"Cognito has issued no new credentials to them since {_when(self.signed_out_at)}."
        if self.lifted_at:
            return "The suspension was lifted before all members were signed out in Cognito."
        left = "1 member has" if self.members_left == 1 else f"{self.members_left} members have"
        return f"Cognito: {left} not been disabled and signed out yet."

    def _credentials(self) -> str:
        if self.denied_at:
            return f"AWS has refused the credentials they held since {_when(self.denied_at)}."
        if self.lifted_at:
            return "The suspension was lifted before AWS refused the credentials they held."
        if self.is_over:
            return "The credentials they held expired before AWS had room to refuse them."
        if self.waits_for_room:
            return (
                f"AWS does not yet refuse the credentials they hold: its list has room for {ROOM} tenants and is full."
            )
        return "AWS does not yet refuse the credentials they hold."

    def _end(self) -> str:
        if self.lifted_at:
            return f"Lifted: {_when(self.lifted_at)}."
        if self.ended_at and self.is_over:
            return f"All credentials issued before had expired by {_when(self.ended_at)}."
        if self.ended_at:
            return f"All credentials issued before expire by {_when(self.ended_at)}."
        minutes = OUTLIVES // timedelta(minutes=1)
        return f"Credentials issued before expire within {minutes} minutes after all members are signed out in Cognito."


def rings(suspension: Suspension) -> Rings:
    """How far it has come, as of now."""
    standing = suspension.lifted_at is None
    over = suspension.deny_until is not None and suspension.deny_until <= timezone.now()
    return Rings(
        portal_at=suspension.began_at,
        signed_out_at=suspension.signed_out_at,
        denied_at=suspension.denied_at,
        ended_at=suspension.deny_until,
        members_left=_not_signed_out(suspension.tenant_id).count() if standing and not suspension.signed_out_at else 0,
        waits_for_room=standing and not over and suspension.denied_at is None and _is_beyond_room(suspension),
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
        standing.filter(tenant__in=open_again).update(denied_at=None, deny_since=timezone.now())
        closings = Closing.objects.filter(tenant__in=open_again, ended_at=None, purged_at=None)
        closings.exclude(exported_at=None).update(exported_at=None, exports=F("exports") + 1)
    standing.exclude(signed_out_at=None).update(signed_out_at=None, deny_until=None)


def note_signed_out() -> int:
    """Records the suspensions whose members are all signed out in Cognito by now. Returns how many."""
    left = Member.objects.filter(_NOT_SIGNED_OUT, tenant=OuterRef("tenant"))
    reached = Suspension.objects.filter(~Exists(left), lifted_at=None, signed_out_at=None).select_related("tenant")
    return sum(_note_signed_out(suspension) for suspension in reached)


def _note_signed_out(suspension: Suspension) -> bool:
    with transaction.atomic():
        tenant = Tenant.objects.locked(suspension.tenant)
        if _not_signed_out(tenant.pk).exists():
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
    """The suspensions whose members may hold credentials that still work. `now` None is the present.

    Tenants that are in the policy come first, then the oldest suspensions.
    """
    alive = Q(deny_until=None) | Q(deny_until__gt=now or timezone.now())
    first = F("denied_at").asc(nulls_last=True)
    return Suspension.objects.filter(alive, lifted_at=None).order_by(first, "began_at", "pk")


def not_denied_since() -> datetime | None:
    """Since when the tenant that waits longest has waited for AWS to refuse its credentials. None if none waits."""
    waiting = to_deny().filter(denied_at=None)
    return waiting.order_by("deny_since").values_list("deny_since", flat=True).first()


def waiting_for_room() -> QuerySet[Suspension]:
    """The suspensions that the policy should list and has no room for, those first that come in next."""
    return to_deny().select_related("tenant")[ROOM:]


def _is_beyond_room(suspension: Suspension) -> bool:
    older = Q(began_at__lt=suspension.began_at) | Q(began_at=suspension.began_at, pk__lt=suspension.pk)
    return to_deny().filter(older | Q(denied_at__isnull=False)).count() >= ROOM


def _not_signed_out(tenant_id: int) -> QuerySet[Member]:
    return Member.objects.filter(_NOT_SIGNED_OUT, tenant_id=tenant_id)


def _when(at: datetime) -> str:
    return formatted(timezone.localtime(at), seconds=True)
