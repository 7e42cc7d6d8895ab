"""Tenants and members in a given state, use cases that are refused, and use cases run at the same time."""

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
from tenants.domain.roles import Role
from tenants.domain.tenant_state import TenantState
from tenants.lifecycle.transitions import activate, close, close_for_good, create_tenant, suspend
from tenants.models import AuditEvent, Closing, Member, Person, Provisioning, Tenant
from tests.world.stage import SOMEBODY

S = TenantState


def tenant_in(state: TenantState, *, name: str = "Initech", domain: str = "initech.example") -> Tenant:
    """A new tenant that was taken to this state by the use cases."""
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


def make_members(count: int, provisioning: Provisioning, **fields: Any) -> None:
    """`count` viewers of a new tenant, as rows alone."""
    tenant = Tenant.objects.create(name="Somebody’s")
    error = "It is so." if provisioning in (Provisioning.STUCK, Provisioning.CONFLICT) else ""
    for number in range(count):
        person = Person.objects.create(email=f"{number}@t{tenant.pk}.example")
        about = {"provisioning": provisioning, "last_error": error, **fields}
        Member.objects.create(person=person, tenant=tenant, role=Role.VIEWER, **about)


def acme() -> Tenant:
    return Tenant.objects.get(slug="acme")


@contextmanager
def assert_refused(error: type[PortalError], says: str, *, recorded_as: Action) -> Iterator[pytest.ExceptionInfo[Any]]:
    """The block must raise `error` with these words, change no row, and add only the refusal to the audit trail."""
    before, last = rows(), last_entry()
    with TestCase.captureOnCommitCallbacks(execute=True), pytest.raises(error, match=says) as raised:
        yield raised
    assert rows() == before
    (entry,) = AuditEvent.objects.filter(seq__gt=last)
    assert (entry.action, entry.why) == (recorded_as, raised.value.message)
    assert entry.actor == SOMEBODY.id
    assert entry.after["refusal"] == error.__name__


def last_entry() -> int:
    """The number of the newest entry of the audit trail, 0 if there is none."""
    return max(AuditEvent.objects.values_list("seq", flat=True), default=0)


def entries_since(seq: int) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(seq__gt=seq).order_by("seq"))


def run_at_once(*calls: Callable[[], Any]) -> list[PortalError | None]:
    """Runs each call in a thread with its own database connection. Returns what each raised, or None."""
    start = threading.Barrier(len(calls))
    answers: list[PortalError | None] = [None] * len(calls)

    def do(place: int) -> None:
        try:
            start.wait(timeout=60)
            calls[place]()
        except PortalError as error:
            answers[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=do, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive()
    return answers


def rows() -> list[list[dict[str, Any]]]:
    return [list(model.objects.order_by("pk").values()) for model in (Tenant, Person, Member, Closing)]
