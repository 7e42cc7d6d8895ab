"""The overview, the operators' first page: what needs attention, then tenants, provisioning and workers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import get_current_timezone_name, localtime

from tenants.audit.actions import Action
from tenants.domain.dates import formatted, formatted_day
from tenants.health.overview import HOURS, Count, Hour, Overview, Week
from tenants.health.overview import overview as look_over
from tenants.members.in_cognito import NO_WORKER
from tenants.models import DriftKind, Provisioning
from tenants.operators.charts import Chart, Column, Series, chart, share
from tenants.operators.decorators import page_view

# A worker takes a due member within a second. One that waits for longer than this needs attention.
_LONG = timedelta(minutes=5)
# A mail server that was restarted is back after less.
_SHORT = timedelta(minutes=1)
_PROVISIONING = (Series("Changes", "look-plain"), Series("Throttled", "look-warn"), Series("Failed", "look-bad"))
_SIGN_UPS = (Series("Sign-ups", "look-plain"),)


@dataclass(frozen=True, slots=True)
class Need:
    """Something that needs an operator's attention. `link` is the text for the address."""

    mood: str
    text: str
    link: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    value: str
    note: str = ""
    address: str = ""
    mood: str = ""


@dataclass(frozen=True, slots=True)
class StateRow:
    """`width` and `share` are of all tenants."""

    state: str
    count: Count
    address: str
    width: str
    share: str


@page_view
def overview(request: HttpRequest) -> HttpResponse:
    seen = look_over()
    context = {
        "overview": seen,
        "needs": list(_needs(seen)),
        "figures": list(_figures(seen)),
        "states": _states(seen),
        "has_tenants": any(seen.states.values()),
        "sign_ups": _sign_ups(seen.weeks),
        "provisioning": _provisioning(seen.hours),
        "hours": HOURS,
    }
    return render(request, "operators/overview.html", context)


def _needs(seen: Overview) -> Iterator[Need]:
    if seen.halted:
        entries = _list("audit", action=Action.PROVISIONING_HALTED)
        yield Need("bad", f"Nobody can be provisioned. {seen.halted}", "When it began", entries)
    yield from _waiting(seen)
    yield from _mails(seen)
    yield from _strangers(seen)
    backlog, comparison, complete = seen.backlog, seen.comparison, seen.complete or seen.comparison
    if backlog.stuck:
        text = f"Cognito cannot be made to match for {counted(backlog.stuck, 'member')}."
        yield Need("warn", text, "Stuck members", _list("members", provisioning=Provisioning.STUCK))
    if backlog.conflict:
        text = f"In Cognito somebody else’s user has the address of {counted(backlog.conflict, 'member')}."
        yield Need("warn", text, "Members in conflict", _list("members", provisioning=Provisioning.CONFLICT))
    if seen.under_way.without_room:
        text = f"The policy has no room for {counted(Count(seen.under_way.without_room), 'suspended tenant')}."
        yield Need("bad", f"{text} Their last credentials still work.", "Under way", "#under-way")
    unwritten = next((worker.unwritten for worker in seen.workers if worker.unwritten and not worker.is_silent), "")
    if unwritten and seen.under_way.count:
        text = f"The policy SuspendedTenants cannot be written. {unwritten.removesuffix('.')}."
        yield Need("bad", f"{text} Credentials of suspended tenants may still work.", "Under way", "#under-way")
    if comparison and comparison.last_error and not comparison.finished_at:
        yield Need("warn", "The last comparison with Cognito was interrupted.", "How far it came", _list("drift"))
    if complete and complete.found > complete.repaired:
        left = counted(Count(complete.found - complete.repaired), "difference")
        yield Need("warn", f"The last comparison with Cognito left {left}.", "Drift", _list("drift", repaired="no"))


def _strangers(seen: Overview) -> Iterator[Need]:
    """Users that the portal did not make, and comparisons that would have found them and were not made."""
    drift = _list("drift", kind=DriftKind.UNKNOWN_USER, repaired="no")
    if seen.strangers.enabled:
        text = f"Cognito has {counted(seen.strangers.enabled, 'user')} that the portal did not make."
        yield Need("bad", f"{text} Who signs in as one gets AWS credentials.", "What they reach", drift)
    if seen.strangers.disabled:
        text = f"Cognito has {counted(seen.strangers.disabled, 'disabled user')} that the portal did not make."
        yield Need("warn", text, "Drift", drift)
    every, ended = settings.RECONCILE_EVERY, seen.complete.finished_at if seen.complete else None
    if every and ended and seen.at - ended > max(3 * every, _LONG):
        age = age_text(seen.at - ended)
        yield Need("warn", f"The user pool was last compared {age} ago.", "How far it came", _list("drift"))


def _waiting(seen: Overview) -> Iterator[Need]:
    backlog, link = seen.backlog, ("Due members", _list("members", provisioning=Provisioning.DUE))
    if not seen.working:
        verb = "waits" if backlog.due == Count(1) else "wait"
        waits = f"{counted(backlog.due, 'member')} {verb}" if backlog.due else "new members wait"
        text = f"{NO_WORKER} Until then, {waits}."
        yield Need("bad" if backlog.due else "warn", text, *(link if backlog.due else ()))
    elif backlog.waits_since and seen.at - backlog.waits_since > _LONG:
        yield Need("warn", f"A member has waited for Cognito for {age_text(seen.at - backlog.waits_since)}.", *link)


def _mails(seen: Overview) -> Iterator[Need]:
    mails, link = seen.mails, ("Mails", "#mails")
    if mails.outage and seen.at - mails.outage.began_at > _SHORT:
        began, why = formatted(localtime(mails.outage.began_at)), mails.outage.why.removesuffix(".")
        yield Need("bad", f"The mail server has taken no mail since {began}: {why}.", *link)
    if mails.given_up:
        yield Need("warn", f"{counted(mails.given_up, 'mail')} of the last week could not be sent.", *link)


def _figures(seen: Overview) -> Iterator[Figure]:
    backlog = seen.backlog
    since = backlog.waits_since
    waits = f"the longest for {age_text(seen.at - since)}" if since else "for their next try" if backlog.due else ""
    yield Figure("Due", str(backlog.due), waits, _list("members", provisioning=Provisioning.DUE))
    yield Figure(
        "Stuck", str(backlog.stuck), "", _list("members", provisioning=Provisioning.STUCK), _bad_if(backlog.stuck)
    )
    conflicts = _list("members", provisioning=Provisioning.CONFLICT)
    yield Figure("Conflict", str(backlog.conflict), "", conflicts, _bad_if(backlog.conflict))
    throttled, failed = (sum(getattr(hour, name) for hour in seen.hours) for name in ("throttled", "failed"))
    yield Figure("Throttled calls", f"{throttled:,}", f"in the last {HOURS} hours")
    yield Figure("Failed tries", f"{failed:,}", f"in the last {HOURS} hours", mood=_bad_if(failed))
    workers = f"of {len(seen.workers)} heard of today" if len(seen.workers) > seen.working else ""
    yield Figure("Workers running", str(seen.working), workers, "#workers", "" if seen.working else "bad")


def _states(seen: Overview) -> list[StateRow]:
    every = sum(count.value for count in seen.states.values())
    return [
        StateRow(state, count, _list("tenants", state=state), share(count.value, every), _percent(count.value, every))
        for state, count in seen.states.items()
    ]


def _sign_ups(weeks: tuple[Week, ...]) -> Chart:
    columns = [
        Column(
            label=formatted_day(week.begins) + (" (so far)" if week is weeks[-1] else ""),
            tick=f"{week.begins:%-d %b}",
            values=(week.sign_ups.value,),
            shown=(str(week.sign_ups),),
            address=_list("tenants", week=f"{week.begins:%Y-%m-%d}") if week.sign_ups else "",
        )
        for week in weeks
    ]
    return chart(key="sign-ups", title="Sign-ups per week", head="Week from (UTC)", series=_SIGN_UPS, columns=columns)


def _provisioning(hours: tuple[Hour, ...]) -> Chart:
    columns = [
        Column(
            label=f"{localtime(hour.begins):%-d %B, %H:%M}",
            tick=f"{localtime(hour.begins):%H:%M}",
            values=(hour.applied, hour.throttled, hour.failed),
        )
        for hour in hours
    ]
    title = "Changes in Cognito per hour"
    return chart(
        key="provisioning",
        title=title,
        head=f"Hour from ({get_current_timezone_name()})",
        series=_PROVISIONING,
        columns=columns,
    )


def _list(name: str, **chosen: str) -> str:
    address = reverse(f"operators:{name}")
    return f"{address}?{urlencode(chosen)}" if chosen else address


def _bad_if(number: object) -> str:
    return "bad" if number else ""


def _percent(part: int, whole: int) -> str:
    percent = 100 * part / whole if whole else 0
    return f"{percent:.0f} %" if percent >= 1 or not part else "less than 1 %"


def counted(count: Count, noun: str) -> str:
    return f"1 {noun}" if count == Count(1) else f"{count} {noun}s"


def age_text(age: timedelta) -> str:
    """The largest unit alone: enough to see whether to worry."""
    for seconds, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        number = int(age.total_seconds()) // seconds
        if number:
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return "a moment"
