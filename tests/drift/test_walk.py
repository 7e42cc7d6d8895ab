"""The way through the pool: while people come and go, stopped and resumed, and when the pool is wrong or away."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tenants.aws.directory import PAGE
from tenants.domain.errors import Misconfigured, NotNow, RefusedByCognito, Unreachable
from tenants.domain.roles import Role
from tenants.members.roster import add_member, remove, set_role
from tenants.models import AuditEvent, Drift, Lease, Member, Person, Reconciliation
from tests.world.faults import Switches
from tests.world.pool import (
    RunLog,
    by_hand,
    compare_pool,
    crowd,
    differences,
    set_by_hand,
    settled_tenant,
    state_of_members,
    with_interruptions,
)
from tests.world.stage import SOMEBODY, Stage, member_called, recorded_actions

pytestmark = pytest.mark.usefixtures("only_the_cast_in_the_pool")


def test_people_who_come_and_go_while_the_pool_is_read_are_no_difference(stage: Stage, domain: str) -> None:
    tenant = settled_tenant(stage, "Busy", 4, domain=domain)
    crowd(stage, tenant, PAGE, domain=domain)

    def meanwhile(done: int) -> None:
        if done != PAGE or Member.objects.filter(person__email=f"late0@{domain}").exists():
            return
        for member in Member.objects.filter(person__email__startswith="c", tenant=tenant)[:20]:
            remove(member, by=SOMEBODY)
        for number in range(20):
            add_member(
                tenant=tenant,
                email=f"late{number}@{domain}",
                name="",
                role=Role.VIEWER,
                by=SOMEBODY,
                mail_invitation=False,
            )
        stage.work()

    assert compare_pool(stage, RunLog(then=meanwhile), repair=True).found == {}


def test_a_workers_newer_change_counts_and_the_older_page_does_not(stage: Stage, domain: str) -> None:
    settled_tenant(stage, "Stale", 4, domain=domain)

    def meanwhile(_after: str | None) -> None:
        set_role(member_called(f"p1@{domain}"), Role.EDITOR, by=SOMEBODY)
        remove(member_called(f"p2@{domain}"), by=SOMEBODY)
        stage.work()

    assert compare_pool(with_interruptions(stage, meanwhile), repair=True).found == {}
    user = stage.user(f"p1@{domain}")
    assert user
    assert user.role == "editor"


def test_a_pool_that_refuses_its_own_page_tokens_ends_the_run(stage: Stage, domain: str) -> None:
    crowd(stage, settled_tenant(stage, "Lost", 1, domain=domain), PAGE, domain=domain)

    def refuses(after: str | None) -> None:
        if after is not None:
            raise RefusedByCognito("Invalid pagination token.")

    log = RunLog()
    with pytest.raises(Unreachable):
        compare_pool(with_interruptions(stage, refuses), log)
    assert len(log.sentences) == 1
    assert compare_pool(stage).found == {}


def test_a_stopped_run_goes_on_where_it_stopped_and_finds_the_same(
    stage: Stage, switches: Switches, domain: str
) -> None:
    tenant = settled_tenant(stage, "Stopped", 2, domain=domain)
    crowd(stage, tenant, 3 * PAGE, domain=domain)
    for number in range(0, 180, 30):
        set_by_hand(stage, f"c{number}@{domain}", role="admin")
    by_hand(stage, "admin_delete_user", f"c1@{domain}")
    stage.make_by_hand(f"x1@{domain}")
    whole = compare_pool(stage).found
    whole_differences = differences()
    stop = threading.Event()
    with pytest.raises(NotNow, match="goes on where it stopped"):
        compare_pool(stage, RunLog(then=lambda done: stop.set() if done == 2 * PAGE else None), stop=stop)
    run = Reconciliation.objects.latest("started_at")
    assert (run.users_seen, run.finished_at) == (2 * PAGE, None)
    assert AuditEvent.objects.filter(action="reconciliation.stopped").count() == 1
    switches.forget()
    log = RunLog()
    done = compare_pool(stage, log)
    assert done.run.pk == run.pk
    assert (done.found, done.run.users_seen) == (whole, 187)
    assert differences() == whole_differences
    assert switches.calls()["CognitoIdentityProvider.ListUsers"] == 2
    assert "after 120 users" in log.sentences[0]
    assert not Lease.objects.filter(name="reconciliation").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"started_at": timezone.now() - timedelta(hours=2)}, "too old"),
        ({"after": "eu-west-1_another pool abc"}, "another user pool"),
        ({"after": "{pool} repair 0"}, "repairs"),
        ({"after": "{pool} pool bm90LW91cnM="}, "no longer knows the page"),
    ],
)
def test_a_run_that_cannot_be_resumed_begins_anew_and_says_so(
    stage: Stage, domain: str, change: dict[str, object], sentence: str
) -> None:
    settled_tenant(stage, "Anew", 2, domain=domain)
    set_by_hand(stage, f"p1@{domain}", role="admin")
    compare_pool(stage)
    change = {
        **change,
        **({"after": str(change["after"]).format(pool=stage.tools.directory.pool_id)} if "after" in change else {}),
    }
    Reconciliation.objects.update(**{"finished_at": None, **change})
    log = RunLog()
    done = compare_pool(stage, log)
    assert sentence in log.sentences[-1]
    assert (done.found, done.run.users_seen) == ({"role": 1}, 7)
    assert differences() == {("role", f"p1@{domain}", "viewer", "admin")}


def test_a_second_run_at_the_same_time_is_refused(stage: Stage) -> None:
    def another(_done: int) -> None:
        with pytest.raises(NotNow, match="Another reconciliation is running"):
            compare_pool(stage, holder="another")

    assert compare_pool(stage, RunLog(then=another)).found == {}
    assert Reconciliation.objects.count() == 1


def test_a_run_whose_lease_was_taken_over_writes_nothing_more(stage: Stage) -> None:
    def taken_over(_done: int) -> None:
        Lease.objects.filter(name="reconciliation").update(holder="another")

    with pytest.raises(NotNow, match="taken over"):
        compare_pool(stage, RunLog(then=taken_over))
    assert Lease.objects.get(name="reconciliation").holder == "another"


def test_a_pool_that_knows_no_member_is_not_taken_for_the_portals(stage: Stage, domain: str) -> None:
    tenant = settled_tenant(stage, "Elsewhere", 2, domain=domain)
    elsewhere = stage.by_hand.create_user_pool(PoolName="elsewhere")["UserPool"]["Id"]
    # PortalRole may not even read another pool.
    wrong = replace(stage.tools.directory, pool_id=elsewhere, client=stage.by_hand)
    at_it = replace(stage, tools=replace(stage.tools, directory=wrong))
    before = list(Member.objects.order_by("pk").values())
    for asked in ({"repair": True}, {"tenant": tenant, "repair": True}):
        with pytest.raises(Misconfigured) as refused:
            compare_pool(at_it, **asked)
        assert "knows none of the portal's members" in refused.value.why
        lost = 2 if "tenant" in asked else 7
        assert f"--repair --recreate {lost}" in refused.value.why
        assert list(Member.objects.order_by("pk").values()) == before
        assert not Drift.objects.exists()
    assert recorded_actions("the whole pool") == ["reconciliation.stopped"]
    assert compare_pool(stage).found == {}
    stage.by_hand.delete_user_pool(UserPoolId=elsewhere)
    with pytest.raises(Misconfigured, match="not set up correctly") as gone:
        compare_pool(at_it)
    assert "ResourceNotFoundException" in gone.value.why
    assert not Lease.objects.filter(name="reconciliation").exists()


def test_after_a_wrong_pool_the_comparison_begins_with_the_first_page(stage: Stage, domain: str) -> None:
    settled_tenant(stage, "Restored", 2, domain=domain)
    right = list(Person.objects.exclude(sub=None))
    Person.objects.bulk_update([Person(pk=person.pk, sub=uuid.uuid4()) for person in right], ["sub"])
    with pytest.raises(Misconfigured):
        compare_pool(stage)
    Person.objects.bulk_update(right, ["sub"])
    done = compare_pool(stage)
    assert (done.found, done.run.users_seen) == ({}, 7)


def test_a_stopped_run_of_one_tenant_goes_on_with_the_next_member(stage: Stage, domain: str) -> None:
    tenant = settled_tenant(stage, "In parts", 4, domain=domain)
    set_by_hand(stage, f"p0@{domain}", role="admin")
    set_by_hand(stage, f"p3@{domain}", role="admin")
    stop = threading.Event()
    with pytest.raises(NotNow):
        compare_pool(stage, RunLog(then=lambda done: stop.set() if done == 2 else None), stop=stop, tenant=tenant)
    done = compare_pool(stage, tenant=tenant)
    assert (done.found, done.run.users_seen) == ({"role": 2}, 4)


def test_throttled_calls_are_made_again_later(
    stage: Stage, switches: Switches, domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled_tenant(stage, "Throttled", 2, domain=domain)
    set_by_hand(stage, f"p1@{domain}", role="admin")
    switches.forget()
    switches.fail("CognitoIdentityProvider.ListUsers", fault="throttling", count=1)
    monkeypatch.setattr("tenants.drift.paced_pool.LONGEST_PAUSE_SECONDS", 0.0)
    began = time.monotonic()
    assert compare_pool(stage, repair=True).left == 0
    assert time.monotonic() - began > 0.4, "all other processes that list users wait as well"
    assert switches.calls()["CognitoIdentityProvider.ListUsers"] == 2


def test_a_pool_that_stays_away_ends_the_run_and_loses_nothing(
    stage: Stage, switches: Switches, domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled_tenant(stage, "Away", 2, domain=domain)
    set_by_hand(stage, f"p1@{domain}", role="admin")
    switches.fail("CognitoIdentityProvider.ListUsers", fault="server-error", count=None)
    monkeypatch.setattr("tenants.drift.paced_pool.FIRST_PAUSE_SECONDS", 0.001)
    before = state_of_members()
    with pytest.raises(Unreachable):
        compare_pool(stage, repair=True)
    assert state_of_members() == before
    run = Reconciliation.objects.get()
    assert "500 InternalErrorException" in run.last_error
    assert not Lease.objects.filter(name="reconciliation").exists()
    switches.mend()
    assert compare_pool(stage, repair=True).run.repaired == 1
    run.refresh_from_db()
    assert run.last_error == ""


def test_the_queries_for_a_page_do_not_depend_on_its_users(stage: Stage, domain: str) -> None:
    tenant = settled_tenant(stage, "Many", 2, domain=domain)
    crowd(stage, tenant, PAGE, domain=domain)
    with CaptureQueriesContext(
        connection,
    ) as few:
        compare_pool(stage)
    crowd(stage, tenant, 3 * PAGE, domain=f"more.{domain}")
    with CaptureQueriesContext(connection) as many:
        compare_pool(stage)
    pages = (5 + 2 + 4 * PAGE - 1) // PAGE + 1
    a_page = (len(many) - len(few)) / (pages - 2)
    assert a_page < 14, [query["sql"][:100] for query in many.captured_queries]
