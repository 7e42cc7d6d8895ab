"""The numbers of the operators' first page: tenants by state, sign-ups, provisioning, suspensions under way, mails.

Every count stops at a limit and every list at a few rows, so the page costs about the same with any number of tenants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from tenants.domain.suspension_policy import ROOM
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.suspension import to_deny
from tenants.models import (
    SILENT_AFTER,
    Drift,
    MailOutage,
    Member,
    OutgoingMail,
    Provisioning,
    ProvisioningHour,
    Reconciliation,
    SignUp,
    SignUpState,
    Suspension,
    Tenant,
    Worker,
)
from tenants.provisioning.halt import why_halted

MOST_TENANTS, MOST_MEMBERS, MOST_MAILS = 100_000, 10_000, 10_000
WEEKS, HOURS = 12, 24
MOST_LISTED = 10
# A worker that was killed leaves its row behind. It is listed as silent for this long.
_SHOWN_FOR = timedelta(days=1)
_WEEK, _HOUR = timedelta(weeks=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are, or the limit of the count with `and_more` if there are more."""

    value: int
    and_more: bool = False

    def __str__(self) -> str:
        return f"{self.value:,}{'+' if self.and_more else ''}"

    def __bool__(self) -> bool:
        return self.value > 0


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days from Monday, midnight UTC."""

    begins: datetime
    sign_ups: Count

    @property
    def ends(self) -> datetime:
        return self.begins + _WEEK


@dataclass(frozen=True, slots=True)
class Hour:
    """`applied` counts changes made in Cognito, `throttled` calls, `failed` attempts at a member."""

    begins: datetime
    applied: int = 0
    throttled: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Backlog:
    """Members by provisioning. `waits_since` is when the first due member could have been taken by a worker.

    None if no member is due, and if all due members wait for their next attempt.
    """

    due: Count
    stuck: Count
    conflict: Count
    waits_since: datetime | None


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """`unwritten` is why it could not write the policy SuspendedTenants, or ""."""

    name: str
    started_at: datetime
    beat_at: datetime
    is_silent: bool
    applied: int
    throttled: int
    failed: int
    unwritten: str


@dataclass(frozen=True, slots=True)
class SuspensionsUnderWay:
    """Suspensions whose members may hold credentials that still work. `longest` are the first `MOST_LISTED` of them."""

    count: Count
    not_signed_out: Count
    longest: tuple[Suspension, ...]

    @property
    def without_room(self) -> int:
        """How many are not in the policy because it is full."""
        return max(0, self.count.value - ROOM)


@dataclass(frozen=True, slots=True)
class Mails:
    """The portal's own mails that wait, and those of the last week that were given up; `newest` is the last of them.

    `outage` is there while the mail server takes nothing. `few_from_cognito`: Cognito sends its mails itself, at most
    50 a day of the whole pool.
    """

    waiting: Count
    given_up: Count
    newest: OutgoingMail | None
    outage: MailOutage | None
    few_from_cognito: bool


@dataclass(frozen=True, slots=True)
class FailedSignUps:
    """Sign-ups that no invitation reaches, until they expire. `newest_why` is "" where there are none."""

    count: Count
    newest_why: str


@dataclass(frozen=True, slots=True)
class Strangers:
    """Users of the pool whom the portal did not make. The enabled ones can sign in, and AWS gives them rows."""

    enabled: Count
    disabled: Count


@dataclass(frozen=True, slots=True)
class Overview:
    """As of `at`. `weeks` and `hours` begin with the oldest and have no gap.

    `halted` is why nobody can be provisioned, or "". `comparison` is the newest one of the whole pool, if there is any,
    and `complete` the newest that came to its end; `strangers` are the users of that one whom the portal did not make.
    """

    at: datetime
    states: Mapping[TenantState, Count]
    weeks: tuple[Week, ...]
    hours: tuple[Hour, ...]
    backlog: Backlog
    halted: str
    workers: tuple[WorkerStatus, ...]
    comparison: Reconciliation | None
    complete: Reconciliation | None
    strangers: Strangers
    under_way: SuspensionsUnderWay
    mails: Mails
    failed_sign_ups: FailedSignUps

    @property
    def working(self) -> int:
        """How many workers are running."""
        return sum(not worker.is_silent for worker in self.workers)


def overview(now: datetime | None = None) -> Overview:
    """With one query for all counts, and one for each list. `now` None is the present."""
    now = now or timezone.now()
    newest, complete = Reconciliation.objects.newest_and_complete()
    counts = _counts(now, complete)
    return Overview(
        at=now,
        states={state: counts[state] for state in TenantState},
        weeks=tuple(Week(begins, counts[begins.isoformat()]) for begins in _weeks(now)),
        hours=_hours(now),
        backlog=Backlog(counts[Provisioning.DUE], counts["stuck"], counts["conflict"], _waits_since(now)),
        halted=why_halted(),
        workers=tuple(_workers(now)),
        comparison=newest,
        complete=complete,
        strangers=Strangers(counts["strangers"], counts["disabled strangers"]),
        under_way=SuspensionsUnderWay(
            counts["under way"],
            counts["not signed out"],
            tuple(to_deny(now).order_by("began_at", "pk").select_related("tenant")[:MOST_LISTED]),
        ),
        mails=Mails(
            counts["mails waiting"],
            counts["mails given up"],
            _given_up().order_by("-created_at").first(),
            MailOutage.objects.first(),
            few_from_cognito=settings.COGNITO_MAILS == "cognito-default",
        ),
        failed_sign_ups=_failed_sign_ups(counts["failed sign-ups"]),
    )


def _counts(now: datetime, complete: Reconciliation | None) -> dict[str, Count]:
    tenants: dict[str, QuerySet[Any]] = {state: Tenant.objects.filter(state=state) for state in TenantState}
    for begins in _weeks(now):
        tenants[begins.isoformat()] = Tenant.objects.filter(created_at__gte=begins, created_at__lt=begins + _WEEK)
    unsettled = (Provisioning.DUE, Provisioning.STUCK, Provisioning.CONFLICT)
    others: dict[str, QuerySet[Any]] = {state: Member.objects.filter(provisioning=state) for state in unsettled}
    others["under way"] = to_deny(now)
    others["not signed out"] = to_deny(now).filter(signed_out_at=None)
    strangers = Drift.objects.filter(reconciliation=complete).strangers()
    others["strangers"] = strangers.that_can_sign_in()
    others["disabled strangers"] = strangers.filter(seen_enabled=False)
    limited = [(name, rows, MOST_TENANTS) for name, rows in tenants.items()]
    limited += [(name, rows, MOST_MEMBERS) for name, rows in others.items()]
    limited.append(("mails waiting", OutgoingMail.objects.filter(due_at__isnull=False), MOST_MAILS))
    limited.append(("mails given up", _given_up(), MOST_MAILS))
    limited.append(("failed sign-ups", SignUp.objects.filter(state=SignUpState.FAILED), MOST_MAILS))
    return _count_at_once(limited)


def _count_at_once(limited: Iterable[tuple[str, QuerySet[Any], int]]) -> dict[str, Count]:
    """Counts (name, rows, limit) in one query, each up to its limit."""
    limited = list(limited)
    parts: list[str] = []
    parameters: list[Any] = []
    for _, rows, most in limited:
        sql, given = rows.order_by().values("pk")[: most + 1].query.sql_with_params()
        parts.append(f"(SELECT COUNT(*) FROM ({sql}) AS counted)")  # noqa: S608 - the ORM's own, with placeholders
        parameters += given
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", parameters)
        values = cursor.fetchone()
    return {
        name: Count(min(value, most), and_more=value > most)
        for (name, _, most), value in zip(limited, values, strict=True)
    }


def _weeks(now: datetime) -> list[datetime]:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = today - timedelta(days=today.weekday())
    return [monday - _WEEK * ago for ago in reversed(range(WEEKS))]


def _hours(now: datetime) -> tuple[Hour, ...]:
    last = now.replace(minute=0, second=0, microsecond=0)
    begin = [last - _HOUR * ago for ago in reversed(range(HOURS))]
    known = {row.hour: row for row in ProvisioningHour.objects.filter(hour__gte=begin[0], hour__lte=last)}
    return tuple(
        Hour(hour, row.applied, row.throttled, row.failed) if (row := known.get(hour)) else Hour(hour) for hour in begin
    )


def _given_up() -> QuerySet[OutgoingMail]:
    return OutgoingMail.objects.filter(due_at=None, sent_at=None)


def _failed_sign_ups(count: Count) -> FailedSignUps:
    failed = SignUp.objects.filter(state=SignUpState.FAILED) if count.value else SignUp.objects.none()
    return FailedSignUps(count, failed.order_by("-created_at").values_list("last_error", flat=True).first() or "")


def _waits_since(now: datetime) -> datetime | None:
    due = Member.objects.filter(provisioning=Provisioning.DUE).order_by("due_at", "pk")
    longest = due.values_list("due_at", flat=True).first()
    return longest if longest and longest <= now else None


def _workers(now: datetime) -> Iterable[WorkerStatus]:
    alive = Worker.objects.filter(stopped_at=None, beat_at__gt=now - _SHOWN_FOR)
    for row in alive.order_by("-beat_at")[:MOST_LISTED]:
        yield WorkerStatus(
            name=row.name,
            started_at=row.started_at,
            beat_at=row.beat_at,
            is_silent=now - row.beat_at > SILENT_AFTER,
            applied=row.applied,
            throttled=row.throttled,
            failed=row.failed,
            unwritten=row.unwritten,
        )
