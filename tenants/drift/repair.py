"""Repairs differences: makes the member due, and provisions them as every member is provisioned.

Never touches a user of another organisation, or one whom the portal does not know. Leaves members alone that are stuck:
what their row says has to be mended first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.aws.directory import Directory
from tenants.domain.actor import Actor
from tenants.domain.errors import Unreachable
from tenants.drift.comparison import in_short
from tenants.members.roster import mark_due
from tenants.models import Drift, DriftKind, Member, Provisioning, Reconciliation
from tenants.provisioning.one_member import changes_for, provision_member_now
from tenants.provisioning.pace import Pacer
from tenants.provisioning.results import Outcome
from tenants.sign_in.endings import end_sessions_of

REPAIRED_KINDS = (DriftKind.MISSING_USER, DriftKind.ROLE, DriftKind.ENABLED)
# So many users, or this share of the members, are created again without being asked for. A wrong pool misses more.
FEW, SHARE = 5, 0.05
_MOST_FAILURES = 3
_MANY = 200
_WAIT_SECONDS, _LOOK_AGAIN_SECONDS = 10.0, 0.25


def repairable(run: Reconciliation) -> QuerySet[Drift]:
    """Differences that a repair may still end."""
    left = run.drifts.filter(kind__in=REPAIRED_KINDS, repaired_at=None, member__isnull=False)
    return left.exclude(member__provisioning=Provisioning.STUCK)


def too_many_to_recreate(run: Reconciliation, *, members: int, allowed: int) -> str:
    """Why nothing may be repaired unless the number of missing users is given; "" where repairing may begin."""
    missing = repairable(run).filter(kind=DriftKind.MISSING_USER).count()
    limit = max(FEW, int(members * SHARE), allowed)
    if missing <= limit:
        return ""
    return (
        f"{missing} of {members} members have no user in this pool. More than {limit} are created again only when you "
        "give their number, since each gets a new invitation. Nothing was repaired. Make sure that "
        f"COGNITO_USER_POOL_ID is right. If it is: `{how_to_recreate(run, missing)}`."
    )


def how_to_recreate(run: Reconciliation, count: int) -> str:
    only = f"--tenant {run.tenant.slug} " if run.tenant else ""
    return f"manage.py reconcile {only}--repair --recreate {count}"


def fate(drift: Drift) -> str:
    """In words, what happened or will happen to a difference; "" for one that the command is to repair."""
    member = drift.member
    if drift.repaired_at:
        return "repaired"
    if drift.kind == DriftKind.WAITING:
        return "nothing to do"
    if drift.kind not in REPAIRED_KINDS or member is None:
        return "shown only"
    if member.provisioning == Provisioning.DUE:
        return "left to the worker"
    if member.provisioning == Provisioning.STUCK:
        return f"{Provisioning.STUCK}: {member.last_error}"
    return ""


def planned_repair(drift: Drift, *, directory: Directory, pacer: Pacer) -> list[str]:
    """In words, what repairing will do for the member of a difference. Looks where a worker would look."""
    if fate(drift) or drift.member is None:
        return []
    return changes_for(drift.member, directory=directory, pacer=pacer) or ["take over the user with this address"]


@dataclass(slots=True)
class Repair:
    """`before_each` is called before each member and may raise; `pause` waits so many seconds.

    `tell` hears how many members were handled of about how many.
    """

    run: Reconciliation
    directory: Directory
    pacer: Pacer
    holder: str
    by: Actor
    before_each: Callable[[], None]
    pause: Callable[[float], object]
    tell: Callable[[int, int], None]
    _failures: int = 0
    _some_with_workers: bool = False

    def repair_all(self) -> None:
        """Raises Unreachable once Cognito fails again and again. Members begun so far are left to the worker."""
        self._one_by_one()
        waited = 0.0
        while self._some_with_workers and self._left_to_workers().exists() and waited < _WAIT_SECONDS:
            self.before_each()
            self.pause(_LOOK_AGAIN_SECONDS)
            waited += _LOOK_AGAIN_SECONDS
        if self._some_with_workers:
            self._one_by_one()

    def _one_by_one(self) -> None:
        done, last, about = 0, 0, repairable(self.run).values("member").distinct().count()
        while some := self._after(last):
            for pk in some:
                self.before_each()
                self._repair_one(pk)
                last, done = pk, done + 1
                self.tell(done, about)

    def _after(self, last: int) -> list[int]:
        rows = repairable(self.run).filter(member__gt=last).order_by("member")
        return list(rows.values_list("member", flat=True).distinct()[:_MANY])

    def _left_to_workers(self) -> QuerySet[Drift]:
        return repairable(self.run).filter(member__provisioning=Provisioning.DUE, member__attempts=0)

    def _repair_one(self, pk: int) -> None:
        member = self._mark_due(pk)
        if member is None:
            return
        outcome = provision_member_now(
            member, directory=self.directory, pacer=self.pacer, holder=self.holder, by=self.by
        )
        match outcome:
            case Outcome.SETTLED:
                self._failures = 0
                # A member who was removed meanwhile has no row any more.
                for now in _with_all(Member.objects.filter(pk=pk)):
                    self._note_repaired(now)
            case None:
                self._some_with_workers = True
            case Outcome.LATER:
                self._failures += 1
                if self._failures == _MOST_FAILURES:
                    raise Unreachable(
                        "The user pool (Cognito)", "it took none of the last repairs; the worker goes on with them"
                    )

    def _mark_due(self, pk: int) -> Member | None:
        """None where another transaction has locked it. Where the user matches by now, the attempt makes no call."""
        with transaction.atomic():
            rows = Member.objects.filter(pk=pk).select_for_update(skip_locked=True, of=("self",))
            member = _with_all(rows).first()
            if member is None:
                self._some_with_workers = True
            if member is None or member.provisioning == Provisioning.DUE:
                return member
            mark_due(Member.objects.filter(pk=pk), sign_out=True)
            # Some of them began while somebody outside the portal had made the user another one.
            end_sessions_of(member.person_id)
        return member

    def _note_repaired(self, member: Member) -> None:
        """As the user is by now, since the member may have been changed meanwhile."""
        with transaction.atomic():
            rows = self.run.drifts.filter(member=member, kind__in=REPAIRED_KINDS, repaired_at=None)
            before = {drift.kind: drift.seen for drift in rows}
            rows.update(repaired_at=timezone.now())
            self.run.repaired += len(before)
            Reconciliation.objects.filter(pk=self.run.pk).update(repaired=self.run.repaired)
            record(
                Action.DRIFT_REPAIRED,
                by=self.by,
                org=member.org_id,
                target=str(member.person),
                before=before,
                after={kind: _as_it_is(kind, member) for kind in before},
            )


def _with_all(members: QuerySet[Member]) -> QuerySet[Member]:
    return members.select_related("person", "tenant")


def _as_it_is(kind: str, member: Member) -> str:
    match kind:
        case DriftKind.ROLE:
            return member.seen_role
        case DriftKind.ENABLED:
            return "enabled" if member.seen_enabled else "disabled"
        case _:
            return in_short(member.seen_role, enabled=bool(member.seen_enabled))
