"""A suspension as steps on its tenant's page, in the order in which they happened, and when the page renews itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from tenants.lifecycle.suspension import Rings, rings
from tenants.models import Suspension

# A page that renews itself keeps its session from ending unused. A suspension that takes longer than this is blocked.
RENEWS_FOR = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class ProgressStep:
    """`state` is done, under way or waiting."""

    label: str
    state: str
    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """`countdown` is when the last credentials expire, in words that stay true; "" while that is not known.

    `renews`: something is pending, so the page loads this part again by itself. `stopped`: somebody asked it not to.
    """

    steps: Sequence[ProgressStep]
    countdown: str
    as_of: datetime
    renews: bool
    stopped: bool


def suspension_progress(suspension: Suspension, *, stopped: bool) -> Progress:
    now, reached = timezone.now(), rings(suspension)
    is_new = now < max(suspension.began_at, suspension.deny_since) + RENEWS_FOR
    return Progress(
        steps=_steps(reached),
        countdown=_countdown(reached, now),
        as_of=now,
        renews=not reached.is_over and is_new and not stopped,
        stopped=stopped and not reached.is_over,
    )


def _steps(reached: Rings) -> tuple[ProgressStep, ...]:
    portal, cognito, credentials, end = reached.sentences
    refused_at = reached.denied_at or (reached.ended_at if reached.is_over else None)
    between = [
        (reached.signed_out_at, ProgressStep("Cognito", _state(reached.signed_out_at), cognito)),
        (refused_at, ProgressStep("Credentials already issued", _state(refused_at), credentials)),
    ]
    # Whichever was reached first stands first: the policy is often written before the last member is signed out.
    between.sort(key=lambda pair: (pair[0] is None, pair[0] or reached.portal_at))
    expired = "done" if reached.is_over else "under way" if reached.signed_out_at else "waiting"
    return (
        ProgressStep("Portal", "done", portal),
        *(step for _, step in between),
        ProgressStep("Everything expired", expired, end),
    )


def _state(at: datetime | None) -> str:
    return "done" if at else "under way"


def _countdown(reached: Rings, now: datetime) -> str:
    if reached.is_over or reached.ended_at is None:
        return ""
    left = _ahead(reached.ended_at - now)
    ends_at, now = timezone.localtime(reached.ended_at), timezone.localtime(now)
    return f"The last old credential expires by {ends_at:%H:%M %Z}: {left} from {now:%H:%M:%S %Z}."


def _ahead(left: timedelta) -> str:
    minutes = -(-left // timedelta(minutes=1))
    return "less than a minute" if left < timedelta(minutes=1) else f"{minutes} minutes"
