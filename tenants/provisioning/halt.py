"""What is halted while something is in its way: every change in Cognito, or only those that Cognito mails about.

Everything is halted by missing permissions, for example; invitations by the daily limit of mails. While invitations are
halted one of them is tried now and then, by one worker of all. Once Cognito sends it, the others go out too.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from tenants.audit import record
from tenants.audit.actions import Action
from tenants.domain.actor import WORKER
from tenants.domain.errors import MailLimitReached, PortalError
from tenants.models import Halt, Halted, Lease, Member, Provisioning, SignUp

_PROBE = "invitation-probe"
PROBE_SECONDS = 60.0
_MANY = 2000
_ACTIONS = {Halted.EVERYTHING: Action.PROVISIONING_HALTED, Halted.MAILS: Action.INVITATIONS_HALTED}


def halt(error: PortalError, what: Halted = Halted.EVERYTHING) -> None:
    """Halts it, with an entry in the audit trail. Does nothing where it is halted already."""
    why = error.for_operators
    with transaction.atomic():
        _, is_new = Halt.objects.get_or_create(pk=what, defaults={"why": why})
        if is_new:
            record(_ACTIONS[what], by=WORKER, why=why)


def is_halted(what: Halted = Halted.EVERYTHING) -> bool:
    return Halt.objects.filter(pk=what).exists()


def why_halted(what: Halted = Halted.EVERYTHING) -> str:
    """For operators. "" where it is not halted."""
    return Halt.objects.filter(pk=what).values_list("why", flat=True).first() or ""


def clear_halt(what: Halted = Halted.EVERYTHING) -> None:
    Halt.objects.filter(pk=what).delete()


def halt_invitations(*, holder: str) -> None:
    """Until a probe gets through. The next one is due after `PROBE_SECONDS`."""
    take_probe(holder=holder)
    halt(MailLimitReached(), Halted.MAILS)


def take_probe(*, holder: str) -> bool:
    """Whether the holder may try one invitation while they are halted. Nobody may try another one soon after."""
    return not _was_tried_lately() and Lease.objects.take(_PROBE, holder=holder, seconds=PROBE_SECONDS)


def make_probe_due() -> None:
    """While invitations are halted and nobody has tried one lately, makes one of the waiting members due.

    Where nobody waits any more, nothing is halted: the next invitation is tried like any other.
    """
    if not is_halted(Halted.MAILS) or _was_tried_lately():
        return
    first = waiting().order_by("due_at", "pk").values_list("pk", flat=True).first()
    if first is not None:
        waiting().filter(pk=first).update(due_at=timezone.now())
    elif not SignUp.objects.filter(due_at__isnull=False, last_error=MailLimitReached.WHY).exists():
        clear_halt(Halted.MAILS)


def _was_tried_lately() -> bool:
    return Lease.objects.filter(name=_PROBE, until__gte=timezone.now()).exists()


def resume_invitations() -> None:
    """Cognito sends mails again, so everybody who waited for that goes on."""
    clear_halt(Halted.MAILS)
    make_waiting_due()


def make_waiting_due() -> None:
    """Many of those who wait; the others the next time. Skips locked rows, so that transactions cannot deadlock."""
    with transaction.atomic():
        later = waiting().filter(due_at__gt=timezone.now()).select_for_update(skip_locked=True).order_by("pk")
        Member.objects.filter(pk__in=list(later.values_list("pk", flat=True)[:_MANY])).update(due_at=timezone.now())


def waiting() -> QuerySet[Member]:
    """Members who are due and wait for mails to be sent."""
    return Member.objects.filter(provisioning=Provisioning.DUE, last_error=MailLimitReached.WHY)
