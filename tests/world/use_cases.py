"""What is asked of the use cases and refused: said, written to the audit trail, and nothing else changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections
from django.test import TestCase
from django.utils import timezone

from tenants.audit.actions import Action
from tenants.domain.errors import PortalError
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.transitions import activate, close, close_for_good, create_tenant, suspend
from tenants.models import AuditEvent, Closing, Member, Person, Tenant
from tests.world.stage import SOMEBODY

S = TenantState


def tenant_in(state: TenantState, *, name: str = "Initech", domain: str = "initech.example") -> Tenant:
    """Taken there step by step, as anybody would."""
    tenant = create_tenant(name=name, owner_email=f"owner@{domain}", by=SOMEBODY)
    if state in (S.ACTIVE, S.SUSPENDED):
        tenant = activate(tenant, by=SOMEBODY)
    if state == S.SUSPENDED:
        tenant = suspend(tenant, by=SOMEBODY, why="not paid")
    if state in (S.CLOSING, S.CLOSED):
        tenant = close(tenant, by=SOMEBODY, why="asked for")
    if state == S.CLOSED:
        Closing.objects.filter(tenant=tenant).update(purged_at=timezone.now(), verified_at=timezone.now())
        tenant = close_for_good(tenant, by=SOMEBODY)
    return tenant


def acme() -> Tenant:
    return Tenant.objects.get(slug="acme")


@contextmanager
def refused(error: type[PortalError], says: str, *, recorded_as: Action) -> Iterator[pytest.ExceptionInfo[Any]]:
    """What happens in it is refused in these words, changes no row, and is the only thing the audit trail gains."""
    rows, last = _rows(), last_entry()
    with TestCase.captureOnCommitCallbacks(execute=True), pytest.raises(error, match=says) as told:
        yield told
    assert _rows() == rows
    (entry,) = AuditEvent.objects.filter(seq__gt=last)
    assert (entry.action, entry.why) == (recorded_as, told.value.message)
    assert entry.actor == SOMEBODY.id
    assert entry.after["refusal"] == error.__name__


def last_entry() -> int:
    return max(AuditEvent.objects.values_list("seq", flat=True), default=0)


def entries_since(seq: int) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(seq__gt=seq).order_by("seq"))


def at_once(*doings: Callable[[], Any]) -> list[PortalError | None]:
    """Each in a thread with a connection of its own, begun together. What each was refused for, or None."""
    start = threading.Barrier(len(doings))
    answers: list[PortalError | None] = [None] * len(doings)

    def do(place: int) -> None:
        try:
            start.wait(timeout=10)
            doings[place]()
        except PortalError as error:
            answers[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=do, args=(place,)) for place in range(len(doings))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return answers


def _rows() -> list[list[dict[str, Any]]]:
    return [list(model.objects.order_by("pk").values()) for model in (Tenant, Person, Member, Closing)]
