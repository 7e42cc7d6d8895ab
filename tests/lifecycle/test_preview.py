"""What a confirmation page announces is what happens, as counted in Cognito, and takes a fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.demo.cast import ACME_VIEWER
from tenants.domain.suspension_policy import ROOM
from tenants.domain.tenant_state import TenantState
from tenants.domain.user_plan import Create, Delete, Disable, Enable, SignOut
from tenants.lifecycle.preview import calls, preview, preview_for_all
from tenants.lifecycle.steps import TENANT_STEPS
from tenants.lifecycle.transitions import close, reactivate, suspend
from tenants.members.roster import disable
from tenants.models import Closing, Member, Person, Provisioning, Suspension, Tenant, Worker
from tests.world.faults import Switches
from tests.world.stage import SOMEBODY, Stage, member_called, tenant_with_people
from tests.world.use_cases import acme

_OPERATIONS = {
    Create: "AdminCreateUser",
    Enable: "AdminEnableUser",
    Disable: "AdminDisableUser",
    SignOut: "AdminUserGlobalSignOut",
    Delete: "AdminDeleteUser",
}


def said(tenants: Sequence[Tenant] | Tenant, step: str) -> str:
    tenants = [tenants] if isinstance(tenants, Tenant) else tenants
    return " ".join(preview_for_all(tenants, step))


def announced(tenant: Tenant, state: TenantState, *, sign_out: bool) -> dict[str, int]:
    """How often each operation is to be called."""
    counted: dict[str, int] = {}
    for changes, members in calls([tenant], lambda _: state, sign_out=sign_out).planned.items():
        for change in changes:
            counted[_OPERATIONS[change]] = counted.get(_OPERATIONS[change], 0) + members
    return counted


def made(switches: Switches) -> dict[str, int]:
    names = {f"CognitoIdentityProvider.{operation}": operation for operation in _OPERATIONS.values()}
    return {names[call]: count for call, count in switches.calls().items() if call in names}


def test_announced_changes_are_the_calls_that_cognito_gets(stage: Stage, switches: Switches, domain: str) -> None:
    tenant = tenant_with_people("Initech", 5, domain=domain)
    stage.work()
    disable(member_called(f"p1@{domain}"), by=SOMEBODY)
    stage.work()
    tenant = Tenant.objects.get(pk=tenant.pk)

    expected = announced(tenant, TenantState.SUSPENDED, sign_out=True)
    assert "4 members are disabled and signed out, 1 member is signed out" in said(tenant, "suspend")
    switches.forget()
    suspend(tenant, by=SOMEBODY, why="not paid")
    stage.work()
    assert made(switches) == expected

    tenant = Tenant.objects.get(pk=tenant.pk)
    expected = announced(tenant, TenantState.ACTIVE, sign_out=False)
    assert "4 members are enabled" in said(tenant, "reactivate")
    assert "1 member is disabled on their own, and will stay so" in said(tenant, "reactivate")
    switches.forget()
    reactivate(tenant, by=SOMEBODY)
    stage.work()
    assert made(switches) == expected


def test_closing_creates_no_member_that_cognito_does_not_have_yet(portal: Any, domain: str) -> None:
    tenant = tenant_with_people("Initech", 3, domain=domain)
    assert "In Cognito nothing has to be changed." in said(tenant, "close")
    assert "3 members are created" in said(tenant, "activate")


def test_a_conflict_is_left_alone_and_said(portal: Any) -> None:
    Member.objects.filter(person__email=ACME_VIEWER.email).update(seen_org="somebody-elses")
    text = said(acme(), "suspend")
    assert "2 members are disabled and signed out" in text
    assert "1 member is left alone" in text


def test_reopening_a_pending_tenant_does_not_say_that_members_get_in(portal: Any, domain: str) -> None:
    tenant = close(tenant_with_people("Initech", 1, domain=domain), by=SOMEBODY, why="asked for")
    assert "waits for its first owner again" in said(tenant, "reopen")
    assert "lets members in" not in said(tenant, "reopen")
    assert "lets members in again" in said(close(acme(), by=SOMEBODY, why="asked for"), "reopen")


def test_a_member_in_conflict_is_left_alone(portal: Any, domain: str) -> None:
    tenant = tenant_with_people("Initech", 1, domain=domain)
    Member.objects.filter(tenant=tenant).update(provisioning=Provisioning.CONFLICT, last_error="taken")
    for step in ("close", "activate"):
        assert "1 member is left alone" in said(tenant, step)
        assert "created" not in said(tenant, step)


def test_several_tenants_are_counted_together(portal: Any) -> None:
    both = list(Tenant.objects.filter(slug__in=["acme", "globex"]))
    assert "4 members are disabled and signed out" in said(both, "suspend")


def test_a_slow_change_is_announced_with_its_duration(portal: Any, settings: Any) -> None:
    settings.COGNITO_CALLS_PER_SECOND = {**settings.COGNITO_CALLS_PER_SECOND, "UserUpdate": 0.01}
    assert "about 10 minutes" in said(acme(), "suspend")
    settings.COGNITO_CALLS_PER_SECOND["UserUpdate"] = 0.0001
    assert "about 17 hours" in said(acme(), "suspend")


def test_a_missing_worker_is_announced(portal: Any) -> None:
    assert "No worker is running" in said(acme(), "suspend")
    worker = Worker.objects.create(name="one")
    assert "No worker is running" not in said(acme(), "suspend")
    Worker.objects.filter(pk=worker.pk).update(beat_at=timezone.now() - timedelta(minutes=1))
    assert "No worker is running" in said(acme(), "suspend")


def test_a_full_policy_is_announced_with_credentials_that_still_work(portal: Any) -> None:
    old = Tenant.objects.bulk_create(Tenant(name="Old", slug=f"old-{n}") for n in range(ROOM - 1))
    Suspension.objects.bulk_create(Suspension(tenant=tenant) for tenant in old)
    assert "as soon as the worker has written" in said(acme(), "suspend")
    both = list(Tenant.objects.filter(slug__in=["acme", "globex"]))
    assert "It follows as soon as others have left it" in said(both, "suspend")
    close(Tenant.objects.get(slug="globex"), by=SOMEBODY, why="asked for")
    assert "already issued work for up to an hour" in said(acme(), "suspend")


def test_closing_says_until_when_it_can_be_reopened_and_what_stays(portal: Any, settings: Any) -> None:
    settings.CLOSING_GRACE_DAYS = 10
    text, until = said(acme(), "close"), timezone.now() + timedelta(days=10)
    assert f"For 10 days, until {until:%-d %B %Y}" in text
    assert "3 members are deleted from Cognito" in text
    assert "cannot be undone" in text
    suspend(acme(), by=SOMEBODY, why="not paid")
    assert "already refuses credentials issued before" in said(acme(), "close")


@pytest.mark.parametrize("suspended", [True, False])
def test_reopening_says_the_state_it_returns_to(portal: Any, *, suspended: bool) -> None:
    tenant = suspend(acme(), by=SOMEBODY, why="not paid") if suspended else acme()
    tenant = close(tenant, by=SOMEBODY, why="asked for")
    Closing.objects.update(export_url="s3://exports/acme")
    text = said(tenant, "reopen")
    assert f"Acme Ltd is {'suspended' if suspended else 'active'} again" in text
    assert ("lets members in again" in text) is not suspended
    assert "s3://exports/acme" in text


def test_every_step_of_a_tenant_says_its_consequences(portal: Any) -> None:
    tenant = close(acme(), by=SOMEBODY, why="asked for")
    for step in TENANT_STEPS:
        sentences = step.expects(tenant, {})
        assert sentences, step.name
        assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in sentences), sentences


def test_ten_members_take_as_many_queries_as_two_hundred(portal: Any) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            preview(acme(), "close")
        return len(queries)

    few = asked()
    people = Person.objects.bulk_create(Person(email=f"m{n}@many.example") for n in range(200))
    Member.objects.bulk_create(
        Member(person=person, tenant=acme(), role="viewer", provisioning=Provisioning.SETTLED) for person in people
    )
    assert asked() == few <= 5
