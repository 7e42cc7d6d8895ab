"""The row that says that provisioning is halted."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from tenants.domain.errors import MailLimitReached, Misconfigured
from tenants.models import AuditEvent, Halt, Halted, Lease
from tenants.provisioning.halt import clear_halt, halt, halt_invitations, is_halted, take_probe, why_halted

pytestmark = pytest.mark.django_db


def test_provisioning_is_not_halted_at_first() -> None:
    assert not is_halted()
    assert why_halted() == ""


def test_the_first_halt_is_recorded_and_keeps_its_reason() -> None:
    halt(Misconfigured("the user pool is gone"))
    halt(Misconfigured("another's keys are wrong"))
    assert is_halted()
    assert why_halted() == "the user pool is gone"
    assert [event.why for event in AuditEvent.objects.filter(action="provisioning.halted")] == ["the user pool is gone"]


def test_a_cleared_halt_can_begin_again_with_an_entry_of_its_own() -> None:
    halt(Misconfigured("the user pool is gone"))
    clear_halt()
    assert not is_halted()
    halt(Misconfigured("gone again"))
    assert why_halted() == "gone again"
    assert AuditEvent.objects.filter(action="provisioning.halted").count() == 2


def test_the_database_takes_no_halt_of_something_unknown() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Halt.objects.create(pk=max(Halted) + 1, why="of what?")


def test_one_thing_is_halted_without_the_other() -> None:
    halt(Misconfigured("the user pool is gone"))
    halt_invitations(holder="a worker")
    assert why_halted(Halted.MAILS) == MailLimitReached.WHY
    clear_halt()
    assert (is_halted(), is_halted(Halted.MAILS)) == (False, True)
    assert AuditEvent.objects.get(action="invitations.halted").why == MailLimitReached.WHY


def test_one_worker_of_all_tries_an_invitation_now_and_then() -> None:
    halt_invitations(holder="one")
    assert [take_probe(holder=holder) for holder in ("one", "another", "one")] == [False, False, False]
    Lease.objects.update(until=timezone.now())
    assert [take_probe(holder=holder) for holder in ("one", "another", "one")] == [True, False, False]
