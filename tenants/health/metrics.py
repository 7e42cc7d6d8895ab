"""The overview's numbers as Prometheus text. They come from the database, so all processes of the portal agree.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.db.models import Sum

from tenants.audit.reading import trail_head
from tenants.domain.circuit import shared_cache
from tenants.health.overview import MOST_MAILS, MOST_MEMBERS, MOST_TENANTS, Overview, overview
from tenants.lifecycle.suspension import not_denied_since
from tenants.models import Halted, ProvisioningHour
from tenants.provisioning.halt import is_halted


@dataclass(frozen=True, slots=True)
class Metric:
    """`values` are by the value of `label`; without a label there is one, by ""."""

    name: str
    kind: str
    help: str
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
    return f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n" + "".join(samples)


def _metrics(current: Overview) -> Iterator[Metric]:
    states = {state.value: count.value for state, count in current.states.items()}
    yield Metric("tenants", "gauge", f"Tenants, counted up to {MOST_TENANTS} in each state.", states, "state")
    yield from _provisioning(current)
    yield from _work_done()
    alive, without_room = current.under_way.count.value, current.under_way.without_room
    yield _gauge("suspensions_open", "Suspended tenants whose members may hold credentials that still work.", alive)
    yield _gauge("suspensions_without_room", "Of these, those that the policy has no room for.", without_room)
    since = not_denied_since()
    waits = (current.at - since).total_seconds() if since else 0
    help_text = "How long the suspended tenant that waits longest has waited for AWS to refuse its credentials."
    yield _gauge("suspension_denial_waits_seconds", help_text, max(0.0, waits))
    yield from _comparison(current)
    yield from _mails(current)
    failures = "Failures of the shared cache that the process which answers has met since it began."
    yield Metric("cache_failures_total", "counter", failures, {"": shared_cache().failures})
    entries = "Entries of the audit trail since it began."
    yield Metric("audit_entries_total", "counter", entries, {"": trail_head().seq})


def _provisioning(current: Overview) -> Iterator[Metric]:
    backlog = current.backlog
    unsettled = {"due": backlog.due.value, "stuck": backlog.stuck.value, "conflict": backlog.conflict.value}
    help_text = f"Members whose user in Cognito does not match, counted up to {MOST_MEMBERS} of each kind."
    yield Metric("members_unsettled", "gauge", help_text, unsettled, "provisioning")
    waits = (current.at - backlog.waits_since).total_seconds() if backlog.waits_since else 0
    yield _gauge("provisioning_waits_seconds", "How long the member that is due longest has waited.", waits)
    yield _gauge("provisioning_halted", "Whether nobody can be provisioned.", bool(current.halted))
    yield _gauge("invitations_halted", "Whether Cognito sends no mails at the moment.", is_halted(Halted.MAILS))
    workers = {"working": current.working, "silent": len(current.workers) - current.working}
    help_text = "Workers of the last day that were not stopped: working or silent."
    yield Metric("workers", "gauge", help_text, workers, "state")


def _work_done() -> Iterator[Metric]:
    """Of all workers since the first one: a counter must not begin again with a process."""
    names = {
        "applied": ("changes", "Changes made in Cognito."),
        "throttled": ("throttled", "Calls that Cognito throttled."),
        "failed": ("failed", "Failed attempts to make a member match."),
    }
    summed = ProvisioningHour.objects.aggregate(**{name: Sum(name) for name in names})
    for column, (name, help_text) in names.items():
        yield Metric(f"provisioning_{name}_total", "counter", help_text, {"": summed[column] or 0})


def _comparison(current: Overview) -> Iterator[Metric]:
    run = current.complete
    if run is None or run.finished_at is None:
        return
    finished = "When the newest complete comparison of the whole pool ended."
    yield _gauge("comparison_finished_seconds", finished, run.finished_at.timestamp())
    age = max(0.0, (current.at - run.finished_at).total_seconds())
    yield _gauge("comparison_age_seconds", "How long ago that was.", age)
    yield _gauge("comparison_drift", "Differences that it found and did not repair.", run.found - run.repaired)
    strangers = {"enabled": current.strangers.enabled.value, "disabled": current.strangers.disabled.value}
    help_text = f"Users of the pool that the portal did not make, counted up to {MOST_MEMBERS} of each kind."
    yield Metric("unknown_users", "gauge", help_text, strangers, "state")


def _mails(current: Overview) -> Iterator[Metric]:
    mails = current.mails
    states = {"waiting": mails.waiting.value, "given-up": mails.given_up.value}
    help_text = f"The portal's own mails that wait, and those of a week that were given up, counted up to {MOST_MAILS}."
    yield Metric("mails", "gauge", help_text, states, "state")
    away = (current.at - mails.outage.began_at).total_seconds() if mails.outage else 0
    yield _gauge("mail_server_away_seconds", "For how long the mail server has taken no mail.", max(0.0, away))


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return Metric(name, "gauge", help_text, {"": value})
