"""The consequences of a tenant's step, as sentences for both doors, before it is taken. Changes nothing.

The calls to Cognito are planned by the same `plan` that the worker uses, for the members as they are, so what is
announced is what happens. The number of queries is fixed, however many members there are.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django.utils import timezone

from tenants.domain.dates import formatted
from tenants.domain.suspension_policy import ROOM
from tenants.domain.tenant_state import MOST_GRACE_DAYS, TenantState, in_words
from tenants.domain.user_plan import Change, Conflict, Create, Delete, Disable, Enable, SetRole, SignOut
from tenants.lifecycle.suspension import OUTLIVES, to_deny
from tenants.lifecycle.transitions import state_after_reopening
from tenants.members.in_cognito import no_worker
from tenants.members.roster import planned_changes as planned_for
from tenants.models import Closing, Member, Person, Provisioning, Tenant

_PLANNED_BY = (
    "tenant_id", "role", "enabled", "removed", "provisioning", "seen_org", "seen_role", "seen_enabled", "seen_status",
    "sign_out",
)  # fmt: skip
_AND_WHETHER = {
    "has_address": ~Q(person__email=""), "has_sub": Q(person__sub__isnull=False), "was_seen": Q(seen_at__isnull=False),
}  # fmt: skip
_DONE_TO_THEM: dict[type[Change], str] = {
    Create: "created",
    SetRole: "given their role",
    Enable: "enabled",
    Disable: "disabled",
    SignOut: "signed out",
    Delete: "deleted",
}
_STAY = "Records, members and settings stay as they are."


def preview(tenant: Tenant, step: str) -> tuple[str, ...]:
    """A sentence each, in the order in which it happens. Raises KeyError for an unknown step."""
    return preview_for_all([tenant], step)


def preview_closing(tenant: Tenant, *, grace_days: int | None) -> tuple[str, ...]:
    """For `close` with this grace period, None for CLOSING_GRACE_DAYS. One that is too long is refused by `close`."""
    return tuple(_close([tenant], None if grace_days is None else min(grace_days, MOST_GRACE_DAYS)))


def preview_for_all(tenants: Sequence[Tenant], step: str) -> tuple[str, ...]:
    """For several tenants that the same step is taken with."""
    return tuple(_OF[step](tenants))


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls to Cognito: `planned` counts the members that get the same changes.

    `conflicts` counts members that are left alone, `disabled_alone` those that were disabled one by one.
    """

    planned: Counter[tuple[type[Change], ...]]
    members: int
    conflicts: int
    disabled_alone: int

    @property
    def duration(self) -> timedelta:
        """At the pace of `COGNITO_CALLS_PER_SECOND`, if workers have nothing else to do."""
        counts: Counter[str] = Counter()
        for changes, members in self.planned.items():
            for change in changes:
                counts[change.category] += members
        paces = settings.COGNITO_CALLS_PER_SECOND
        return timedelta(seconds=max((count / paces[category] for category, count in counts.items()), default=0))


def calls(tenants: Sequence[Tenant], to: Callable[[Tenant], str], *, sign_out: bool) -> Calls:
    """What the worker would do once each tenant is in the state that `to` returns for it. One query.

    With `sign_out` everybody is signed out, without only those who were to be already.
    """
    then = {tenant.pk: Tenant(pk=tenant.pk, org_id=tenant.org_id, state=to(tenant)) for tenant in tenants}
    alike = Member.objects.filter(tenant__in=tenants).order_by().values(*_PLANNED_BY, **_AND_WHETHER)
    planned: Counter[tuple[type[Change], ...]] = Counter()
    members = conflicts = disabled_alone = 0
    for group in alike.annotate(count=Count("pk")):
        count, one = group.pop("count"), _like(group, then, sign_out=sign_out)
        changes = planned_for(one)
        members += count
        disabled_alone += 0 if one.enabled or one.removed else count
        if isinstance(changes, Conflict) or one.provisioning == Provisioning.CONFLICT:
            conflicts += count
        elif changes:
            planned[tuple(type(change) for change in changes)] += count
    return Calls(planned, members, conflicts, disabled_alone)


def _like(group: dict[str, Any], then: Mapping[int, Tenant], *, sign_out: bool) -> Member:
    """A member as all of the group are. The plan depends on nothing else."""
    person = Person(
        sub=uuid.uuid4() if group.pop("has_sub") else None, email="one@of.many" if group.pop("has_address") else ""
    )
    seen_at = timezone.now() if group.pop("was_seen") else None
    sign_out |= group.pop("sign_out")
    return Member(**group, tenant=then[group["tenant_id"]], person=person, seen_at=seen_at, sign_out=sign_out)


def _suspend(tenants: Sequence[Tenant]) -> Iterator[str]:
    yield from _lock_out(calls(tenants, lambda _: TenantState.SUSPENDED, sign_out=True), tenants)
    yield f"{_STAY} Reactivating takes all of this back."


def _close(tenants: Sequence[Tenant], grace_days: int | None = None) -> Iterator[str]:
    expected = calls(tenants, lambda _: TenantState.CLOSING, sign_out=True)
    yield from _lock_out(expected, tenants)
    days = settings.CLOSING_GRACE_DAYS if grace_days is None else grace_days
    until = timezone.localtime() + timedelta(days=days)
    yield f"For {days} days, until {formatted(until)}, {_it(tenants)} can be reopened, and nothing is lost."
    yield "Meanwhile the closing job exports the records, to the place given with manage.py closing --export-to."
    yield "After that date the closing job deletes every record and verifies that none is left. This cannot be undone."
    yield (
        f"In the end {_members(expected.members)} deleted from Cognito. Name, org id and audit trail stay here "
        "for good, so that the org id is never used again."
    )


def _reactivate(tenants: Sequence[Tenant]) -> Iterator[str]:
    yield from _let_in(calls(tenants, lambda _: TenantState.ACTIVE, sign_out=False))


def _reopen(tenants: Sequence[Tenant]) -> Iterator[str]:
    states = {tenant.pk: state_after_reopening(tenant) for tenant in tenants}
    for tenant in tenants:
        yield f"{tenant} {in_words(states[tenant.pk])} again, as before the closing."
    thawed = [tenant for tenant in tenants if states[tenant.pk] != TenantState.SUSPENDED]
    if thawed:
        expected = calls(thawed, lambda tenant: states[tenant.pk], sign_out=False)
        works_again = any(states[tenant.pk] == TenantState.ACTIVE for tenant in thawed)
        yield from _let_in(expected) if works_again else _in_cognito(expected)
    for closing in Closing.objects.filter(tenant__in=tenants, ended_at=None).exclude(export_url=""):
        yield f"The export stays where it is: {closing.export_url}."


def _activate(tenants: Sequence[Tenant]) -> Iterator[str]:
    yield "From their next request on, the portal lets in the members that Cognito has by then."
    yield "This happens by itself once Cognito has the first owner. Do it by hand only if that was missed."
    yield from _in_cognito(calls(tenants, lambda _: TenantState.ACTIVE, sign_out=False))


def _rename(_: Sequence[Tenant]) -> Iterator[str]:
    yield "Members see the new name on the next page they open."
    yield "Short name, org id and records stay as they are. The audit trail keeps the name it had."


def _change_slug(_: Sequence[Tenant]) -> Iterator[str]:
    yield "Scripts and commands have to use the new short name from now on."
    yield "The old short name is free for others. Name, org id and records stay as they are."


def _change_plan(_: Sequence[Tenant]) -> Iterator[str]:
    yield "The plan is recorded here and in the audit trail."
    yield f"{_STAY} No member is signed out."


def _change_metadata(_: Sequence[Tenant]) -> Iterator[str]:
    yield "Only operators see the metadata, apart from keys that the schema marks for the organisation."
    yield "The old metadata stays in the audit trail."


def _change_contact(_: Sequence[Tenant]) -> Iterator[str]:
    yield "Operators and the organisation’s owners and admins see the contact. Nobody is mailed there by the portal."


def _change_domains(_: Sequence[Tenant]) -> Iterator[str]:
    yield "From now on only addresses at exactly these domains can be invited. Without any domain, all can."
    yield "Members stay as they are. Invitations that no worker has taken yet are refused if they do not fit."


_OF: dict[str, Callable[[Sequence[Tenant]], Iterator[str]]] = {
    "activate": _activate,
    "suspend": _suspend,
    "reactivate": _reactivate,
    "close": _close,
    "reopen": _reopen,
    "rename": _rename,
    "slug": _change_slug,
    "plan": _change_plan,
    "metadata": _change_metadata,
    "contact": _change_contact,
    "domains": _change_domains,
}


def _lock_out(expected: Calls, tenants: Sequence[Tenant]) -> Iterator[str]:
    yield "From the next request on, the portal lets no member in."
    yield from _in_cognito(expected)
    yield _credentials([tenant for tenant in tenants if tenant.suspended_at is None])
    minutes = int(OUTLIVES.total_seconds() // 60)
    yield f"Once all members are signed out, everything issued before expires within {minutes} minutes."
    if expected.disabled_alone:
        yield f"{_members(expected.disabled_alone)} disabled on their own, and stay so when others are enabled."


def _let_in(expected: Calls) -> Iterator[str]:
    yield "The portal lets members in again once they have signed in again."
    yield from _in_cognito(expected)
    yield "AWS stops refusing their credentials: the worker removes the org id from the policy SuspendedTenants."
    if expected.disabled_alone:
        yield f"{_members(expected.disabled_alone)} disabled on their own, and will stay so."


def _in_cognito(expected: Calls) -> Iterator[str]:
    done = [
        f"{_members(count)} {' and '.join(_DONE_TO_THEM[change] for change in changes)}"
        for changes, count in sorted(expected.planned.items(), key=lambda pair: -pair[1])
    ]
    if done:
        yield f"In Cognito, {', '.join(done)}{_pace(expected.duration)}."
    else:
        yield "In Cognito nothing has to be changed."
    if expected.conflicts:
        yield f"{_members(expected.conflicts)} left alone: in Cognito their addresses belong to another organisation."
    if done and (missing := no_worker()):
        yield missing


def _credentials(newly_denied: Sequence[Tenant]) -> str:
    if not newly_denied:
        return "AWS already refuses credentials issued before, and continues to until they expire."
    waiting = to_deny().count() + len(newly_denied) - ROOM
    if waiting > 0:
        return (
            f"Credentials already issued work for up to an hour: the policy SuspendedTenants has "
            f"room for {ROOM} tenants at a time and is full. {'It follows' if waiting == 1 else f'{waiting} follow'} "
            "as soon as others have left it."
        )
    return "AWS refuses credentials already issued as soon as the worker has written the policy SuspendedTenants."


def _members(count: int) -> str:
    return "1 member is" if count == 1 else f"{count:,} members are"


def _it(tenants: Sequence[Tenant]) -> str:
    return "it" if len(tenants) == 1 else "each"


def _pace(duration: timedelta) -> str:
    seconds = duration.total_seconds()
    if seconds <= 10:
        return ", within seconds"
    unit, amount = ("minute", seconds / 60) if seconds < 3600 else ("hour", seconds / 3600)
    rounded = max(1, round(amount))
    return f". At the pace that Cognito allows, this takes about {rounded} {unit}{'' if rounded == 1 else 's'}"
