"""The overview's numbers as Prometheus text. They come from the database, so every process of the portal says the same.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.db.models import Sum

from tenants.audit.reading import trail_head
from tenants.health.overview import MOST_MEMBERS, MOST_TENANTS, Overview, overview
from tenants.models import ProvisioningHour


@dataclass(frozen=True, slots=True)
class Metric:
    """`values` are by what `label` says; without a label there is one."""

    name: str
    kind: str
    says: str
    values: Mapping[str, float]
    label: str = ""


def metrics_text() -> str:
    return "".join(_lines(metric) for metric in _metrics(overview()))


def _lines(metric: Metric) -> str:
    name = f"portal_{metric.name}"
    samples = (
        f'{name}{{{metric.label}="{value}"}} {number:.15g}\n' if metric.label else f"{name} {number:.15g}\n"
        for value, number in metric.values.items()
    )
    return f"# HELP {name} {metric.says}\n# TYPE {name} {metric.kind}\n" + "".join(samples)


def _metrics(seen: Overview) -> Iterator[Metric]:
    states = {state.value: count.value for state, count in seen.states.items()}
    yield Metric("tenants", "gauge", f"Tenants, counted up to {MOST_TENANTS} in each state.", states, "state")
    yield from _provisioning(seen)
    yield from _worked()
    alive, without_room = seen.under_way.count.value, seen.under_way.without_room
    yield _gauge("suspensions_open", "Suspended tenants with credentials that may be alive.", alive)
    yield _gauge("suspensions_without_room", "Of these, those that the policy has no room for.", without_room)
    yield from _compared(seen)
    entries = "Entries of the audit trail since it began."
    yield Metric("audit_entries_total", "counter", entries, {"": trail_head().seq})


def _provisioning(seen: Overview) -> Iterator[Metric]:
    backlog = seen.backlog
    unsettled = {"due": backlog.due.value, "stuck": backlog.stuck.value, "conflict": backlog.conflict.value}
    says = f"Members that Cognito does not agree with, counted up to {MOST_MEMBERS} of each kind."
    yield Metric("members_unsettled", "gauge", says, unsettled, "provisioning")
    waits = (seen.at - backlog.waits_since).total_seconds() if backlog.waits_since else 0
    yield _gauge("provisioning_waits_seconds", "How long the member that is due longest has been waiting.", waits)
    yield _gauge("provisioning_halted", "Whether something is in every member’s way.", bool(seen.halted))
    workers = {"working": seen.working, "silent": len(seen.workers) - seen.working}
    says = "Workers of the last day that were not stopped, by whether they give signs of life."
    yield Metric("workers", "gauge", says, workers, "state")


def _worked() -> Iterator[Metric]:
    """Of all workers that ever were: a counter does not begin anew with a process."""
    names = {
        "applied": ("changes", "Changes made in Cognito."),
        "throttled": ("throttled", "Calls that Cognito throttled."),
        "failed": ("failed", "Times that a member could not be done."),
    }
    summed = ProvisioningHour.objects.aggregate(**{name: Sum(name) for name in names})
    for column, (name, says) in names.items():
        yield Metric(f"provisioning_{name}_total", "counter", says, {"": summed[column] or 0})


def _compared(seen: Overview) -> Iterator[Metric]:
    run = seen.comparison
    if run is None:
        return
    finished = "When the newest comparison of the whole pool ended; 0 while it has not."
    yield _gauge("comparison_finished_seconds", finished, run.finished_at.timestamp() if run.finished_at else 0)
    yield _gauge("comparison_drift", "Differences that it found and did not repair.", run.found - run.repaired)


def _gauge(name: str, says: str, value: float) -> Metric:
    return Metric(name, "gauge", says, {"": value})
